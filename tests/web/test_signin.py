"""Signing in with a browser: sessions, form tokens, waits after failed tries, one-time passwords, and the end of it all."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx2
import pytest
import time_machine
from sqlalchemy import select

from portal.db.engine import transaction
from portal.db.models import Audit, BrowserSession, User, now
from portal.services import accounts, passwords
from portal.services.accounts import Role
from portal.services.signin import FREE_TRIES
from tests.daemon.world import ADMIN_TOOL
from tests.web.conftest import Site

PASSWORD = "correct-horse-1"
_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


def token_in(page: httpx2.Response) -> str:
    found = _TOKEN.search(page.text)
    assert found is not None, page.text
    return found.group(1)


@pytest.fixture
async def kim(site: Site) -> Site:
    async with transaction(site.world.maker) as session:
        user = await accounts.user_named(session, "kim")
        await passwords.put(user, PASSWORD, temporary=False)
    return site


async def sign_in(
    browser: httpx2.AsyncClient, name: str = "kim", password: str = PASSWORD, goal: str = "/"
) -> httpx2.Response:
    form = token_in(await browser.get("/login"))
    fields = {"form_token": form, "username": name, "password": password, "next": goal}
    return await browser.post("/login", data=fields)


async def test_in_and_out(kim: Site) -> None:
    async with kim.client() as browser:
        away = await browser.get("/")
        assert (away.status_code, away.headers["location"]) == (303, "/login?next=/")
        answer = await sign_in(browser, goal="/account/password")
        assert (answer.status_code, answer.headers["location"]) == (303, "/account/password")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        home = await browser.get("/")
        assert home.status_code == 200
        assert '<html lang="ko"' in home.text
        out = await browser.post("/logout", data={"form_token": token_in(home)})
        assert out.headers["location"] == "/login"
        assert (await browser.get("/")).status_code == 303
    async with kim.world.maker() as session:
        assert list(await session.scalars(select(BrowserSession))) == []
        actions = list(await session.scalars(select(Audit.action).where(Audit.object_id == "kim")))
    assert actions[-2:] == ["session.begin", "session.end"]


async def test_only_the_hash_of_the_cookie_is_kept_and_another_visit_gets_another(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        first = browser.cookies["one_session"]
        await sign_in(browser)
        assert browser.cookies["one_session"] != first
    async with kim.world.maker() as session:
        kept = [found.sha256 for found in await session.scalars(select(BrowserSession))]
    assert len(kept) == 2
    assert first not in kept


async def test_a_change_needs_the_token_of_this_session(kim: Site) -> None:
    async with kim.client() as browser:
        before = token_in(await browser.get("/login"))
        assert (await browser.post("/login", data={"username": "kim", "password": PASSWORD})).status_code == 403
        await sign_in(browser)
        for token in ("", "00", before):
            assert (await browser.post("/logout", data={"form_token": token})).status_code == 403
        right = token_in(await browser.get("/"))
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert (await browser.post("/logout", data={"form_token": right}, headers=foreign)).status_code == 403
        assert (await browser.post("/logout", headers={"X-Form-Token": right})).status_code == 303


async def test_wrong_name_and_wrong_password_sound_alike(kim: Site) -> None:
    async with kim.client() as browser:
        answers = [await sign_in(browser, name, "wrong") for name in ("kim", "nobody")]
        assert [answer.status_code for answer in answers] == [401, 401]
        texts = {re.sub(r'value="[^"]*"|X-Form-Token": "\w+', "", answer.text) for answer in answers}
        assert len(texts) == 1
        assert "사용자 이름 또는 비밀번호가 맞지 않습니다." in texts.pop()
        assert 'value="nobody"' in answers[1].text


async def test_failed_tries_make_one_wait_longer_and_longer(kim: Site) -> None:
    async with kim.client() as browser:
        with time_machine.travel(now(), tick=False) as clock:
            for _ in range(FREE_TRIES):
                assert (await sign_in(browser, password="wrong")).status_code == 401
            waiting = await sign_in(browser)
            assert waiting.status_code == 429
            assert "30초 후 다시 시도하세요." in waiting.text
            clock.shift(timedelta(seconds=31))
            assert (await sign_in(browser, password="wrong")).status_code == 401
            assert "60초 후" in (await sign_in(browser)).text
            clock.shift(timedelta(seconds=61))
            assert (await sign_in(browser)).status_code == 303
            assert (await sign_in(browser, password="wrong")).status_code == 401


async def test_a_session_ends_when_idle_and_at_its_end(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        with time_machine.travel(now() + timedelta(hours=23)):
            assert (await browser.get("/")).status_code == 200
        with time_machine.travel(now() + timedelta(hours=48)):
            answer = await browser.get("/")
        assert answer.headers["location"] == "/login?next=/&expired=1"
        await sign_in(browser)
        for day in range(9):
            with time_machine.travel(now() + timedelta(hours=23 * day)):
                status = (await browser.get("/")).status_code
                part = (await browser.get("/", headers={"HX-Request": "true"})).status_code
        assert (status, part) == (303, 401)


async def test_deactivation_ends_the_session_at_the_next_click(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        async with transaction(kim.world.maker) as session:
            await accounts.deactivate(session, kim.world.actors["admin"], "kim")
        assert (await browser.get("/")).status_code == 303
        refused = await sign_in(browser)
        assert "비활성화된 계정입니다." in refused.text
        assert "비활성화된" not in (await sign_in(browser, password="wrong")).text


async def test_a_one_time_password_must_be_replaced_first(site: Site) -> None:
    async with transaction(site.world.maker) as session:
        await accounts.create_user(session, ADMIN_TOOL, username="choi", display_name="최", role=Role.RESEARCHER)
        once = await passwords.hand_out(session, site.world.actors["admin"], "choi")
    async with site.client() as browser, site.client() as other:
        answer = await sign_in(browser, "choi", once)
        await sign_in(other, "choi", once)
        assert answer.headers["location"] == "/account/password"
        assert (await browser.get("/")).headers["location"] == "/account/password"
        form = {
            "form_token": token_in(await browser.get("/account/password")),
            "old": once,
            "new": "short",
            "again": "x",
        }
        refused = await browser.post("/account/password", data=form)
        assert refused.status_code == 422
        assert "입력을 확인하세요 (2건)" in refused.text
        assert once not in refused.text
        done = await browser.post("/account/password", data={**form, "new": PASSWORD, "again": PASSWORD})
        assert done.status_code == 303
        assert (await browser.get("/")).status_code == 200
        assert (await other.get("/")).status_code == 303
    async with site.world.maker() as session:
        stored = await session.scalar(select(User.password_hash).where(User.username == "choi"))
    assert stored is not None
    assert stored.startswith("$argon2id$")


@pytest.mark.parametrize(
    "goal", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
async def test_next_stays_here(kim: Site, goal: str) -> None:
    async with kim.client() as browser:
        assert (await sign_in(browser, goal=goal)).headers["location"] == "/"


async def test_language_and_theme_work_before_and_after(kim: Site) -> None:
    async with kim.client() as browser:
        token = token_in(await browser.get("/login"))
        fields = {"form_token": token, "language": "en", "back": "/login"}
        assert (await browser.post("/preferences/language", data=fields)).headers["location"] == "/login"
        assert "<h1>Sign in</h1>" in (await browser.get("/login")).text
        await sign_in(browser)
        home = await browser.get("/", headers={"Accept-Language": "ko"})
        assert '<html lang="en"' in home.text
        fields = {"form_token": token_in(home), "theme": "dark", "back": "//evil.example"}
        assert (await browser.post("/preferences/theme", data=fields)).headers["location"] == "/"
        assert 'data-bs-theme="dark"' in (await browser.get("/")).text
        assert (await browser.post("/preferences/theme", data={**fields, "theme": "pink"})).status_code == 422


async def test_every_answer_is_hardened_and_errors_are_pages(kim: Site) -> None:
    async with kim.client() as browser:
        for path, status in (("/login", 200), ("/nothing-here", 404), ("/api/v1/me", 401), ("/api/v1/schema", 200)):
            answer = await browser.get(path)
            assert answer.status_code == status
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
        page = await browser.get("/nothing-here")
        assert "찾을 수 없거나 볼 수 없는 항목입니다." in page.text
        assert page.headers["x-request-id"] in page.text
