"""P21 over HTTP: people added, changed and ended by an admin's browser, and what that does to sessions, tokens and work."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from portal.daemon.mapping import check_due
from portal.db.engine import transaction
from portal.db.models import Audit, Token, User
from portal.domain.lifecycle import State
from portal.services import accounts, passwords
from tests.web.conftest import Site
from tests.web.test_account_pages import posted
from tests.web.test_signin import PASSWORD, sign_in

_PASSWORD = re.compile(r"\b[a-z2-9]{5}-[a-z2-9]{5}-[a-z2-9]{5}\b")
NEW = {"username": "choi", "display_name": "최연구원", "email": "choi@lab.example", "role": "researcher"}


@pytest.fixture
async def house(site: Site) -> Site:
    """The site, with a password for everybody."""
    async with transaction(site.world.maker) as session:
        for name in ("admin", "boss", "kim", "viewer"):
            await passwords.put(await accounts.user_named(session, name), PASSWORD, temporary=False)
    return site


async def person(site: Site, name: str) -> User:
    async with site.world.maker() as session:
        return await accounts.user_named(session, name)


async def change(browser: httpx2.AsyncClient, name: str, **fields: str) -> httpx2.Response:
    path = f"/admin/users/{name}"
    return await posted(browser, path, seen_at=path, **fields)


async def test_a_new_person_gets_a_one_time_password_and_must_set_another(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        made = await posted(browser, "/admin/add-user", "/admin/add-user", **NEW, unix_user="choi", slurm_account="lab")
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        (value,) = set(_PASSWORD.findall(made.text))
        page = (await browser.get("/admin/users?q=choi")).text
        assert ("최연구원" in page, "1–1 / 전체 1건" in page, value in page) == (True, True, False)
        again = await posted(browser, "/admin/add-user", "/admin/add-user", **NEW)
        assert (again.status_code, "이미 있는 사용자 이름입니다" in again.text) == (409, True)
    async with house.client() as browser:
        first = await sign_in(browser, "choi", value)
        assert first.headers["location"] == "/account/password"
        assert (await browser.get("/apps")).headers["location"] == "/account/password"
    assert await house.world.actions("choi") == ["user.create", "password.hand_out", "session.begin"]


async def test_everything_wrong_comes_back_at_its_field(house: Site) -> None:
    wrong = (
        ({"username": "Root"}, "username"),
        ({"email": "nowhere"}, "email"),
        ({"role": "owner"}, "role"),
        ({"display_name": "a\u202eb"}, "display_name"),
        ({"unix_user": "choi"}, "unix_user"),
        ({"unix_user": "kim", "slurm_account": "lab"}, "unix_user"),
        ({"unix_user": "choi", "slurm_account": "a b"}, "slurm_account"),
    )
    async with house.client() as browser:
        await sign_in(browser, "admin")
        for fields, place in wrong:
            answer = await posted(browser, "/admin/add-user", "/admin/add-user", **{**NEW, **fields})
            assert answer.status_code in (409, 422), fields
            assert f'href="#f-{place}"' in answer.text, fields
    assert "choi" not in [user.username for user in await house.world.rows(User)]


async def test_a_change_is_audited_and_counts_at_once(house: Site) -> None:
    async with house.client() as browser, house.client() as kim:
        await sign_in(browser, "admin")
        await sign_in(kim, "kim")
        same = {"display_name": "kim", "email": "", "unix_user": "kim", "slurm_account": "lab"}
        done = await change(browser, "kim", **same, role="viewer")
        assert done.headers["location"] == "/admin/users/kim"
        refused = await kim.get("/new-app")
        assert (refused.status_code, "연구원 역할이 필요합니다" in refused.text) == (403, True)
        taken = await change(browser, "kim", **{**same, "unix_user": "park", "display_name": "new"}, role="viewer")
        assert taken.status_code == 409
    kim_now = await person(house, "kim")
    assert (kim_now.role, kim_now.display_name, kim_now.unix_user) == ("viewer", "kim", "kim")
    (row,) = [row for row in await house.world.rows(Audit) if row.action == "user.change"]
    assert (row.actor, row.before["role"], row.after["role"]) == ("admin", "researcher", "viewer")


async def test_the_last_admin_and_oneself_stay(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        for path in ("/admin/users/admin/deactivate", "/admin/users/admin/password"):
            assert (await posted(browser, path)).status_code == 409, path
        own = await change(browser, "admin", display_name="admin", email="", role="viewer")
        assert (own.status_code, (await person(house, "admin")).role) == (409, "admin")
        await posted(browser, "/admin/users/boss/deactivate")
        assert not (await person(house, "boss")).active
        page = (await browser.get("/admin/users/admin")).text
        assert 'aria-disabled="true"' in page
        assert "자기 계정에는 할 수 없습니다." in page


async def test_deactivating_ends_sessions_and_tokens_at_once_and_keeps_the_work(
    house: Site, small: dict[str, Any]
) -> None:
    waiting = await house.world.submit(small)
    async with house.client() as browser, house.client() as kim, house.client("kim") as program:
        await sign_in(browser, "admin")
        await sign_in(kim, "kim")
        assert (await kim.get("/apps")).status_code == 200
        sure = await browser.get("/admin/users/kim/deactivate")
        assert "로그인 세션 1개와 API 토큰 1개가 지금 끝납니다" in sure.text
        assert "대기 중 1건도 취소" in sure.text
        await posted(browser, "/admin/users/kim/deactivate")
        assert (await kim.get("/apps")).headers["location"].startswith("/login")
        assert (await program.get("/api/v1/me")).status_code == 401
        assert "비활성화된 계정입니다" in (await sign_in(kim, "kim")).text
        assert (await house.world.workload(waiting)).cancel_requested_at is None
        await posted(browser, "/admin/users/kim/reactivate")
        assert (await sign_in(kim, "kim")).status_code == 303
        assert (await program.get("/api/v1/me")).status_code == 401, "old tokens stay revoked"
        await posted(browser, "/admin/users/kim/deactivate", cancel_waiting="on")
    assert (await house.world.workload(waiting)).state == State.CANCELLED.value
    actions = await house.world.actions("kim")
    assert [action for action in actions if action.startswith("user.")][1:] == [
        "user.deactivate",
        "user.reactivate",
        "user.deactivate",
    ]


async def test_who_is_no_admin_is_told_the_role_and_who_is_nobody_signs_in(house: Site) -> None:
    pages = [route.path for route in house.app.routes if route.path.startswith("/admin")]
    asked = [
        path.replace("{username:str}", "kim").replace("{token_id:int}", "1").replace("{row_id:int}", "1")
        for path in pages
    ]
    assert len(asked) > 8
    for who in ("kim", "viewer"):
        async with house.client() as browser:
            await sign_in(browser, who)
            for path in asked:
                for answer in (await browser.get(path), await posted(browser, path)):
                    if answer.status_code != 405:
                        assert (answer.status_code, "관리자 역할이 필요합니다" in answer.text) == (403, True), path
            assert 'href="/admin' not in (await browser.get("/")).text
    assert await house.world.actions("kim") == ["user.create", "session.begin"]


async def test_tokens_of_all_are_found_and_ended(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        page = (await browser.get("/admin/tokens?q=park")).text
        (token_id,) = re.findall(r"/admin/tokens/(\d+)/revoke", page)
        assert "park" in (await browser.get(f"/admin/tokens/{token_id}/revoke")).text
        await posted(browser, f"/admin/tokens/{token_id}/revoke")
        assert "조건에 맞는 토큰이 없습니다." in (await browser.get("/admin/tokens?q=park&status=valid")).text
        assert (await browser.get("/admin/tokens/9999/revoke")).status_code == 404
    async with house.client("park") as program:
        assert (await program.get("/api/v1/me")).status_code == 401
    assert [token.user.username for token in await house.world.rows(Token) if token.revoked_at] == ["park"]


async def test_a_missing_association_shows_the_line_to_run(house: Site) -> None:
    kept = house.world.cluster.associations.pop(("kim", "lab"))
    await check_due(house.world.context)
    async with house.client() as browser:
        await sign_in(browser, "admin")
        line = "sacctmgr -i add user name=kim account=lab qos+=one-normal,one-low,one-test"
        for path in ("/admin/slurm?status=no_association", "/admin/users/kim"):
            page = (await browser.get(path)).text
            assert (line in page, "association 없음" in page) == (True, True), path
        house.world.cluster.associations["kim", "lab"] = kept
        asked = await posted(browser, "/admin/slurm/kim/check", back="/admin/users/kim")
        assert asked.headers["location"] == "/admin/users/kim"
        assert "확인 중" in (await browser.get("/admin/users/kim")).text
        await check_due(house.world.context)
        page = (await browser.get("/admin/users/kim")).text
        assert ("확인됨" in page, line in page) == (True, False)


async def test_people_are_paged_in_order(house: Site) -> None:
    async with transaction(house.world.maker) as session:
        (await accounts.user_named(session, "admin")).rows_per_page = 2
    async with house.client() as browser:
        await sign_in(browser, "admin")
        pages = [(await browser.get(f"/admin/users?sort=username&page={number}")).text for number in (1, 2, 3)]
        names = [re.findall(r'href="/admin/users/(\w+)"', page) for page in pages]
        assert names == [["admin", "boss"], ["kim", "park"], ["viewer"]]
        assert "1–2 / 전체 5건" in pages[0]
        for query in ("status=deactivated", "q=%25", "mapping=unknown"):
            assert "조건에 맞는 사용자가 없습니다." in (await browser.get(f"/admin/users?{query}")).text, query


async def test_the_roles_table_is_the_rules(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        page = (await browser.get("/admin/roles")).text
    for text in ("workload:approve", "요청 승인", "공개와 본인 것", "2명"):
        assert text in page, text
