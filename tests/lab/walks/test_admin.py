"""W4, W5, W6, W12 where they need a real cluster: the gate, the queue beside `squeue`, failing nodes, an absent slurmctld."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from lab.commandline import One
from lab.hosts import on, until
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.person import Person
from tests.lab.road_harness import Run, app, component, example, submitted
from tests.lab.test_order import taken
from tests.lab.test_picture import without

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
LONG_MS = 240_000
"""The first run of a fresh lab also converts its images; Slurm looks a few times before it calls a node dead."""
SOON_MS = 10_000
"""A picture of Slurm is taken every few seconds."""
PATIENCE_S = 60.0
REASON = "자원 과다: 메모리를 3GB로 나눠 다시 요청하세요"


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_the_gate_with_a_real_test_run(person: PersonFactory, kim: One, language: str) -> None:
    """W4: not before its test; tested on Slurm; rejected with a reason; asked again, approved as High, which is its QOS."""
    spec = _large()
    kim.told("apps", spec)
    asks, decides = person("kim", dark=language == "en"), person("admin", dark=language == "en")
    first = _asks(asks, spec)
    _cannot_be_approved(decides, first)
    _is_tested(asks, first)
    _is_rejected(decides, first)
    second = _asks_again(asks, first)
    run = Run(kim, second)
    with taken("gpu1", "gpu2"):
        _is_approved(decides, second)
        squeue = ("squeue", "--noheader", "--format=%q", f"--jobs={','.join(map(str, run.component_ids()))}")
        until("it waits as High", lambda: set(on("ctl", *squeue).split()) == {"one-high"}, timeout_s=PATIENCE_S)
        kim.text("cancel", second)
        run.reaches("cancelled")


def _large() -> dict[str, Any]:
    """The example's first three components; the agent asks for 4 GPUs, which needs an approval.

    One parameter is never the same: the test of an equal request would be attached to it.
    """
    spec = example("rl-design-opt")
    task = spec["tasks"][0]
    task["components"], task["workflow"] = task["components"][:3], task["workflow"][:2]
    for part, gpus in zip(task["components"], (1, 4, 0), strict=True):
        gpu = {"gpu_type": "A100", "gpu_count": gpus} if gpus else {}
        part["resources"] = {"memory": "1GB", **gpu}
    task["components"][1]["params"]["mark"] = spec["app_id"]
    return {**spec, "name": f"Gate-{spec['app_id'][-6:]}", "tasks": [task], "imported_apps": []}


def _asks(kim: Person, spec: dict[str, Any]) -> str:
    """Step 1: without a test for now."""
    kim.open(f"/trainer?app={spec['app_id']}")
    expect(kim.page.locator("#outlook")).to_contain_text("GPU 4 ≥ 4")
    kim.field("제출하면 바로 최소 실행 테스트 시작|Start the minimal run test on submit").uncheck()
    workload = _submits(kim)
    expect(kim.page.locator("#wl-head")).to_contain_text(kim.say("승인대기|Awaiting approval"))
    return workload


def _cannot_be_approved(admin: Person, workload: str) -> None:
    """Step 1: told without a reload, the decision is closed."""
    expect(admin.page.locator("#open-approvals")).not_to_have_text("0")
    admin.open(f"/approvals/{workload}")
    approve = admin.button("승인|Approve", admin.page.locator("#decision"))
    expect(approve).to_have_attribute("aria-disabled", "true")
    expect(approve).to_have_accessible_description(re.compile(admin.say("테스트 필요|Test required")))


def _is_tested(kim: Person, workload: str) -> None:
    """Step 2: ten episodes on Slurm."""
    kim.link("테스트 실행|Run test").click()
    kim.button("테스트 실행|Run test", kim.page.locator("form[action$='/actions/test']")).click()
    expect(kim.page).to_have_url(re.compile(f"/workloads/{workload}$"))
    _has_passed(kim, workload)
    test = kim.page.locator("#test")
    expect(test.locator("#rewards tbody tr")).to_have_count(10)
    for both in ("평균 보상|Mean reward", "최종 보상|Final reward"):
        figure = test.locator(".figures div").filter(has_text=kim.say(both)).locator("dd")
        expect(figure).to_have_text(re.compile(r"^-?\d+(\.\d+)?$"))


def _has_passed(kim: Person, workload: str) -> None:
    kim.open(f"/approvals/{workload}")
    expect(kim.page.locator("#test")).to_contain_text(kim.say("테스트 통과|Test passed"), timeout=LONG_MS)


def _is_rejected(admin: Person, workload: str) -> None:
    """Step 2."""
    admin.open(f"/approvals/{workload}")
    admin.link("반려|Reject", admin.page.locator("#decision")).click()
    dialog = admin.page.locator("dialog[open]")
    admin.field("사유|Reason", dialog).fill(REASON)
    admin.button("반려|Reject", dialog).click()
    expect(admin.page.locator(".page-head")).to_contain_text(admin.say("반려|Rejected"))


def _asks_again(kim: Person, first: str) -> str:
    """Step 3: the applicant reads why, asks for something else, and it is tested at once."""
    kim.open(f"/workloads/{first}")
    expect(kim.page.locator("#wl-head .wl-why")).to_contain_text(REASON)
    kim.link("고쳐서 다시 요청|Fix and request again").click()
    memory = kim.field("rl-agent 메모리|Memory of rl-agent").first
    memory.fill("3GB")
    memory.press("Tab")
    second = _submits(kim)
    assert second != first
    _has_passed(kim, second)
    return second


def _is_approved(admin: Person, workload: str) -> None:
    """Step 3."""
    admin.open(f"/approvals/{workload}")
    admin.link("승인|Approve", admin.page.locator("#decision")).click()
    dialog = admin.page.locator("dialog[open]")
    admin.field("우선순위|Priority", dialog).select_option(label=admin.say("높음|High"))
    admin.button("승인|Approve", dialog).click()
    expect(admin.page.locator(".page-head")).to_contain_text(re.compile(admin.say("대기|실행") + "|Queued|Running"))


def _submits(kim: Person) -> str:
    kim.button("학습 요청 제출|Submit training request").locator("visible=true").last.click()
    kim.page.wait_for_url("**/workloads/W-*")
    return kim.page.url.rpartition("/")[2]


@pytest.mark.parametrize("language", ["ko"], scope="module")
def test_the_queue_is_ordered_beside_squeue(person: PersonFactory, kim: One, tmp_path: Path) -> None:
    """W5: what is dragged is moved in Slurm, on every component; scontrol is seen; the first starts when GPUs are free."""
    mark = secrets.token_hex(2)
    with taken("gpu1", "gpu2"):
        runs = {name: _waits(kim, f"{name}-{mark}", tmp_path) for name in ("One", "Two", "Three")}
        admin = person("admin")
        admin.open("/queue")
        _stands(admin, runs, "One", "Two", "Three", mark=mark)
        _row(admin, f"Three-{mark}").locator(".grip").drag_to(
            _row(admin, f"Two-{mark}").locator(".asks"), target_position={"x": 20, "y": 4}
        )
        _stands(admin, runs, "One", "Three", "Two", mark=mark)
        admin.button("되돌리기|Undo", admin.page.locator("#toasts")).click()
        _stands(admin, runs, "One", "Two", "Three", mark=mark)
        _row(admin, f"Two-{mark}").focus()
        admin.page.keyboard.press("Alt+ArrowUp")
        _stands(admin, runs, "Two", "One", "Three", mark=mark)
        leader = runs["One"].leaders()[0]
        on("ctl", "scontrol", "update", f"jobid={leader}", "nice=500000")
        admin.page.mouse.move(5, 5)
        outside = re.compile(r"Slurm에서 변경됨 \(.+\)")
        expect(_row(admin, f"One-{mark}").locator(".reason")).to_contain_text(outside, timeout=2 * SOON_MS)
    runs["Two"].reaches("running", "saving", "completed")
    for run in runs.values():
        kim.run("cancel", run.id)


def _waits(one: One, name: str, folder: Path) -> Run:
    """A hetjob of two components that each fill a node, waiting in Slurm."""
    whole: dict[str, Any] = {"gpu_type": "A100", "gpu_count": 3, "cpus": 32}
    first = component("A-001", "import time; time.sleep(60)", **whole)
    second = component("B-001", "import time; time.sleep(60)", **whole)
    run = submitted(one, app(first, second, edges=[("A-001", "B-001")], when="started"), folder, "--name", name)
    run.is_pending()
    return run


def _stands(admin: Person, runs: dict[str, Run], *names: str, mark: str) -> None:
    """The page has this order, and so has Slurm on every component."""
    links = admin.page.locator("tr[data-id] a.name").filter(has_text=mark)
    expect(links).to_have_text([f"{name}-{mark}" for name in names], timeout=SOON_MS)
    squeue = ("squeue", "--noheader", "--format=%Q", "--jobs")

    def same() -> bool:
        places = {name: on("ctl", *squeue, ",".join(map(str, runs[name].component_ids()))).split() for name in names}
        ranks = [{int(place) for place in places[name]} for name in names]
        return all(len(rank) == 1 for rank in ranks) and [max(rank) for rank in ranks] == sorted(
            (max(rank) for rank in ranks), reverse=True
        )

    until(f"squeue has the order {names}", same, timeout_s=PATIENCE_S)


def _row(admin: Person, name: str) -> Locator:
    return admin.page.locator("tr[data-id]").filter(has=admin.page.get_by_role("link", name=name, exact=True))


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_nodes_fail_and_the_open_page_says_so(person: PersonFactory, width: int) -> None:
    """W6: drained and killed while somebody looks; the figures are scontrol's."""
    admin = person("admin", dark=width == PHONE)
    admin.open("/resources")
    row = admin.page.locator(".resource-table tbody tr").filter(has_text="GPU (A100)")
    expect(row).to_contain_text(admin.say("모의 GPU|Fake GPU"))
    expect(row.locator("td:nth-child(2) b").first).to_have_text(str(_gpus("A100")))
    admin.open("/resources?tab=nodes")
    nodes = admin.page.locator("main tbody tr")
    on("ctl", "scontrol", "update", "nodename=gpu2", "state=drain", "reason=fan")
    try:
        expect(nodes.filter(has_text="gpu2")).to_contain_text(
            re.compile(r"Drain[\s\S]*fan[\s\S]*root"), timeout=SOON_MS
        )
        with without("gpu3", "slurmd"):
            expect(nodes.filter(has_text="gpu3")).to_contain_text("Down", timeout=LONG_MS)
    finally:
        on("ctl", "scontrol", "update", "nodename=gpu2", "state=resume")
    for name in ("gpu2", "gpu3"):
        expect(nodes.filter(has_text=name)).to_contain_text("Active", timeout=LONG_MS)


def _gpus(kind: str) -> int:
    """All GPUs of a type that Slurm has, whatever their nodes are doing."""
    shown = on("ctl", "scontrol", "show", "node", "--oneliner")
    return sum(int(count) for count in re.findall(rf"\bGres=\S*gpu:{kind}:(\d+)", shown))


@pytest.mark.parametrize(("language", "width"), [("en", PHONE)], scope="module")
def test_slurmctld_is_away_and_what_is_submitted_meanwhile_goes_on(person: PersonFactory, kim: One) -> None:
    """W12, step 2, on a phone in the dark."""
    spec = app(component("A-001", "import time; time.sleep(2)"))
    kim.told("apps", spec)
    admin, asks = person("admin", dark=True), person("kim", dark=True)
    with without("ctl", "slurmctld"):
        admin.open("/resources")
        until("the portal knows", lambda: kim.asked("nodes")["unreachableSince"], timeout_s=PATIENCE_S)
        admin.page.wait_for_timeout(3_000)  # the frame's glance is two seconds old at most
        for path in ("/", "/apps", "/workloads", "/queue", "/resources", "/models", "/account"):
            admin.open(path)
            expect(admin.page.locator(".banner")).to_contain_text("Slurm is unreachable (since")
        asks.open(f"/trainer?app={spec['app_id']}")
        expect(asks.page.locator("#outlook")).to_contain_text("It will be passed on when Slurm is back.")
        workload = _submits(asks)
        expect(asks.page.locator("#wl-head")).to_contain_text("Queued")
    expect(asks.page.locator("#wl-head .st")).to_contain_text("Completed", timeout=LONG_MS)
    (job,) = Run(kim, workload).now()["slurmJobs"]
    accounted = on("ctl", "sacct", "--noheader", "--allocations", f"--name={job['name']}", "--format=JobID").split()
    assert accounted == [str(job["jobId"])]
