"""P25 over HTTP: tokens shown once and ended, how one wants pages, sessions and their end."""

from __future__ import annotations

import re
from typing import Any

import httpx2

from portal.db.engine import transaction
from portal.db.models import Audit, Token, User
from portal.services import accounts
from tests.daemon.world import ADMIN_TOOL
from tests.web.conftest import Site
from tests.web.test_apps_pages import as_viewer
from tests.web.test_signin import kim, sign_in, token_in

__all__ = ["kim"]
_VALUE = re.compile(r"\bone_[A-Za-z0-9_-]{43}\b")


async def posted(browser: httpx2.AsyncClient, path: str, seen_at: str = "/account", **fields: Any) -> httpx2.Response:
    """Send a form of the page `seen_at`."""
    token = token_in(await browser.get(seen_at))
    return await browser.post(path, data={"form_token": token, **fields})


async def test_a_token_is_shown_once_works_and_ends(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        made = await posted(browser, "/account/tokens", name="cli", days="30", scopes=["read", "submit"])
        value = _VALUE.findall(made.text)[0]
        assert (made.status_code, "이 값은 다시 볼 수 없습니다." in made.text) == (201, True)
        assert made.headers["cache-control"] == "no-store"
        page = (await browser.get("/account?tab=tokens")).text
        assert (value in page, value[:10] in page, "읽기, 제출" in page) == (False, True, True)
        kim.values["cli"] = value
        assert (await kim.get("cli", "/me"))["scopes"] == ["read", "submit"]
        (row,) = [token for token in await kim.world.rows(Token) if token.name == "cli"]
        sure = await browser.get(f"/account/tokens/{row.id}/revoke")
        assert "cli 토큰 폐기" in sure.text
        gone = await posted(browser, f"/account/tokens/{row.id}/revoke", seen_at=f"/account/tokens/{row.id}/revoke")
        assert gone.headers["location"] == "/account?tab=tokens"
    async with kim.client("cli") as client:
        assert (await client.get("/api/v1/me")).status_code == 401
    actions = [row.action for row in await kim.world.rows(Audit) if row.actor == "kim" and "token" in row.action]
    assert actions == ["token.create", "token.revoke"]


async def test_what_is_wrong_with_a_token_comes_back_with_what_was_typed(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        wider = await posted(browser, "/account/tokens", name="kept", days="30", scopes=["approve"])
        assert (wider.status_code, 'value="kept"' in wider.text) == (403, True)
        for fields in ({"name": "x", "days": "30"}, {"name": " ", "days": "30", "scopes": "read"}):
            assert (await posted(browser, "/account/tokens", **fields)).status_code == 422
        theirs = [token.id for token in await kim.world.rows(Token) if token.user.username == "park"]
        assert (await browser.get(f"/account/tokens/{theirs[0]}/revoke")).status_code == 404
        assert (await posted(browser, f"/account/tokens/{theirs[0]}/revoke")).status_code == 404


async def test_a_viewer_is_offered_the_read_scope_only(site: Site) -> None:
    async with site.client() as browser:
        await as_viewer(site, browser)
        page = (await browser.get("/account?tab=tokens")).text
        assert re.findall(r'name="scopes" value="(\w+)"', page) == ["read"]


async def test_display_is_kept_with_the_account(kim: Site) -> None:
    wanted = {"language": "en", "theme": "dark", "time_zone": "Europe/Paris", "rows_per_page": "25"}
    async with kim.client() as browser:
        await sign_in(browser)
        answer = await posted(browser, "/account/display", **wanted)
        assert answer.headers["location"] == "/account?tab=display"
        page = (await browser.get("/account?tab=display")).text
        for text in (
            '<html lang="en" data-bs-theme="dark"',
            "Saved.",
            'data-single-keys="off"',
            "<option selected>Europe/Paris",
        ):
            assert text in page, text
        for bad in ({"time_zone": "Mars/North"}, {"rows_per_page": "7"}, {"rows_per_page": "x"}, {"theme": "pink"}):
            refused = await posted(browser, "/account/display", **{**wanted, "language": "ko", **bad})
            assert refused.status_code == 422, bad
    (user,) = [user for user in await kim.world.rows(User) if user.username == "kim"]
    kept = (user.language, user.theme, user.time_zone, user.rows_per_page, user.single_keys)
    assert kept == ("en", "dark", "Europe/Paris", 25, False)


async def test_sessions_are_listed_and_ended(kim: Site) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    async with kim.client() as here, kim.client(**{"User-Agent": agent}) as there, kim.client() as third:
        for browser in (here, there, third):
            await sign_in(browser)
        page = (await here.get("/account?tab=sessions")).text
        assert (page.count("이 세션 종료"), "Firefox · Linux" in page) == (3, True)
        (first, *_) = [int(found) for found in re.findall(r"/account/sessions/(\d+)/end", page)]
        assert (await posted(here, f"/account/sessions/{first + 1000}/end")).status_code == 404
        await posted(here, "/account/sessions/end-others", seen_at="/account?tab=sessions")
        assert [(await browser.get("/account")).status_code for browser in (here, there, third)] == [200, 303, 303]
        (own,) = re.findall(r"/account/sessions/(\d+)/end\"", (await here.get("/account?tab=sessions")).text)
        out = await posted(here, f"/account/sessions/{own}/end")
        assert (out.headers["location"], (await here.get("/account")).status_code) == ("/login", 303)


async def test_the_profile_tells_the_mapping_and_what_waits(kim: Site, small: dict[str, Any]) -> None:
    await kim.world.submit(small)
    async with kim.client() as browser:
        await sign_in(browser)
        page = (await browser.get("/account")).text
        for text in ("연구원", "1건 (최대 200건)", "확인 중"):
            assert text in page, text
        async with transaction(kim.world.maker) as session:
            await accounts.map_slurm(session, ADMIN_TOOL, "kim", None, None)
        assert "Slurm 계정이 연결되지 않아" in (await browser.get("/account")).text
