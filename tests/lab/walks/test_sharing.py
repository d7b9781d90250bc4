"""W2, W10 and W11 on the real cluster: work that is reused, what a viewer may see of it, and a training without a mouse."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from lab.commandline import One
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.drawing import Drawing
from tests.browser.keyboard import Keyboard
from tests.browser.person import Person
from tests.lab.road_harness import Run, app, component, example

pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.timeout(900)]
LONG_MS = 240_000
"""The first run of a fresh lab also converts its images."""
IMPORTED = "data-preprocessing"
SMALL = "512MB"
LARGER = "640MB"
MODEL = "open('/one/model/weights.bin', 'wb').write(bytes(1000)); print('written', flush=True)"


def _named(kind: str, *components: dict[str, Any], task: str = "work", version: str = "1.0.0") -> dict[str, Any]:
    """An App with a name of its own."""
    spec = app(*components)
    spec["tasks"][0]["name"] = task
    return {**spec, "name": f"{kind}-{spec['app_id'][-6:]}", "version": version}


@pytest.mark.parametrize("language", ["ko", "en"], scope="module")
def test_work_is_reused(person: PersonFactory, kim: One, park: One) -> None:
    """W2: another's Task comes along, its new version is shown and taken, and what was made is one spec file that runs."""
    source = _named("Source", component("LOAD-001", "print('loaded', flush=True)", memory=SMALL), task=IMPORTED)
    own = _named("Own", component("OWN-001", "print('own', flush=True)"))
    park.told("apps", source)
    kim.told("apps", own)
    at_browser = person("kim")
    drawing = _imports(at_browser, own, source)
    source["tasks"][0]["components"][0]["resources"]["memory"] = LARGER
    park.told("apps", {**source, "version": "1.1.0"})
    _takes_the_new_version(at_browser, drawing)
    version = _publishes(at_browser, own)
    spec = kim.asked(f"apps/{own['app_id']}/versions/{version}")["spec"]
    assert spec["imported_apps"] == [{"app_ref": source["app_id"], "name": source["name"], "version": "1.1.0"}]
    assert spec["tasks"][1]["components"][0]["resources"]["memory"] == LARGER
    run = Run(kim, kim.told("workloads", {"spec": spec, "timeLimitMin": 5})["id"])
    run.reaches("completed")
    assert "loaded" in run.logs()


def _imports(kim: Person, own: dict[str, Any], source: dict[str, Any]) -> Drawing:
    """Step 1."""
    kim.open(f"/apps/{own['app_id']}/builder?tab=app")
    drawing = Drawing(kim)
    kim.button("App 가져오기|Import App").click()
    dialog = kim.page.get_by_role("dialog")
    kim.button(f"{source['name']} 선택|Choose {source['name']}", dialog).click()
    expect(kim.field("2. 버전|2. Version", dialog)).to_have_value("1.0.0")
    kim.button("가져오기|Import", dialog).click()
    expect(_row(kim).locator(".tag")).to_contain_text(kim.say("가져옴|Imported"))
    expect(_row(kim).locator("th input")).not_to_be_editable()
    drawing.saved()
    return drawing


def _takes_the_new_version(kim: Person, drawing: Drawing) -> None:
    """Step 2."""
    kim.page.reload()
    drawing.tab("App 관리|App")
    kim.button("새 버전 1.1.0|Update 1.1.0", _row(kim)).click()
    dialog = kim.page.get_by_role("dialog")
    difference = dialog.locator(".b-difference tr").filter(has_text=kim.say("메모리|Memory"))
    expect(difference).to_contain_text(re.compile(f"{SMALL}.*{LARGER}", re.DOTALL))
    kim.button("업데이트|Update", dialog).click()
    expect(_row(kim)).to_contain_text("1.1.0")
    drawing.saved()


def _publishes(kim: Person, own: dict[str, Any]) -> str:
    kim.page.locator("[data-key=publish]").click()
    kim.page.wait_for_url(f"**/apps/{own['app_id']}")
    expect(kim.page.locator("main")).to_contain_text("1.1.0")
    return "1.1.0"


def _row(kim: Person) -> Locator:
    return kim.page.locator(".b-tasks tbody tr").filter(has=kim.page.locator(f"input[value='{IMPORTED}']"))


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_a_viewer_sees_what_is_shared(person: PersonFactory, kim: One) -> None:
    """W10: the log once it is shared, the model without its files, and nothing of what became private."""
    spec = _named("Shared", component("A-001", MODEL))
    kim.told("apps", spec)
    run = Run(kim, kim.told("workloads", {"spec": spec, "timeLimitMin": 5})["id"])
    run.reaches("completed")
    owner, viewer = person("kim"), person("viewer")
    for path in ("/trainer", "/approvals", "/admin/users"):
        answer = viewer.page.goto(path)
        assert answer is not None
        assert answer.status == 403, path
    _reads_the_log_once_shared(owner, viewer, spec, run)
    model = _takes_no_model(owner, viewer, run)
    _shares(owner, spec, "비공개|Private")
    for path in (f"/apps/{spec['app_id']}", f"/workloads/{run.id}", model):
        answer = viewer.page.goto(path)
        assert answer is not None
        assert answer.status == 404, path


def _reads_the_log_once_shared(owner: Person, viewer: Person, spec: dict[str, Any], run: Run) -> None:
    viewer.open(f"/workloads/{run.id}?tab=logs")
    expect(viewer.page.locator(".wl-logs")).to_be_visible()
    expect(viewer.page.locator("one-log .log-line")).to_have_count(0)
    _shares(owner, spec, "다른 사람도 실행 로그를 읽을 수 있음|Others read the logs of its runs too")
    viewer.page.reload()
    expect(viewer.page.locator("one-log .log-line").filter(has_text="written")).to_be_visible()
    expect(viewer.link("취소하기|Cancel workload")).to_have_count(0)


def _shares(owner: Person, spec: dict[str, Any], both: str) -> None:
    owner.open(f"/apps/{spec['app_id']}")
    owner.field(both).check()
    owner.button("저장|Save", owner.page.locator("form[action$='/share']")).click()
    owner.sees("{name} 공개 범위 저장함|Who sees {name} is saved.", name=spec["name"])


def _takes_no_model(owner: Person, viewer: Person, run: Run) -> str:
    """Its page has no download, and the file's address, which is the owner's, refuses."""
    viewer.open(f"/workloads/{run.id}")
    viewer.page.locator("#wl-body").get_by_role("link", name=re.compile(r" v1$")).click()
    viewer.page.wait_for_url("**/models/**/v1")
    expect(viewer.page.locator("main").get_by_text(viewer.say("다운로드|Download"), exact=True)).to_have_count(0)
    address = viewer.page.url
    assert viewer.page.request.get(f"{address}/files/weights.bin").status == 403
    assert owner.page.request.get(f"{address}/files/weights.bin").body() == bytes(1000)
    return address


@pytest.mark.parametrize("language", ["ko"], scope="module")
def test_a_training_without_a_mouse(person: PersonFactory, kim: One) -> None:
    """W11: found by the search, asked for and followed to its spoken end by keys alone; axe finds nothing on the way."""
    spec = _training()
    kim.told("apps", spec)
    at_browser = person("kim")
    keys, page = Keyboard(at_browser), at_browser.page
    keys.press("Control+k")
    expect(page.locator("#search-dialog input")).to_be_focused()
    page.keyboard.type(spec["name"])
    expect(page.locator("#search-dialog a.hit").first).to_be_visible()
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(spec["name"])
    keys.examine()
    keys.use(page.locator("main").get_by_role("link", name=at_browser.say("학습 요청|Request training"), exact=True))
    expect(page.locator("#outlook [role=status]")).to_contain_text(at_browser.say("승인 불필요|Approval not needed"))
    keys.examine()
    keys.use(at_browser.button("학습 요청 제출|Submit training request", page.locator("#outlook")))
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(f"{spec['name']}-v1")
    expect(heading).to_be_focused()
    spoken = at_browser.say(f"{spec['name']}-v1: 완료|{spec['name']}-v1: Completed")
    expect(page.locator("#live")).to_have_text(spoken, timeout=LONG_MS)
    keys.use(page.locator("#chart-reward summary"))
    expect(page.locator("#chart-reward tbody tr").first).to_be_visible()
    keys.examine()
    assert not keys.found, "\n".join(keys.found)


def _training() -> dict[str, Any]:
    """The example's environment and agent, small and under the thresholds."""
    spec = example("rl-design-opt")
    task = spec["tasks"][0]
    task["components"], task["workflow"] = task["components"][:2], task["workflow"][:1]
    for part in task["components"]:
        part["resources"] = {"memory": "1GB", "gpu_type": "A100", "gpu_count": 1}
    return {**spec, "name": f"Keys-{spec['app_id'][-6:]}", "tasks": [task], "imported_apps": []}
