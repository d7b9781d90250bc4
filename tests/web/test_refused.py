"""Denied attempts leave their row, by page and by API, with who, what, why, address and request id."""

from __future__ import annotations

from typing import Any

from portal.db.models import Audit
from tests.web.conftest import Site
from tests.web.test_account_pages import posted
from tests.web.test_admin_users import house
from tests.web.test_signin import sign_in

__all__ = ["house"]


async def refused(site: Site) -> list[Audit]:
    return [row for row in await site.world.rows(Audit) if row.result == "refused"]


async def test_the_api_refuses_and_writes_it_down_once(site: Site) -> None:
    for _ in range(5):
        await site.post("kim", "/maintenance", {"reason": "x"}, status=403)
    (row,) = await refused(site)
    assert (row.action, row.object_type, row.object_id) == ("request.refused", "request", "POST /api/v1/maintenance")
    assert row.actor.startswith("kim (one_")
    assert row.after is not None
    assert (row.after["code"], row.after["why"]) == ("role_missing", "Not permitted. This needs the admin role.")
    assert row.request_id


async def test_what_a_use_case_refuses_is_written_down_and_nothing_of_it_kept(
    site: Site, small: dict[str, Any]
) -> None:
    await site.post("kim", "/apps", small, status=201)
    await site.post("park", "/workloads", {"spec": {**small, "version": "9.9.9"}}, status=409)
    assert await refused(site) == [], "a conflict is no refusal"


async def test_a_page_refuses_and_writes_it_down(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "kim")
        page = await browser.get("/admin/users?q=x")
        assert page.status_code == 403
        assert "이 작업에는 관리자 역할이 필요합니다" in page.text
        await posted(browser, "/admin/users/park/deactivate", seen_at="/account")
        assert (await browser.get("/events")).status_code != 403
        await browser.post("/apps/APP-X/archive", data={"form_token": "00"})
    told = {(row.actor, row.object_id, (row.after or {}).get("code")) for row in await refused(house)}
    assert told == {
        ("kim", "GET /admin/users", "role_missing"),
        ("kim", "POST /admin/users/park/deactivate", "role_missing"),
        ("kim", "POST /apps/APP-X/archive", "form_token_wrong"),
    }


async def test_an_address_that_no_database_takes_is_written_as_one_that_it_does(site: Site) -> None:
    async with site.client("kim") as client:
        answer = await client.post("/api/v1/users/a%00b%0A/reactivate", json={})
    assert answer.status_code == 403
    (row,) = await refused(site)
    assert row.object_id == "POST /api/v1/users/a\ufffdb\ufffd/reactivate"


async def test_who_is_nobody_leaves_nothing(site: Site) -> None:
    async with site.client(Authorization="Bearer one_wrong") as client:
        for _ in range(3):
            assert (await client.get("/api/v1/users")).status_code == 401
    assert await refused(site) == []
