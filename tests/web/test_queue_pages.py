"""P8 over HTTP: the order and its reasons, an admin's changes and their undo, and what others may not touch."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from portal.db.engine import transaction
from portal.db.models import App
from portal.services import accounts, passwords
from slurm.errors import SlurmUnreachable
from tests.web.conftest import Site
from tests.web.test_signin import PASSWORD, sign_in, token_in

_ROW = re.compile(r'<tr id="row-([^"]+)" class="([^"]*)".*?</tr>', re.S)


@pytest.fixture
async def line(site: Site, small: dict[str, Any]) -> tuple[Site, list[str]]:
    """Three workloads of kim that no node takes; everybody can sign in."""
    async with transaction(site.world.maker) as session:
        for name in ("admin", "kim", "park", "viewer"):
            await passwords.put(await accounts.user_named(session, name), PASSWORD, temporary=False)
    site.world.cluster.drained.update(gpu1="x", gpu2="x", gpu3="x")
    ids = [await site.world.submit(small, name=f"run-{number}") for number in range(3)]
    for _ in range(3):
        await site.world.round()
    return site, ids


async def rows(browser: httpx2.AsyncClient, address: str = "/queue") -> dict[str, str]:
    """Row id -> its HTML, in the order of the page."""
    page = await browser.get(address)
    assert page.status_code == 200, page.text
    return {found[1]: found[0] for found in _ROW.finditer(page.text)}


async def change(browser: httpx2.AsyncClient, path: str, **fields: str) -> httpx2.Response:
    token = token_in(await browser.get("/queue"))
    return await browser.post(path, data={"form_token": token, **fields})


def undo_in(page: httpx2.Response) -> str:
    found = re.search(r'class="toast-line".*?action="([^"]+)"', page.text, re.S)
    assert found is not None, page.text
    return html.unescape(found[1])


async def test_the_columns_the_order_and_why(line: tuple[Site, list[str]]) -> None:
    site, ids = line
    async with site.client() as browser:
        await sign_in(browser, "park")
        shown = await rows(browser)
        assert list(shown) == ids
        first = shown[ids[0]]
        for text in ("run-0", "보통", "A100 x 1, 16GB", "CPU ", "대기", "Resources", "계산 전"):
            assert text in first, text
        assert "앞 순서 2건을 기다립니다" in shown[ids[2]]
        assert "data-id" not in "".join(shown.values()), "a researcher has no handles"
        page = (await browser.get("/queue")).text
        for text in ("순서", "워크로드명", "우선순위", "요청 자원", "신청자", "상태", "신청일시", "백필", "유휴 0/16"):
            assert text in page, text


async def test_an_admin_moves_and_takes_back(line: tuple[Site, list[str]]) -> None:
    site, ids = line
    first, second, third = ids
    async with site.client() as browser:
        await sign_in(browser, "admin")
        assert 'aria-keyshortcuts="Alt+ArrowUp Alt+ArrowDown Alt+Home"' in (await rows(browser))[first]
        moved = await change(browser, f"/queue/{third}/place", before=first, back="/queue?page=1")
        assert (moved.status_code, moved.headers["location"]) == (303, f"/queue?page=1#row-{third}")
        page = await browser.get("/queue")
        assert [found[1] for found in _ROW.finditer(page.text)] == [third, first, second], "its new place at once"
        assert "Slurm에 전달 중" in page.text
        assert "순서를 옮겼습니다" in page.text
        undo = undo_in(page)
        await site.world.round()
        await site.world.round()
        assert "Slurm에 전달 중" not in (await browser.get("/queue")).text
        assert (await change(browser, undo)).status_code == 303
        assert list(await rows(browser)) == ids
        await change(browser, f"/queue/{third}/place", top="1")
        assert list(await rows(browser)) == [third, first, second]
        elsewhere = await change(browser, f"/queue/{third}/place", after=second, back="//evil.example")
        assert elsewhere.headers["location"] == f"/queue#row-{third}"


async def test_another_level_is_asked_for_first(line: tuple[Site, list[str]]) -> None:
    site, (first, second, third) = line
    async with site.client() as browser:
        await sign_in(browser, "admin")
        asked = (await browser.get(f"/queue?ask={third}&level=high")).text
        assert "우선순위가 보통에서 높음(으)로 바뀝니다." in asked
        assert (await change(browser, f"/queue/{third}/place", priority="high")).status_code == 303
        page = await browser.get("/queue")
        assert [found[1] for found in _ROW.finditer(page.text)] == [third, first, second]
        await site.world.round()
        leader = (await site.world.workload(third)).attempts[0].jobs[0].leader_id or 0
        assert {job.qos for job in site.world.cluster.components(leader)} == {"one-high"}
        await change(browser, undo_in(page))
        assert list(await rows(browser)) == [first, second, third], "back in its level, and in its place"
        down = await change(browser, f"/queue/{third}/place", priority="high", before=second)
        assert down.status_code == 422, "a neighbour of another level"
        assert (await site.world.workload(third)).priority == "normal", "nothing of it was kept"


async def test_hold_release_and_what_was_changed_in_slurm(line: tuple[Site, list[str]]) -> None:
    site, (first, second, third) = line
    async with site.client() as browser:
        await sign_in(browser, "admin")
        await change(browser, f"/queue/{first}/hold", held="1")
        for _ in range(2):
            await site.world.round()
        held = await rows(browser)
        assert next(iter(held)) == first, "a held one keeps its place although Slurm gives it no priority"
        assert "보류했습니다" in held[first]
        await change(browser, f"/queue/{first}/hold", held="0")
        for _ in range(2):
            await site.world.round()
        leader = (await site.world.workload(second)).attempts[0].jobs[0].leader_id or 0
        for job in site.world.cluster.components(leader):
            job.nice -= 50_000
        for _ in range(2):
            await site.world.round()
        shown = await rows(browser)
        assert list(shown) == [second, first, third]
        assert "Slurm에서 변경됨" in shown[second]
        await change(browser, f"/queue/{second}/place", after=first)
        for _ in range(2):
            await site.world.round()
        shown = await rows(browser)
        assert list(shown) == [first, second, third], "the place that the portal had for it is written again"
        assert "Slurm에서 변경됨" not in shown[second]


async def test_outside_jobs_stand_in_place_and_are_nobodys_to_move(line: tuple[Site, list[str]]) -> None:
    site, ids = line
    mine = site.world.slurm.submissions[0]
    sbatch = replace(mine.components[0], name="train.sh", comment="", nice=mine.components[0].nice - 1000)
    (job,) = site.world.cluster.add(mine, (sbatch,), owner="lee")
    await site.world.round()
    async with site.client() as browser:
        await sign_in(browser, "admin")
        shown = await rows(browser)
        assert list(shown) == [f"slurm-{job.job_id}", *ids]
        outside = shown[f"slurm-{job.job_id}"]
        for text in ("train.sh", "포털 밖 작업", "lee", "qos="):
            assert text in outside, text
        assert "data-id" not in outside
        assert list(await rows(browser, "/queue?external=0")) == ids
        assert list(await rows(browser, "/queue?q=train")) == [f"slurm-{job.job_id}"]
        assert list(await rows(browser, "/queue?gpu=V100")) == [*shown]
        assert list(await rows(browser, "/queue?priority=low")) == []


async def test_who_may_change_nothing(line: tuple[Site, list[str]]) -> None:
    site, ids = line
    for name in ("kim", "viewer"):
        async with site.client() as browser:
            await sign_in(browser, name)
            assert list(await rows(browser)) == ids
            for path in ("place", "hold"):
                assert (await change(browser, f"/queue/{ids[0]}/{path}", top="1")).status_code == 403, name
    async with site.client() as browser:
        await sign_in(browser, "park")
        assert list(await rows(browser, "/queue?scope=mine")) == []


async def test_a_private_workload_of_another_has_no_name(line: tuple[Site, list[str]], small: dict[str, Any]) -> None:
    site, ids = line
    async with transaction(site.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    async with site.client() as browser:
        await sign_in(browser, "park")
        page = (await browser.get("/queue")).text
        assert ("run-0" in page, ids[0] in page, page.count("비공개 워크로드")) == (False, False, 4)


async def test_slurm_away_disables_the_controls(line: tuple[Site, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    site, ids = line

    async def gone() -> None:
        raise SlurmUnreachable("no controller")

    monkeypatch.setattr(site.world.slurm, "snapshot", gone)
    await site.world.round()
    async with site.client() as browser:
        await sign_in(browser, "admin")
        page = (await browser.get("/queue")).text
        assert "Slurm이 돌아오면 바꿀 수 있습니다." in page
        assert ("data-id" in page, "data-key" in page) == (False, False)
        assert list(await rows(browser)) == ids, "the last known order stays"


async def test_other_statuses_are_listed_by_time(line: tuple[Site, list[str]]) -> None:
    site, ids = line
    async with site.client() as browser:
        await sign_in(browser, "viewer")
        assert "이 상태인 워크로드가 없습니다." in (await browser.get("/queue?status=running")).text
        site.world.cluster.drained.clear()
        for _ in range(2):
            await site.world.round()
        running = (await browser.get("/queue?status=running")).text
        assert all(f'href="/workloads/{one}"' in running for one in ids)
        assert "대기 중인 워크로드가 없습니다." in (await browser.get("/queue")).text
