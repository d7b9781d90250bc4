"""W1, W3 and W8 where they need a real cluster: an App is drawn, trained on Slurm's GPUs, watched, and its model taken."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from lab.commandline import One
from lab.hosts import as_user
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.drawing import Drawing
from tests.browser.person import Person
from tests.lab.road_harness import example, new_id, written

pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.timeout(900)]
HUB = "registry.avatar.io"
PARTS = (
    ("env", "env-sim", "1.0", "A100", "1", (120, 100)),
    ("agent", "rl-agent", "2.0", "A100", "2", (400, 100)),
    ("calc", "reward-calc", "1.0", "", "0", (400, 300)),
)
"""Name, image, tag, GPU type, GPUs, and where it is dropped."""
LONG_MS = 240_000
"""The first run of a fresh lab also converts its images."""
EPISODES = 8000


@pytest.mark.parametrize("language", ["ko"], scope="module")
def test_what_is_drawn_is_what_the_command_line_plans(person: PersonFactory, kim: One, tmp_path: Path) -> None:
    """W1: the registry answers for the images, the drawing becomes a spec file, and `one` plans that file like its own."""
    at_browser, mark = person("kim"), secrets.token_hex(2)
    for name, image, tag, gpu, count, _ in PARTS:
        _registers(at_browser, f"{name}-{mark}", image, tag, gpu, count)
    drawing = _draws(at_browser, mark)
    drawn = _publishes(drawing, tmp_path)
    components = drawn["tasks"][0]["components"]
    assert [part["image"]["tag"] for part in components] == ["1.0", "2.0", "1.0"]
    first, second, third = (part["component_id"] for part in components)
    assert [(edge["from"], edge["to"]) for edge in drawn["tasks"][0]["workflow"]] == [(first, second), (second, third)]
    typed = {**drawn, "app_id": new_id()}
    assert kim.text("plan", written(drawn, tmp_path)) == kim.text("plan", written(typed, tmp_path))


def _registers(kim: Person, name: str, image: str, tag: str, gpu: str, count: str) -> None:
    """Step 1: another tag does not exist at the registry, this one has a digest there."""
    kim.open("/new-component")
    kim.field("이름|Name").fill(name)
    kim.field("레지스트리 주소|Registry address").fill(f"{HUB}/{image}")
    field, state = kim.page.locator("#f-tag"), kim.page.locator("#image-state")
    field.fill("9.9")
    field.blur()
    expect(state).to_contain_text(kim.say("찾을 수 없음|Not found"))
    field.fill(tag)
    field.blur()
    expect(state).to_contain_text("sha256:")
    if gpu:
        kim.page.get_by_label(kim.say("GPU 유형|GPU type")).select_option(gpu)
        kim.field("GPU 수|GPUs").fill(count)
    kim.field("메모리|Memory").fill("1GB")
    kim.button("저장|Save").click()
    expect(kim.page.get_by_role("heading", level=1)).to_have_text(name)


def _draws(kim: Person, mark: str) -> Drawing:
    """Step 2."""
    kim.open("/new-app")
    kim.field("이름|Name").fill(f"Drawn-{mark}")
    kim.button("만들고 Builder 열기|Create and open the Builder").click()
    drawing = Drawing(kim)
    drawing.tab("App 관리|App")
    kim.button("Task 추가|Add Task").click()
    kim.field("Task 이름|Task name").fill("parameter-optimization")
    drawing.tab("Task 편집|Task editor")
    for name, *_, (x, y) in PARTS:
        drawing.drag_from_palette(f"{name}-{mark}", x, y)
    for before, after in (("env", "agent"), ("agent", "calc")):
        drawing.connect(f"{before}-{mark}", f"{after}-{mark}")
    expect(drawing.canvas.locator(".x6-edge")).to_have_count(2)
    drawing.saved()
    return drawing


def _publishes(drawing: Drawing, folder: Path) -> dict[str, Any]:
    """Step 4: the file that the App's page gives away."""
    kim = drawing.person
    kim.button("준비 완료로 발행|Publish as ready").click()
    expect(kim.page.locator("main")).to_contain_text(kim.say("준비 완료|Ready"))
    kim.link("스펙 파일|Spec file").click()
    kim.sees("내용이 이 해시와 같습니다|The content has this hash")
    with kim.page.expect_download() as waiting:
        kim.link("JSON 다운로드|Download JSON").click()
    waiting.value.save_as(folder / "drawn.json")
    document: dict[str, Any] = json.loads((folder / "drawn.json").read_text())
    return document


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_a_training_runs_on_slurm_and_its_model_comes_back(person: PersonFactory, kim: One, language: str) -> None:
    """W3 and W8: one run for two clicks, seen from the queue to its model without a reload, and Slurm says the same."""
    spec = _small()
    kim.told("apps", spec)
    at_browser = person("kim", dark=language == "en")
    workload = _submits(at_browser, spec)
    assert [row["id"] for row in kim.asked(f"workloads?app={spec['app_id']}")["items"]] == [workload]
    _runs(at_browser)
    _is_slurms(at_browser, kim, workload)
    _ends_with_a_model(at_browser)
    _takes_it(at_browser)


def _small() -> dict[str, Any]:
    """The example's first three components below the thresholds of approval, under ids and a name of its own."""
    spec = example("rl-design-opt")
    task = spec["tasks"][0]
    task["components"] = task["components"][:3]
    task["workflow"] = task["workflow"][:2]
    for part, gpus in zip(task["components"], (1, 2, 0), strict=True):
        gpu = {"gpu_type": "A100", "gpu_count": gpus} if gpus else {}
        part["resources"] = {"memory": "1GB", **gpu}
    return {**spec, "name": f"Walk-{spec['app_id'][-6:]}", "tasks": [task], "imported_apps": []}


def _submits(kim: Person, spec: dict[str, Any]) -> str:
    """W3, steps 1 and 2."""
    kim.open(f"/trainer?app={spec['app_id']}")
    kim.field("에피소드 수|Episodes").fill(str(EPISODES))
    kim.field("에피소드 수|Episodes").press("Tab")
    _keeps_the_settings(kim)
    panel = kim.page.locator("#outlook")
    expect(panel).to_contain_text(kim.say("지금 바로 들어감|Fits now"))
    expect(panel).to_contain_text("A100 x 2")
    kim.button("학습 요청 제출|Submit training request").locator("visible=true").last.dblclick()
    kim.page.wait_for_url("**/workloads/W-*")
    kim.page.locator("main").get_by_role("link", name=f"{spec['name']} {spec['version']}").first.wait_for()
    return kim.page.url.rpartition("/")[2]


def _keeps_the_settings(kim: Person) -> None:
    """As a template, loaded again after another value."""
    kim.field("템플릿 이름|Name of the template").fill("walk")
    kim.button("템플릿으로 저장|Save as a template").click()
    kim.sees("walk 저장함. 같은 이름으로 다시 저장하면 바뀝니다.|walk is saved. The same name again replaces it.")
    kim.field("에피소드 수|Episodes").fill("5")
    kim.field("템플릿 불러오기|Load a template").select_option("walk")
    kim.button("불러오기|Load").click()
    expect(kim.field("에피소드 수|Episodes")).to_have_value(str(EPISODES))


def _runs(kim: Person) -> None:
    """W3, step 3: the page follows by itself; log and chart grow."""
    page, head = kim.page, kim.page.locator("#wl-head")
    page.evaluate("window.never_reloaded = true")
    expect(head).to_contain_text(kim.say("실행 중|Running"), timeout=LONG_MS)
    assert page.evaluate("window.never_reloaded") is True
    _tab(kim, "로그|Logs")
    lines = page.locator("one-log .log .log-line").filter(has_text="episode")
    expect(lines.first).to_be_attached(timeout=LONG_MS)
    seen = lines.count()
    expect(lines.nth(seen)).to_be_attached(timeout=LONG_MS)


def _is_slurms(kim: Person, one: One, workload: str) -> None:
    """W3, step 3: the page's own `sacct` line, typed on the controller as kim."""
    _tab(kim, "Slurm")
    shown = kim.page.locator(".wl-commands li").filter(has_text="sacct").locator("code").inner_text()
    (job,) = one.show(workload)["slurmJobs"]
    assert shown == f"sacct -j {job['jobId']} --format=JobID,JobName,State,ExitCode,Elapsed,AllocTRES%60"
    told = as_user("ctl", "kim", *shown.split())
    assert "RUNNING" in told
    assert "gres/gpu:a100=2" in told


def _ends_with_a_model(kim: Person) -> None:
    """W3, step 3."""
    _tab(kim, "개요|Overview")
    page, head = kim.page, kim.page.locator("#wl-head")
    page.evaluate("window.never_reloaded = true")
    expect(head.locator(".st")).to_contain_text(kim.say("완료|Completed"), timeout=LONG_MS)
    expect(page.locator("#chart-reward")).to_be_visible()
    model = page.locator("#wl-body").get_by_role("link", name=re.compile(r"-final v1$"))
    expect(model).to_be_visible()
    assert page.evaluate("window.never_reloaded") is True
    model.click()


def _takes_it(kim: Person) -> None:
    """W8, step 2: what comes from MinIO has the checksum of the page."""
    lineage = kim.page.locator(".lineage")
    expect(lineage.locator(".digest")).to_have_count(3)
    expect(lineage).to_contain_text(re.compile(r"[0-9a-f]{64}"))
    tab = kim.page.locator(".nav-tabs").get_by_role("link", name=kim.say("파일|Files"), exact=True)
    tab.click()
    row = kim.page.locator("table.cards tbody tr").filter(has_text="policy.safetensors").first
    digest = row.locator("[data-copy]").get_attribute("data-copy")
    with kim.page.expect_download() as waiting:
        row.get_by_role("link").last.click()
    assert hashlib.sha256(waiting.value.path().read_bytes()).hexdigest() == digest


def _tab(kim: Person, both: str) -> Locator:
    tab = kim.page.locator(".wl-tabs").get_by_role("link", name=kim.say(both))
    tab.click()
    return tab
