"""P22 over HTTP: found by every filter, old and new shown, a page after a row, and taken as a file that is itself audited."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from portal.daemon import auditing
from portal.db.engine import transaction
from portal.db.models import Audit, AuditSeal
from portal.services import accounts, auditlog
from portal.services.accounts import Role
from portal.services.audit import Action, record
from portal.web.labels import ACTION
from portal.web.pages import auditlog as pages_auditlog
from tests.daemon.world import ADMIN_TOOL
from tests.web.conftest import Site
from tests.web.test_account_pages import posted
from tests.web.test_admin_users import house
from tests.web.test_signin import sign_in

__all__ = ["house"]
_ROW = re.compile(r'href="/admin/audit/(\d+)"><time')


async def changed(site: Site) -> None:
    async with transaction(site.world.maker) as session:
        await accounts.change_user(session, ADMIN_TOOL, "kim", role=Role.VIEWER, email="kim@lab.example")


async def rows(browser: httpx2.AsyncClient, **query: str) -> list[int]:
    page = await browser.get("/admin/audit", params=query)
    assert page.status_code == 200
    return [int(found) for found in _ROW.findall(page.text)]


async def test_old_and_new_are_shown_and_every_filter_filters(house: Site) -> None:
    await changed(house)
    wanted = [row.id for row in await house.world.rows(Audit) if row.action == "user.change"]
    async with house.client() as browser:
        await sign_in(browser, "admin")
        page = (await browser.get("/admin/audit?object=user:kim")).text
        for expected in (
            "<del>researcher</del> → <ins>viewer</ins>",
            "<ins>kim@lab.example</ins>",
            "사용자 변경",
            "portal-admin",
        ):
            assert expected in page, expected
        assert 'href="/admin/users/kim"' in page
        for query in (
            {"action": "user.change"},
            {"object": "kim", "actor": "portal-admin", "q": "viewer"},
            {"q": "kim@lab", "result": "ok", "from": "2020-01-01", "to": "2099-01-01"},
        ):
            assert set(wanted) <= set(await rows(browser, **query)), query
        for query in (
            {"to": "2020-01-01"},
            {"from": "2099-01-01"},
            {"q": "%"},
            {"object": "app:kim"},
            {"result": "failed"},
        ):
            assert await rows(browser, **query) == [], query
        assert len(await rows(browser, action="nonsense", **{"from": "yesterday"})) > 5, (
            "what is unknown filters nothing"
        )
        whole = (await browser.get(f"/admin/audit/{wanted[0]}")).text
        assert "&#34;role&#34;: &#34;researcher&#34;" in whole
        assert (await browser.get("/admin/audit/999999")).status_code == 404


async def test_refused_sign_ins_are_there(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "kim", "wrong-password-1")
        await sign_in(browser, "admin")
        assert len(await rows(browser, result="refused", object="user:kim", action="session.begin")) == 1


async def test_pages_neither_skip_nor_repeat_while_rows_are_added(house: Site) -> None:
    async with transaction(house.world.maker) as session:
        for number in range(2 * auditlog.PAGE + 5):
            record(session, ADMIN_TOOL, Action.USER_CHANGE, "user", f"many-{number}")
    async with house.client() as browser:
        await sign_in(browser, "admin")
        seen: list[int] = []
        path = "/admin/audit?q=many-"
        while path:
            page = (await browser.get(path)).text
            seen += [int(found) for found in _ROW.findall(page)]
            link = re.search(r'rel="next" href="([^"]+)"', page)
            path = link.group(1).replace("&amp;", "&") if link else ""
            async with transaction(house.world.maker) as session:
                record(session, ADMIN_TOOL, Action.USER_CHANGE, "user", "many-late")
        assert (len(seen), seen) == (2 * auditlog.PAGE + 5, sorted(set(seen), reverse=True))
        newer = re.search(r'rel="prev" href="([^"]+)"', page)
        assert newer is not None
        back = (await browser.get(newer.group(1).replace("&amp;", "&"))).text
        assert [int(found) for found in _ROW.findall(back)] == seen[auditlog.PAGE : 2 * auditlog.PAGE]


async def test_a_file_holds_the_filtered_rows_and_is_audited(house: Site) -> None:
    await changed(house)
    async with transaction(house.world.maker) as session:
        record(session, ADMIN_TOOL, Action.USER_CHANGE, "user", "=cmd()")
    async with house.client() as browser:
        await sign_in(browser, "admin")
        answer = await browser.get("/admin/audit/export?action=user.change")
        assert answer.headers["content-disposition"] == 'attachment; filename="one-audit.csv"'
        found = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert [line["object_id"] for line in found] == ["kim", "'=cmd()"]
        assert json.loads(found[0]["before"])["role"] == "researcher"
        as_lines = (await browser.get("/admin/audit/export?action=user.change&format=jsonl")).text.splitlines()
        assert [json.loads(line)["object_id"] for line in as_lines] == ["kim", "=cmd()"]
        page = (await browser.get("/admin/audit?action=audit.export")).text
        assert len(_ROW.findall(page)) == 2
    taken = [row for row in await house.world.rows(Audit) if row.action == "audit.export"]
    assert [(row.actor, row.after["format"], row.after["filter"]) for row in taken] == [
        ("admin", "csv", {"action": "user.change"}),
        ("admin", "jsonl", {"action": "user.change"}),
    ]


def test_every_word_belongs_to_an_action() -> None:
    assert set(ACTION) == {action.value for action in Action}


async def test_the_seals_are_shown_and_a_changed_row_is_named(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        assert "아직 봉인한 기록이 없습니다" in (await browser.get("/admin/audit")).text
        await auditing.keep_log(house.world.context)
        page = (await browser.get("/admin/audit")).text
        assert "온전함" in page
        (first,) = await house.world.rows(AuditSeal)
        assert first.head in page
        async with transaction(house.world.maker) as session:
            await session.execute(text("DROP TRIGGER audit_no_update"))
            await session.execute(text("UPDATE audit SET actor = 'somebody' WHERE id = 1"))
        answer = await posted(browser, "/admin/audit/verify", seen_at="/admin/audit")
        assert answer.headers["location"] == "/admin/audit"
        assert "검증 중" in (await browser.get("/admin/audit")).text
        await auditing.keep_log(house.world.context)
        page = (await browser.get("/admin/audit")).text
        assert ("온전하지 않음" in page, "기록 1의 내용이 봉인된 뒤 바뀌었습니다 (봉인 1)." in page) == (True, True)
        assert "audit.verify" in page


async def test_a_large_log_is_streamed_piece_by_piece(house: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with transaction(house.world.maker) as session:
        for number in range(1200):
            record(session, ADMIN_TOOL, Action.USER_CHANGE, "user", f"many-{number}")
    taken: list[int] = []

    async def watched(pieces: AsyncGenerator[list[Audit], None]) -> AsyncGenerator[bytes, None]:
        async for rows in pieces:
            taken.append(len(rows))
            yield b"".join(f"{row.object_id}\n".encode() for row in rows)

    monkeypatch.setattr(pages_auditlog, "as_jsonl", watched)
    async with house.client() as browser:
        await sign_in(browser, "admin")
        answer = await browser.get("/admin/audit/export?q=many-&format=jsonl")
    assert answer.text.split() == [f"many-{number}" for number in range(1200)]
    assert taken == [auditlog.BATCH, auditlog.BATCH, 200], "never more than a batch in memory"


async def test_things_lead_an_admin_to_their_rows_and_nobody_else(house: Site, small: dict[str, Any]) -> None:
    await house.post("kim", "/apps", small, status=201)
    workload = await house.world.submit(small)
    places = {
        f"/apps/{small['app_id']}": f"app%3A{small['app_id']}",
        f"/workloads/{workload}": f"workload%3A{workload}",
    }
    for name in ("admin", "kim"):
        async with house.client() as browser:
            await sign_in(browser, name)
            for page, wanted in places.items():
                link = f'href="/admin/audit?object={wanted}"'
                assert (link in (await browser.get(page)).text) == (name == "admin"), (name, page)
    async with house.client() as browser:
        await sign_in(browser, "admin")
        assert await rows(browser, object=f"app:{small['app_id']}")
