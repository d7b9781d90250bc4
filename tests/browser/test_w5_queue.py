"""W5: an administrator orders the queue; Slurm's order is the page's, and what scontrol did is shown."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser import apps
from tests.browser.conftest import PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.person import Person
from tests.daemon.world import World

MOMENT = 0.1
"""Seconds of a round: what runs must still run when the walk is over."""
ALL_NODES = {"gpu1": "busy", "gpu2": "busy", "gpu3": "busy"}
OUTSIDE_NICE = 2_000_000_000


def test_w5_an_administrator_orders_the_queue(person: PersonFactory, portal: Hosted) -> None:
    running = _fill(portal)
    ids = _line_up(portal)
    admin, viewer = person("admin"), person("viewer")
    _shows_them(admin, portal, ids)
    _moves_within_a_level(admin, portal, ids)
    _moves_across_levels(admin, portal, ids)
    _holds(admin, portal, ids)
    _is_told_of_scontrol(admin, portal, ids)
    _frees_the_gpus(admin, portal, ids, running)
    _only_looks(viewer)
    _waits_for_slurm(admin, portal)


def _app(name: str, *components: dict[str, Any]) -> dict[str, Any]:
    task = {"task_id": "TASK-001", "name": "work", "components": list(components), "workflow": []}
    return {"app_id": f"APP-{name.upper()}", "name": name, "version": "1.0.0", "tasks": [task]}


def _fill(portal: Hosted) -> str:
    """Step 1: something runs, and no node takes more."""
    busy = apps.component(1, "env-simulator", "env-sim", gpu_type="A100", gpu_count=3, memory="32GB")
    running = portal.do(portal.world.submit(_app("Busy", busy), name="Busy"))
    portal.round(3, seconds=MOMENT)
    assert portal.do(portal.world.workload(running)).state == "running"
    portal.world.cluster.drained |= ALL_NODES
    return running


def _line_up(portal: Hosted) -> dict[str, str]:
    """Step 1: a het job with GPUs, one on V100, one without, and a job that came by sbatch."""
    loader = apps.component(4, "param-opt", "param-opt", memory="32GB", cpus=8)
    wanted = {"Gpu": apps.design(), "Volta": apps.preprocessor(), "Cpu": _app("Cpu", loader)}
    ids = {}
    for name, spec in wanted.items():
        ids[name] = portal.do(portal.world.submit(spec, name=name))
        portal.round(seconds=MOMENT)
    portal.do(_sbatch(portal.world))
    portal.round(2, seconds=MOMENT)
    return ids


async def _sbatch(world: World) -> None:
    """Two whole nodes, behind everything of the portal's."""
    like = world.slurm.submissions[-1]
    wide = replace(
        like.components[0],
        name="train_gnn.sh",
        comment="",
        partition="a100",
        gres="gpu:A100:8",
        nodes=2,
        nice=OUTSIDE_NICE,
    )
    world.cluster.add(like, (wide,), owner="jhlee")


def _shows_them(admin: Person, portal: Hosted, ids: dict[str, str]) -> None:
    """Step 1: columns, what is asked for, why each waits."""
    admin.open("/queue")
    heads = admin.page.locator(".queue-table thead th")
    columns = (
        "순서|Order",
        "워크로드명|Workload name",
        "우선순위|Priority",
        "요청 자원|Requested resources",
        "신청자|Applicant",
        "상태|Status",
        "신청일시|Requested at",
        "이유|Reason",
        "예상 시작|Expected start",
        "대기 시간|Waited",
    )
    assert heads.all_inner_texts()[: len(columns)] == [admin.say(both) for both in columns]
    assert _order(admin) == ["Gpu", "Volta", "Cpu"]
    for name, asks in {"Gpu": "A100 x 2, 64GB", "Volta": "V100 x 1, 32GB", "Cpu": "CPU x 8, 32GB"}.items():
        row = _row(admin, name)
        expect(row.locator(".asks")).to_contain_text(asks)
        expect(row.locator(".who")).to_have_text("김연구원")
        expect(row.locator(".state")).to_contain_text(admin.say("대기|Queued"))
        expect(row.locator(".reason")).to_contain_text(re.compile(r"\S+ \S+ \S+"))
        expect(row.locator(".reason code")).to_have_text(re.compile("Resources|Priority"))
    expect(_row(admin, "Gpu").locator(".reason")).to_contain_text(
        admin.say("A100 2기가 빌 때까지 기다립니다 (지금 유휴 0)|Waiting for 2 A100 (0 idle now)")
    )
    outside = admin.page.locator("tr.outside")
    expect(outside).to_have_count(1)
    for text in ("train_gnn.sh", "jhlee", admin.say("포털 밖 작업|Outside job"), "qos="):
        expect(outside).to_contain_text(text)
    expect(outside.locator(".grip")).to_have_count(0)


def _moves_within_a_level(admin: Person, portal: Hosted, ids: dict[str, str]) -> None:
    """Step 2: the third above the second; undone; the same by keyboard."""
    before = _places(portal, ids)
    _drag(admin, "Cpu", above="Volta")
    expect(admin.page.locator("#toasts")).to_contain_text(admin.say("Cpu 순서를 옮겼습니다|Cpu was moved"))
    assert _order(admin) == ["Gpu", "Cpu", "Volta"]
    expect(_row(admin, "Cpu").locator(".state")).to_contain_text(admin.say("Slurm에 전달 중|Applying to Slurm"))
    portal.round(2, seconds=MOMENT)
    assert _in_slurm(portal, ids) == ["Gpu", "Cpu", "Volta"]
    assert _places(portal, ids)["Cpu"] != before["Cpu"]

    admin.button("되돌리기|Undo", admin.page.locator("#toasts")).click()
    _has_order(admin, "Gpu", "Volta", "Cpu")
    portal.round(2, seconds=MOMENT)
    assert _in_slurm(portal, ids) == ["Gpu", "Volta", "Cpu"]

    _row(admin, "Volta").focus()
    admin.page.keyboard.press("Alt+ArrowUp")
    _has_order(admin, "Volta", "Gpu", "Cpu")
    portal.round(2, seconds=MOMENT)
    assert _in_slurm(portal, ids) == ["Volta", "Gpu", "Cpu"]


def _moves_across_levels(admin: Person, portal: Hosted, ids: dict[str, str]) -> None:
    """Step 2: a level is asked for first; it is the QOS of every component."""
    _menu(admin, "Cpu", "우선순위: 높음|Priority: High")
    _confirms(admin)
    portal.round(2, seconds=MOMENT)
    _has_order(admin, "Cpu", "Volta", "Gpu")
    _away(admin)
    _drag(admin, "Gpu", above="Cpu")
    _confirms(admin)
    _has_order(admin, "Gpu", "Cpu", "Volta")
    portal.round(2, seconds=MOMENT)
    assert len(_components(portal, ids["Gpu"])) == 2
    assert {job.qos for job in _components(portal, ids["Gpu"])} == {"one-high"}
    assert _in_slurm(portal, ids) == ["Gpu", "Cpu", "Volta"]
    admin.button("되돌리기|Undo", admin.page.locator("#toasts")).click()
    _has_order(admin, "Cpu", "Volta", "Gpu")
    portal.round(2, seconds=MOMENT)
    assert {job.qos for job in _components(portal, ids["Gpu"])} == {"one-normal"}
    assert _in_slurm(portal, ids) == ["Cpu", "Volta", "Gpu"]


def _confirms(admin: Person) -> None:
    dialog = admin.page.locator("dialog[open]")
    expect(dialog).to_contain_text(
        admin.say("우선순위가 보통에서 높음(으)로 바뀝니다.|Priority changes from Normal to High.")
    )
    admin.button("바꾸기|Change", dialog).click()


def _holds(admin: Person, portal: Hosted, ids: dict[str, str]) -> None:
    """Step 2: 보류 and 보류 해제."""
    for both, held in (("보류|Hold", True), ("보류 해제|Release", False)):
        _menu(admin, "Volta", both)
        expect(admin.page.locator("#toasts")).to_contain_text("Volta")
        portal.round(2, seconds=MOMENT)
        assert {job.held for job in _components(portal, ids["Volta"])} == {held}
        _away(admin)
        expect(_row(admin, "Volta").locator(".reason code")).to_have_text(
            re.compile("JobHeld" if held else "Resources|Priority")
        )


def _is_told_of_scontrol(admin: Person, portal: Hosted, ids: dict[str, str]) -> None:
    """Step 3. There is no scontrol here: the nice value is changed in the simulated Slurm, as root's command would. That
    Slurm refuses the same to the job's owner is Slurm's own doing and left out."""
    for job in _components(portal, ids["Gpu"]):
        job.nice += 5_000
    portal.round(seconds=MOMENT)
    _away(admin)
    expect(_row(admin, "Gpu").locator(".reason")).to_contain_text(
        re.compile(admin.say(r"Slurm에서 변경됨 \(.+\)|Changed in Slurm \(.+\)")), timeout=10_000
    )


def _frees_the_gpus(admin: Person, portal: Hosted, ids: dict[str, str], running: str) -> None:
    """Step 3: what stands first starts; what ran goes on."""
    portal.world.cluster.drained.pop("gpu3")
    portal.world.cluster.drained.pop("gpu2")
    portal.round(2, seconds=MOMENT)
    states = {name: portal.do(portal.world.workload(one)).state for name, one in ids.items()}
    assert states["Cpu"] == "running", states
    assert portal.do(portal.world.workload(running)).state == "running"
    assert len(portal.do(portal.world.workload(running)).attempts) == 1
    expect(_row(admin, "Cpu")).to_have_count(0)


def _only_looks(viewer: Person) -> None:
    """Step 3: the order, and nothing to change it with."""
    viewer.open("/queue")
    expect(viewer.page.locator(".queue-table .order").first).to_be_visible()
    expect(viewer.page.locator(".grip, tr[draggable], .queue-table .menu")).to_have_count(0)


def _waits_for_slurm(admin: Person, portal: Hosted) -> None:
    """Step 3: without slurmctld the order stands still."""
    portal.world.slurm.outage = "no answer"
    portal.round(seconds=MOMENT)
    _away(admin)
    expect(admin.page.locator("#queue")).to_contain_text(
        admin.say("Slurm이 돌아오면 바꿀 수 있습니다|The order can be changed when Slurm is back")
    )
    expect(admin.page.locator(".grip, tr[draggable], .queue-table .menu")).to_have_count(0)
    portal.world.slurm.outage = ""
    portal.round(seconds=MOMENT)
    admin.page.reload()
    expect(admin.page.locator("tr[draggable]").first).to_be_visible()


def _row(admin: Person, name: str) -> Locator:
    return admin.page.locator("tr[data-id]").filter(has=admin.page.get_by_role("link", name=name, exact=True))


def _order(admin: Person) -> list[str]:
    return admin.page.locator("tr[data-id] a.name").all_inner_texts()


def _has_order(admin: Person, *names: str) -> None:
    expect(admin.page.locator("tr[data-id] a.name")).to_have_text(list(names))


def _drag(admin: Person, name: str, *, above: str) -> None:
    _row(admin, name).locator(".grip").drag_to(_row(admin, above).locator(".asks"), target_position={"x": 20, "y": 4})


def _menu(admin: Person, name: str, both: str) -> None:
    row = _row(admin, name)
    row.locator("summary").click()
    row.locator(".menu-list").get_by_text(admin.say(both), exact=True).click()


def _away(admin: Person) -> None:
    """No row moves under the pointer."""
    admin.page.mouse.move(5, 5)


def _components(portal: Hosted, workload_id: str) -> list[Any]:
    workload = portal.do(portal.world.workload(workload_id))
    return portal.world.cluster.components(workload.attempts[-1].jobs[0].leader_id or 0)


def _places(portal: Hosted, ids: dict[str, str]) -> dict[str, set[tuple[str, int]]]:
    return {name: {(job.qos, job.nice) for job in _components(portal, one)} for name, one in ids.items()}


def _in_slurm(portal: Hosted, ids: dict[str, str]) -> list[str]:
    """`squeue -o "%i %Q %y"` by priority; every component of a job has the same."""
    found = {}
    for name, one in ids.items():
        (found[name],) = {portal.world.cluster.priority(job) for job in _components(portal, one)}
    return sorted(found, key=lambda name: -found[name])
