"""W4: a researcher and an administrator at the gate: refused, tested, rejected, corrected, approved."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import apps
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.person import Person
from tests.daemon.world import World

REASON = "자원 과다: 메모리를 144GB로 나눠 다시 요청하세요"
NODES = {"gpu1": "busy", "gpu2": "busy", "gpu3": "busy"}


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_w4_the_gate(person: PersonFactory, portal: Hosted) -> None:
    portal.do(apps.publish(portal.world, "kim", apps.design()))
    kim, admin = person("kim"), person("admin")
    first = _asks(kim, portal, "First", memory="128GB")
    _is_waited_for(kim, admin, portal, first)
    _cannot_be_approved(admin, first)
    _is_tested(kim, portal, first)
    _is_rejected(admin, first)
    _is_told(kim, first)
    second = _asks_again(kim, portal)
    _is_changed_under_the_admin(kim, admin, portal, second)
    general = _is_tested_by_iterations(kim, portal)
    portal.world.cluster.drained |= NODES
    _is_approved(admin, portal, second)
    third = _has_a_test_already(kim, portal)
    _are_under_their_tabs(admin, first=first, second=second, general=general, third=third)


def _asks(kim: Person, portal: Hosted, name: str, *, memory: str) -> str:
    """Step 1: GPU 4 and 128GB reach both thresholds; the box for the test is unticked."""
    kim.open(f"/trainer?app={apps.DESIGN}")
    kim.field("강화학습(RL)|RL").check()
    _type(kim.field("rl-agent GPU 수|GPUs of rl-agent").first, "4")
    _type(kim.field("rl-agent 메모리|Memory of rl-agent").first, memory)
    kim.field("워크로드 이름|Workload name").fill(name)
    panel = kim.page.locator("#outlook")
    expect(panel).to_contain_text(
        kim.say(
            "승인 필요: rl-agent GPU 4 ≥ 4, 메모리 {memory} ≥ 128GB. 최소 실행 테스트를 통과해야 승인됩니다.|"
            "Needs approval: rl-agent GPU 4 ≥ 4, memory {memory} ≥ 128GB. The minimal run test must pass first.",
            memory=memory,
        )
    )
    kim.field("제출하면 바로 최소 실행 테스트 시작|Start the minimal run test on submit").uncheck()
    return _submit(kim, portal)


def _is_waited_for(kim: Person, admin: Person, portal: Hosted, workload_id: str) -> None:
    """Step 1: its state, and the admin's badge without a reload."""
    head = kim.page.locator("#wl-head")
    expect(head).to_contain_text(kim.say("승인대기|Awaiting approval"))
    expect(kim.page.locator(".wl-road")).to_contain_text(kim.say("테스트 미실행|Not run"))
    expect(admin.page.locator("#open-approvals")).to_have_text("1")
    expect(admin.page.locator("#bell-count")).to_contain_text("1")
    admin.open("/approvals")
    row = admin.page.locator(f"#row-{workload_id}")
    expect(row).to_contain_text("rl-agent GPU 4")
    expect(row).to_contain_text(admin.say("테스트 미실행|Not run"))
    row.get_by_role("link", name="First").click()


def _cannot_be_approved(admin: Person, workload_id: str) -> None:
    """Step 1: neither by the button nor by hand."""
    approve = admin.button("승인|Approve", admin.page.locator("#decision"))
    expect(approve).to_have_attribute("aria-disabled", "true")
    expect(approve).to_have_accessible_description(re.compile(admin.say("테스트 필요|Test required")))
    token = admin.page.locator("#do-reject [name=form_token]").input_value()
    digest = admin.page.locator("#do-reject [name=spec_hash]").input_value()
    answer = admin.page.request.post(
        f"/approvals/{workload_id}/approve",
        form={"form_token": token, "spec_hash": digest, "priority": "high"},
        headers={"Origin": re.sub(r"(//[^/]+)/.*", r"\1", admin.page.url)},
    )
    assert answer.status == 409
    assert admin.say("테스트 필요|Test required") in answer.text()


def _is_tested(kim: Person, portal: Hosted, workload_id: str) -> None:
    """Step 2: rewards one by one on the run's page, the verdict and the peak on the request's."""
    kim.link("테스트 실행|Run test").click()
    form = kim.page.locator("form[action$='/actions/test']")
    expect(kim.field("에피소드 수|Episodes", form)).to_have_value("10")
    kim.button("테스트 실행|Run test", form).click()
    expect(kim.page).to_have_url(re.compile(f"/workloads/{workload_id}$"))
    kim.open(f"/approvals/{workload_id}")
    test = kim.page.locator("#test")
    expect(test).to_contain_text(kim.say("테스트 실행 중|Test running"))
    test.get_by_role("link", name=re.compile("W-")).click()
    kim.page.wait_for_url("**/workloads/W-*")
    rewards = kim.page.locator("#chart-reward tbody tr")
    for least in (2, 4):
        portal.until(partial(_episodes, workload_id=workload_id, least=least), seconds=1)
        expect(rewards.nth(least - 1)).to_be_attached()
        assert rewards.count() < 10
    portal.until(lambda world: _has(world, workload_id, test="passed"))

    kim.open(f"/approvals/{workload_id}")
    expect(test).to_contain_text(kim.say("테스트 통과|Test passed"))
    expect(test).to_contain_text(kim.say("수렴 확인됨|Converged"))
    for both in ("평균 보상|Mean reward", "최종 보상|Final reward"):
        expect(test.locator(".figures div").filter(has_text=kim.say(both)).locator("dd")).to_have_text(
            re.compile(r"^\d+(\.\d+)?$")
        )
    expect(test.locator("#rewards svg").first).to_be_visible()
    expect(test.locator("#rewards tbody tr")).to_have_count(10)
    row = kim.page.locator("tr").filter(has_text="TASK-001/CL-REF-002")
    expect(row).to_contain_text("128 GB")
    expect(row).not_to_contain_text(kim.say("측정 안 됨|Not measured"))


def _is_rejected(admin: Person, workload_id: str) -> None:
    """Step 2: not without a reason."""
    admin.open(f"/approvals/{workload_id}")
    admin.link("반려|Reject", admin.page.locator("#decision")).click()
    dialog = admin.page.locator("dialog[open]")
    admin.button("반려|Reject", dialog).click()
    expect(admin.page.locator("#e-reason")).to_contain_text("10")
    reason, quick = admin.field("사유|Reason", dialog), "자원 과다|Too large"
    reason.fill("")
    admin.button(quick, dialog).click()
    expect(reason).to_have_value(f"{admin.say(quick)}: ")
    expect(reason).to_be_focused()
    reason.fill(REASON)
    admin.button("반려|Reject", dialog).click()
    expect(admin.page.locator("#decision")).to_contain_text(REASON)
    expect(admin.page.locator(".page-head")).to_contain_text(admin.say("반려|Rejected"))


def _is_told(kim: Person, workload_id: str) -> None:
    """Step 2: the applicant is told, reads it, and goes on from there."""
    expect(kim.page.locator("#bell-count b")).not_to_have_text("0")
    kim.open("/notifications")
    kim.page.locator("main .notice").filter(has_text=REASON).click()
    expect(kim.page).to_have_url(re.compile(f"/workloads/{workload_id}$"))
    expect(kim.page.locator("#wl-head .wl-why")).to_contain_text(kim.say("반려: {why}|Rejected: {why}", why=REASON))
    kim.link("고쳐서 다시 요청|Fix and request again").click()


def _asks_again(kim: Person, portal: Hosted) -> str:
    """Step 3: other content, tested at once."""
    _type(kim.field("rl-agent 메모리|Memory of rl-agent").first, "144GB")
    kim.field("워크로드 이름|Workload name").fill("Second")
    expect(kim.page.locator("#outlook")).to_contain_text("144GB ≥ 128GB")
    expect(kim.field("제출하면 바로 최소 실행 테스트 시작|Start the minimal run test on submit")).to_be_checked()
    workload_id = _submit(kim, portal)
    portal.until(lambda world: _has(world, workload_id, test="passed"))
    return workload_id


def _is_changed_under_the_admin(kim: Person, admin: Person, portal: Hosted, workload_id: str) -> None:
    """Step 3: the correction voids the test; the admin's open page says so; a new test passes."""
    admin.open(f"/approvals/{workload_id}")
    decision = admin.page.locator("#decision")
    expect(admin.link("승인|Approve", decision)).to_be_visible()
    # The button comes back with the verdict, and moves what stands beside it.
    expect(kim.link("테스트 실행|Run test")).to_be_visible()
    kim.link("요청 수정|Edit request").click()
    kim.sees(
        "저장하면 테스트 결과와 승인 절차가 처음부터 다시 시작됩니다.|Saving voids the test and restarts approval."
    )
    _type(kim.field("rl-agent 메모리|Memory of rl-agent").first, "160GB")
    expect(kim.page.locator("#outlook")).to_contain_text("160GB ≥ 128GB")
    box = kim.field("제출하면 바로 최소 실행 테스트 시작|Start the minimal run test on submit")
    box.uncheck()
    kim.button("수정 저장|Save changes").locator("visible=true").last.click()
    kim.page.wait_for_url("**/workloads/W-*")
    portal.round(only=("resolving",))
    expect(decision).to_contain_text(
        admin.say("요청이 바뀌었습니다. 새 내용을 확인하세요.|The request changed. Review it again.")
    )
    expect(admin.link("승인|Approve", decision)).to_have_count(0)
    admin.link("다시 불러오기|Reload", decision).click()
    expect(admin.page.locator("#test")).to_contain_text(admin.say("무효 (스펙 변경됨)|Void (spec changed)"))

    portal.do(portal.world.start_test(workload_id))
    portal.until(lambda world: _has(world, workload_id, test="passed"))


def _is_tested_by_iterations(kim: Person, portal: Hosted) -> str:
    """Step 3: a general request, five runs."""
    kim.open(f"/trainer?app={apps.DESIGN}")
    kim.field("일반|General").check()
    _type(kim.field("rl-agent GPU 수|GPUs of rl-agent").first, "4")
    kim.field("워크로드 이름|Workload name").fill("General")
    expect(kim.field("제출하면 바로 최소 실행 테스트 시작|Start the minimal run test on submit")).to_be_checked()
    workload_id = _submit(kim, portal)
    portal.until(lambda world: _has(world, workload_id, test="passed"), rounds=200)
    kim.open(f"/approvals/{workload_id}")
    test = kim.page.locator("#test")
    expect(test.locator(".figures")).to_contain_text(re.compile(kim.say("성공률|Success rate") + r"\s*100%"))
    expect(test.locator(".figures")).to_contain_text(re.compile(kim.say("평균 실행 시간|Mean duration") + r"\s*\d"))
    expect(test.locator("tbody tr")).to_have_count(5)
    return workload_id


def _is_approved(admin: Person, portal: Hosted, workload_id: str) -> None:
    """Step 3: with a level, into the queue."""
    admin.open(f"/approvals/{workload_id}")
    admin.link("승인|Approve", admin.page.locator("#decision")).click()
    dialog = admin.page.locator("dialog[open]")
    expect(dialog).to_contain_text("Second")
    expect(dialog).to_contain_text("A100 x 4")
    admin.field("우선순위|Priority", dialog).select_option(label=admin.say("높음|High"))
    admin.button("승인|Approve", dialog).click()
    expect(admin.page.locator(".page-head")).to_contain_text(admin.say("대기|Queued"))
    workload = portal.do(portal.world.workload(workload_id))
    assert (workload.state, workload.priority) == ("queued", "high")


def _has_a_test_already(kim: Person, portal: Hosted) -> str:
    """Step 3, D14: the same content as the second has its test attached."""
    workload_id = _asks(kim, portal, "Third", memory="160GB")
    kim.open(f"/approvals/{workload_id}")
    test = kim.page.locator("#test")
    expect(test).to_contain_text(kim.say("테스트 통과|Test passed"))
    expect(test).to_contain_text(kim.say("첨부됨|Attached"))
    return workload_id


def _are_under_their_tabs(admin: Person, *, first: str, second: str, general: str, third: str) -> None:
    """Step 3, D2."""
    tabs = {
        "승인대기|Awaiting approval": {general, third},
        "승인|Approved": {second},
        "반려|Rejected": {first},
        "대기|Queued": {second},
    }
    for both, wanted in tabs.items():
        admin.open("/approvals")
        admin.link(f"{both.replace('|', f' {len(wanted)}|')} {len(wanted)}").click()
        expect(admin.page.locator(".nav-tabs [aria-current=page]")).to_contain_text(admin.say(both))
        expect(admin.page.locator("#rows tbody tr")).to_have_count(len(wanted))
        found = admin.page.locator("#rows tbody tr").evaluate_all("all => all.map(row => row.id.slice(4))")
        assert set(found) == wanted, both


def _submit(kim: Person, portal: Hosted) -> str:
    kim.button("학습 요청 제출|Submit training request").locator("visible=true").last.click()
    kim.page.wait_for_url("**/workloads/W-*")
    portal.round(only=("resolving",))
    return kim.page.url.rpartition("/")[2]


def _type(field: Locator, value: str) -> None:
    field.fill(value)
    field.press("Tab")


async def _has(world: World, workload_id: str, *, test: str) -> bool:
    found = (await world.workload(workload_id)).test
    return found is not None and found.status == test


async def _episodes(world: World, workload_id: str, least: int) -> bool:
    """Whether the running test has told that many rewards."""
    test = (await world.workload(workload_id)).test
    run = await world.workload(test.run_id) if test else None
    if run is None or not run.attempts:
        return False
    files = Path(run.attempts[-1].run_dir).glob("steps/**/metrics.jsonl")
    return sum(len(path.read_text().splitlines()) for path in files) >= least
