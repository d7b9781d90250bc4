"""P2 over HTTP: what needs this person, their runs, and the cluster; each role sees its own."""

from __future__ import annotations

from typing import Any

from portal.db.engine import transaction
from portal.services import accounts, approvals, passwords
from tests.web.conftest import Site
from tests.web.test_signin import PASSWORD, kim, sign_in

__all__ = ["kim"]


async def page_of(site: Site, name: str) -> str:
    """Home as this person gets it."""
    async with transaction(site.world.maker) as session:
        await passwords.put(await accounts.user_named(session, name), PASSWORD, temporary=False)
    async with site.client() as browser:
        await sign_in(browser, name)
        return (await browser.get("/")).text


async def test_nothing_to_do(kim: Site) -> None:
    page = await page_of(kim, "kim")
    for text in ("지금 할 일이 없습니다.", "지난 7일 동안 워크로드가 없습니다.", "A100 16기 중 16기 유휴"):
        assert text in page, text


async def test_a_request_needs_its_applicant_then_the_admin(kim: Site, example: dict[str, Any]) -> None:
    workload_id = await kim.world.submit(example)
    await kim.world.round()
    assert "테스트 필요" in await page_of(kim, "kim")
    admin = await page_of(kim, "admin")
    assert "승인대기 1건" in admin
    assert "테스트 필요" not in admin
    async with transaction(kim.world.maker) as session:
        await approvals.reject(session, kim.world.actors["admin"], workload_id, "자원 과다: 4기까지만 요청하세요")
    page = await page_of(kim, "kim")
    assert "반려됨" in page
    assert "자원 과다" in page
    assert "승인대기 1건" not in await page_of(kim, "admin")


async def test_runs_of_others_are_not_mine_and_a_viewer_sees_models(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await kim.world.submit(small, name="mine")
    await kim.world.round()
    await kim.world.round()
    await kim.world.play(workload_id)
    for _ in range(3):
        await kim.world.round()
    assert f"/workloads/{workload_id}" in await page_of(kim, "kim")
    assert f"/workloads/{workload_id}" not in await page_of(kim, "park")
    viewer = await page_of(kim, "viewer")
    assert "최근 완료된 모델" in viewer
    assert "mine-final" in viewer
    assert "내 워크로드" not in viewer


async def test_a_node_that_takes_no_jobs_is_named_with_its_reason(kim: Site) -> None:
    kim.world.cluster.drained["gpu3"] = "fan"
    await kim.world.round()
    page = await page_of(kim, "admin")
    assert "노드 gpu3이(가) 작업을 받지 않습니다" in page
    assert "fan" in page
    assert "gpu3" not in await page_of(kim, "kim")
