"""W3: a researcher asks for a small training, watches it from the queue to its model, and finds it in the history."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from portal.db.models import Workload
from tests.browser import apps
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.person import Person
from tests.daemon.world import World

NAME = "RL-DesignOpt-v1-v1"
HOLDER = "rl-agent"


@pytest.mark.parametrize("width", [WIDE, PHONE], scope="module")
def test_w3_a_researcher_runs_a_small_training(person: PersonFactory, portal: Hosted) -> None:
    portal.do(apps.publish(portal.world, "kim", apps.design()))
    kim = person("kim")
    kim.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _has_a_draft_too(kim)
    _chooses_the_app(kim)
    _changes_resources(kim)
    _writes_the_environment(kim)
    _reads_what_will_happen(kim)
    workload_id = _submits_twice(kim, portal)
    _waits(kim, portal)
    _watches_it_run(kim, portal, workload_id)
    _asks_slurm(kim, portal, workload_id)
    _sees_it_end(kim, portal, workload_id)


def _has_a_draft_too(kim: Person) -> None:
    """An App that is not ready."""
    kim.open("/new-app")
    kim.field("이름|Name").fill("Not-Ready-Yet")
    kim.button("만들고 Builder 열기|Create and open the Builder").click()
    kim.page.wait_for_url("**/builder**")


def _chooses_the_app(kim: Person) -> None:
    """Step 1."""
    kim.open("/trainer")
    main = kim.page.locator("main")
    expect(main.get_by_role("link", name="RL-DesignOpt-v1")).to_be_visible()
    expect(main).not_to_contain_text("Not-Ready-Yet")
    main.get_by_role("link", name="RL-DesignOpt-v1").click()
    expect(_top(kim, "gpu_type")).to_have_value("A100")
    expect(_top(kim, "gpus")).to_have_value("2")
    expect(_top(kim, "memory")).to_have_value("64GB")
    kim.field("강화학습(RL)|RL").check()  # the App has no training_config: D8 presets 일반
    for both, value in (
        ("에피소드 수|Episodes", "1000"),
        ("학습률|Learning rate", "0.001"),
        ("배치 크기|Batch size", "64"),
        ("감가율(gamma)|Discount (gamma)", "0.99"),
        ("최대 스텝/에피소드|Max steps per episode", "500"),
    ):
        expect(kim.field(both)).to_have_value(value)


def _changes_resources(kim: Person) -> None:
    """Step 1, D4: the top line is the table's maximum."""
    _set(_top(kim, "gpus"), "3")
    _has_gpus(kim, env=1, holder=3)
    row = kim.page.locator("tr").filter(has_text=HOLDER)
    expect(row).to_contain_text(kim.say("변경됨|Changed"))
    _set(_gpus(kim, "env-simulator"), "2")
    _has_gpus(kim, env=2, holder=3)
    expect(_top(kim, "gpus")).to_have_value("3")
    _set(_top(kim, "gpus"), "1")
    _has_gpus(kim, env=1, holder=1)
    kim.button(f"{HOLDER} 값을 App 값으로|Reset {HOLDER} to the App's values").click()
    _has_gpus(kim, env=1, holder=2)
    expect(_top(kim, "gpus")).to_have_value("2")
    expect(row).not_to_contain_text(kim.say("변경됨|Changed"))


def _writes_the_environment(kim: Person) -> None:
    """Step 2, form."""
    config = kim.page.locator("#f-env_config")
    config.fill('{"a":1,}')
    error = kim.page.locator("#e-env_config")
    expect(error).to_contain_text(re.compile(kim.say(r"1행 \d+열|Line 1, column \d+")))
    config.fill('{"a":1}')
    expect(error).to_have_count(0)
    seed = kim.field("시뮬레이션 시드|Simulation seed")
    _set(seed, "42")
    expect(config).to_have_value(re.compile(r'"simulation_seed": ?42'))
    assert json.loads(config.input_value()) == {"a": 1, "simulation_seed": 42}

    kim.button("행 추가|Add a row").click()
    reward = kim.page.locator("fieldset").filter(has_text=kim.say("보상 파라미터|Reward parameters"))
    reward.locator("input").nth(0).fill("efficiency_weight")
    _set(reward.locator("input").nth(1), "0.6")
    kim.button("조건 추가|Add a condition").click()
    goal = kim.page.locator("fieldset").filter(has_text=kim.say("목표 조건|Goal conditions"))
    kim.field("지표|Metric", goal).fill("reward")
    expect(kim.field("비교|Comparison", goal)).to_have_value(">=")
    expect(goal.locator("option:checked")).to_have_text("≥")
    goal.locator("[name^=goal-value]").fill("90")
    _set(goal.locator("[name^=goal-episodes]"), "5")
    expect(reward).to_contain_text("0.6")


def _reads_what_will_happen(kim: Person) -> None:
    """Step 2, panel: plan, approval, fit, wait."""
    panel = kim.page.locator("#outlook")
    for both in (
        "제출하면 이렇게 됩니다|What will happen",
        "실행 계획|Plan",
        "승인 불필요: 모든 컴포넌트가 임계치 미만이라 바로 대기열에 들어갑니다.|"
        "Not needed: every component is under the threshold, so it is queued at once.",
        "지금 바로 들어감|Fits now",
        "예상 대기|Expected wait",
        "추정할 기록이 부족합니다|Not enough history",
    ):
        expect(panel).to_contain_text(kim.say(both))
    expect(panel).to_contain_text("A100 x 2")


def _submits_twice(kim: Person, portal: Hosted) -> str:
    """Step 2: one workload."""
    buttons = kim.button("학습 요청 제출|Submit training request").locator("visible=true")
    buttons.last.dblclick()
    kim.page.wait_for_url("**/workloads/W-*")
    rows = portal.do(portal.world.rows(Workload))
    assert [row.name for row in rows] == [NAME]
    workload_id: str = rows[0].id
    kim.sees("{id} 제출됨|{id} submitted", id=workload_id)
    return workload_id


def _waits(kim: Person, portal: Hosted) -> None:
    """Step 3, before it runs; the page is never loaded again."""
    kim.page.evaluate("window.never_reloaded = true")
    head = kim.page.locator("#wl-head")
    portal.world.cluster.drained |= {"gpu1": "busy", "gpu2": "busy"}
    portal.round(only=("resolving",))
    expect(head).to_contain_text(kim.say("대기|Queued"))
    expect(head).to_contain_text(kim.say("이미지 준비 중|Preparing images"))
    portal.round(2)
    expect(head).to_contain_text(kim.say("자원 대기 중|Waiting for resources"))
    portal.world.cluster.drained.clear()
    portal.round(2, seconds=2)
    expect(head).to_contain_text(kim.say("실행 중|Running"))
    assert kim.page.title() == kim.say("실행 중 {name} – OnE|Running {name} – OnE", name=NAME)
    assert kim.page.evaluate("window.never_reloaded") is True


def _watches_it_run(kim: Person, portal: Hosted, workload_id: str) -> None:
    """Step 3, while it runs: graph, logs, chart."""
    page = kim.page
    _tab(kim, "그래프|Graph")
    steps = page.locator("#wl-body table tbody tr")
    expect(steps.filter(has_text="env-simulator")).to_contain_text(kim.say("실행 중|Running"))
    expect(steps.filter(has_text=HOLDER)).to_contain_text(kim.say("시작 전|Not started"))
    portal.until(lambda world: _said(world, workload_id, HOLDER))
    expect(steps.filter(has_text="env-simulator")).to_contain_text(kim.say("완료|Completed"))
    expect(steps.filter(has_text=HOLDER)).to_contain_text(kim.say("실행 중|Running"))

    _tab(kim, "로그|Logs")
    log = page.locator("one-log .log")
    expect(log).to_contain_text("env-simulator")
    lines = log.locator(".log-line").count()
    portal.round(2, seconds=10)
    expect(log.locator(".log-line").nth(lines)).to_be_attached()
    page.locator(".wl-log-nav").get_by_role("link", name=HOLDER).click()
    expect(page.locator(".wl-log-nav [aria-current=true]")).to_contain_text(HOLDER)
    expect(log.locator(".log-line").first).to_be_visible()
    expect(log).not_to_contain_text("env-simulator")

    _tab(kim, "개요|Overview")
    expect(page.locator("#chart-reward")).to_be_visible()
    episode = page.locator(".wl-progress progress")
    before = int(episode.get_attribute("value") or 0)
    portal.round(2, seconds=10)
    page.wait_for_function(
        "before => Number(document.querySelector('.wl-progress progress').getAttribute('value')) > before", arg=before
    )


def _asks_slurm(kim: Person, portal: Hosted, workload_id: str) -> None:
    """Step 3, Slurm tab. There is no `sacct` here: the command is copied, its facts are asked of the simulated accounting."""
    _tab(kim, "Slurm")
    command = kim.page.locator(".wl-commands li").filter(has_text="sacct")
    command.get_by_role("button").click()
    copied = kim.page.evaluate("navigator.clipboard.readText()")
    workload = portal.do(portal.world.workload(workload_id))
    (job,) = workload.attempts[-1].jobs
    assert copied == f"sacct -j {job.leader_id} --format=JobID,JobName,State,ExitCode,Elapsed,AllocTRES%60"
    rows = portal.do(portal.world.slurm.accounting(job.component_ids))
    assert {row.user for row in rows} == {"kim"}
    assert sum(row.alloc_tres.get("gres/gpu:a100", 0) for row in rows) == 2


def _sees_it_end(kim: Person, portal: Hosted, workload_id: str) -> None:
    """Step 3, the end: saved, model, log, history."""
    _tab(kim, "개요|Overview")
    head = kim.page.locator("#wl-head")
    kim.page.evaluate("window.never_reloaded = true")
    for _ in range(40):
        if portal.do(portal.world.workload(workload_id)).state == "saving":
            break
        portal.round(only=("control",), seconds=10)
    expect(head).to_contain_text(kim.say("결과 저장 중|Saving results"))
    portal.round(2)
    expect(head).to_contain_text(kim.say("완료|Completed"))
    model = kim.page.locator("#wl-body").get_by_role("link", name=f"{NAME}-final v1")
    expect(model).to_be_visible()
    assert kim.page.evaluate("window.never_reloaded") is True

    _tab(kim, "로그|Logs")
    expect(kim.page.locator("one-log .log")).to_contain_text("reward-calc")
    _tab(kim, "개요|Overview")
    model.click()
    expect(kim.page.get_by_role("heading", level=1)).to_have_text(f"{NAME}-final")
    kim.open("/trainer")
    kim.link("학습 이력|Training history").click()
    row = kim.page.locator("#rows tbody tr").filter(has_text=NAME)
    expect(row).to_contain_text(kim.say("완료|Completed"))


def _top(kim: Person, part: str) -> Locator:
    return kim.page.locator(f"#f-top-{part}")


def _gpus(kim: Person, name: str) -> Locator:
    return kim.field(f"{name} GPU 수|GPUs of {name}")


def _has_gpus(kim: Person, *, env: int, holder: int) -> None:
    expect(_gpus(kim, HOLDER)).to_have_value(str(holder))
    expect(_gpus(kim, "env-simulator")).to_have_value(str(env))


def _set(field: Locator, value: str) -> None:
    """Type it and leave the field; the server sets the rest right."""
    field.fill(value)
    field.press("Tab")


def _tab(kim: Person, both: str) -> None:
    kim.page.locator(".wl-tabs").get_by_role("link", name=kim.say(both)).click()


async def _said(world: World, workload_id: str, name: str) -> bool:
    """Whether the component of this name has reported a reward."""
    run_dir = Path((await world.workload(workload_id)).attempts[-1].run_dir)
    node = f"CL-REF-00{apps.NAMES.index(name) + 1}"
    return any(path.stat().st_size for path in run_dir.glob(f"steps/*/{node}/**/metrics.jsonl"))
