"""P13 and P14 over HTTP: who sees which requests, and a decision only where the gate allows it."""

from __future__ import annotations

import copy
from typing import Any

import httpx2
import pytest

from portal.db.engine import transaction
from portal.services import accounts, passwords
from tests.web.conftest import Site
from tests.web.test_signin import PASSWORD, sign_in, token_in

RISING = [60.0 + 3.0 * number for number in range(10)]


@pytest.fixture
async def gate(site: Site) -> Site:
    """Everybody can sign in."""
    async with transaction(site.world.maker) as session:
        for name in ("admin", "kim", "park", "viewer"):
            await passwords.put(await accounts.user_named(session, name), PASSWORD, temporary=False)
    return site


async def waiting(site: Site, spec: dict[str, Any], **given: Any) -> str:
    """A request that waits for its decision."""
    made = await site.world.submit(spec, **given)
    await site.world.round()
    return made


async def try_out(site: Site, workload_id: str, rewards: list[float]) -> None:
    """A minimal run test with these rewards, to its end."""
    run = await site.world.start_test(workload_id, who="admin")
    for _ in range(3):
        await site.world.round()
    await site.world.play(run, rewards=rewards)
    for _ in range(3):
        await site.world.round()


async def send(browser: httpx2.AsyncClient, address: str, action: str, **fields: str) -> httpx2.Response:
    token = token_in(await browser.get(address))
    return await browser.post(f"{address}/{action}", data={"form_token": token, **fields})


async def test_the_inbox_shows_each_role_what_is_theirs(gate: Site, example: dict[str, Any]) -> None:
    own = await waiting(gate, example, name="kim-1")
    other = await waiting(gate, {**example, "app_id": "APP-PARK"}, who="park", name="park-1")
    for name, seen in (("admin", {own, other}), ("kim", {own})):
        async with gate.client() as browser:
            await sign_in(browser, name)
            page = (await browser.get("/approvals")).text
            assert {one for one in (own, other) if f'id="row-{one}"' in page} == seen
            assert f"승인대기 {len(seen)}" in page
            assert "테스트 미실행" in page
    async with gate.client() as browser:
        await sign_in(browser, "viewer")
        for address in ("/approvals", f"/approvals/{own}"):
            assert (await browser.get(address)).status_code == 403, address
    async with gate.client() as browser:
        await sign_in(browser, "kim")
        assert (await browser.get(f"/approvals/{own}")).status_code == 200
        assert (await browser.get(f"/approvals/{other}")).status_code == 404


async def test_the_tabs_are_filters_and_keep_the_others(gate: Site, example: dict[str, Any]) -> None:
    small = copy.deepcopy(example)
    for component in small["tasks"][0]["components"]:
        component["resources"].update(gpu_count=1, memory="16GB")
    undecided = await waiting(gate, example, name="undecided")
    free = await waiting(gate, {**small, "app_id": "APP-FREE"}, name="free")
    other = copy.deepcopy({**example, "app_id": "APP-PASS"})
    other["tasks"][0]["components"][0]["resources"]["memory"] = "96GB"  # another hash: a test counts for all of one
    passed = await waiting(gate, other, name="passed")
    await try_out(gate, passed, RISING)
    async with gate.client() as browser:
        await sign_in(browser, "admin")

        async def rows(**query: str) -> list[str]:
            page = (await browser.get("/approvals", params=query)).text
            at = {one: page.find(f'id="row-{one}"') for one in (undecided, free, passed)}
            return sorted((one for one in at if at[one] >= 0), key=at.__getitem__)

        assert await rows() == [passed, undecided], "a passed test comes before an older request without one"
        assert await rows(test="pending") == [undecided]
        assert await rows(q="passed") == [passed]
        assert await rows(owner="park") == []
        assert await rows(tab="queued") == []
        assert (await send(browser, f"/approvals/{passed}", "approve", priority="high")).status_code == 303
        assert await rows(tab="approved") == [passed]
        assert await rows(tab="queued") == [passed], "approved and in the queue: it is under both tabs"
        assert set(await rows(tab="all")) == {undecided, free, passed}
        assert "승인을 기다리는 요청이 없습니다." not in (await browser.get("/approvals")).text
        assert "아직 해당하는 요청이 없습니다." in (await browser.get("/approvals?tab=rejected")).text


async def test_nothing_is_approved_without_a_passed_test_of_the_same_hash(gate: Site, example: dict[str, Any]) -> None:
    one = await waiting(gate, example)
    address = f"/approvals/{one}"
    async with gate.client() as browser:
        await sign_in(browser, "admin")
        page = (await browser.get(address)).text
        assert "테스트 필요" in page
        assert 'aria-disabled="true" aria-describedby="why-approve"' in page
        assert 'id="do-approve"' not in page
        refused = await send(browser, address, "approve")
        assert (refused.status_code, "테스트 필요" in refused.text) == (409, True)
        await try_out(gate, one, list(reversed(RISING)))
        page = (await browser.get(address)).text
        assert "테스트 실패: 승인할 수 없습니다" in page
        assert "수렴하지 않음" in page
        assert (await send(browser, address, "approve")).status_code == 409
        await try_out(gate, one, RISING)
        page = (await browser.get(address)).text
        for text in ("수렴 확인됨", "상승 중", "평균 보상", "<one-chart", "loopTest JSON 보기", "이전 테스트 (1)"):
            assert text in page, text
        changed = await send(browser, address, "approve", spec_hash="0" * 64)
        assert (changed.status_code, "요청이 바뀌었습니다." in changed.text) == (409, True)
        assert "요청이 바뀌었습니다." in (await browser.get(f"{address}?seen={'0' * 64}")).text
        current = (await gate.world.workload(one)).spec_hash or ""
        approved = await send(browser, address, "approve", spec_hash=current, priority="high")
        assert (approved.status_code, approved.headers["location"]) == (303, address)
        decided = (await browser.get(address)).text
        assert ("do-approve" in decided, "승인" in decided) == (False, True)
        assert (await send(browser, address, "approve", spec_hash=current)).status_code == 409
    workload = await gate.world.workload(one)
    assert (workload.state, workload.decision, workload.priority) == ("queued", "approved", "high")


async def test_a_rejection_needs_a_reason_and_its_applicant_reads_it(gate: Site, example: dict[str, Any]) -> None:
    one = await waiting(gate, example)
    address = f"/approvals/{one}"
    async with gate.client() as browser:
        await sign_in(browser, "admin")
        for reason in ("", "too short"):
            refused = await send(browser, address, "reject", reason=reason)
            assert refused.status_code == 422
            assert 'id="do-reject" aria-labelledby="reject-title" open' in refused.text
            assert 'aria-invalid="true"' in refused.text
        assert (await gate.world.workload(one)).state == "awaiting_approval"
        reason = "자원 과다: <GPU> 2기로 다시 요청하세요"
        assert (await send(browser, address, "reject", reason=reason)).status_code == 303
    async with gate.client() as browser:
        await sign_in(browser, "kim")
        page = (await browser.get(address)).text
        assert "자원 과다: &lt;GPU&gt; 2기로" in page


async def test_the_test_is_run_from_the_page_within_its_limits(gate: Site, example: dict[str, Any]) -> None:
    one = await waiting(gate, example)
    address = f"/approvals/{one}"
    async with gate.client() as browser:
        await sign_in(browser, "kim")
        page = (await browser.get(address)).text
        assert ("do-test" in page, "do-reject" in page, "관리자가 결정합니다." in page) == (True, False, True)
        for fields in ({"episodes": "9"}, {"episodes": "many"}, {"memory": "much"}, {"gpus": "99"}):
            refused = await send(browser, address, "test", **fields)
            assert refused.status_code == 422, fields
        assert (await send(browser, address, "approve")).status_code == 403
        assert (await send(browser, address, "test", episodes="12", gpus="1", memory="8GB")).status_code == 303
        running = (await browser.get(address)).text
        assert "테스트 실행 중" in running
        assert 'aria-describedby="why-test"' in running
        assert (await send(browser, address, "test")).status_code == 409
    test = (await gate.world.workload(one)).test
    assert test is not None
    assert (test.episodes, {size["memory_mib"] for size in test.size.values()}) == (12, {8192})


async def test_the_page_compares_with_the_last_approved_run(gate: Site, example: dict[str, Any]) -> None:
    first = await waiting(gate, example)
    await try_out(gate, first, RISING)
    await gate.world.approve(first)
    newer = copy.deepcopy(example)
    newer["version"] = "9.0.0"
    newer["tasks"][0]["components"][0]["resources"]["memory"] = "77GB"
    second = await waiting(gate, newer, note="더 크게")
    async with gate.client() as browser:
        await sign_in(browser, "admin")
        page = (await browser.get(f"/approvals/{second}")).text
        assert f'href="/approvals/{first}"' in page
        assert "resources.memory" in page
        for text in ("&#34;77GB&#34;", "더 크게", "같은 GPU를 기다리는 작업 0건.", "실행 계획"):
            assert text in page, text
        assert "비교할 승인된 실행이 아직 없습니다." in (await browser.get(f"/approvals/{first}")).text


async def test_a_general_request_shows_its_runs(gate: Site, example: dict[str, Any]) -> None:
    one = await waiting(gate, example, kind="general")
    await try_out(gate, one, [])
    async with gate.client() as browser:
        await sign_in(browser, "admin")
        page = (await browser.get(f"/approvals/{one}")).text
        for text in ("성공률", "100%", "평균 실행 시간", "0.30s"):
            assert text in page, text
        assert "수렴" not in page.split('id="decision"')[0].split('id="test"')[1]
