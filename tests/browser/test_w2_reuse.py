"""W2: a researcher takes over another App's Task, follows its new version, and makes a new version of a component."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser import apps, library
from tests.browser.conftest import PersonFactory
from tests.browser.drawing import Drawing
from tests.browser.hosted import Hosted
from tests.browser.person import Person

SOURCE, IMPORTED = "PreProcessor-App", "data-preprocessing"


def test_w2_a_researcher_reuses_work(person: PersonFactory, portal: Hosted) -> None:
    portal.do(library.add(portal.world, *apps.NAMES, "data-loader"))
    spec = apps.design(env_vars={"OMP_NUM_THREADS": "4"})
    for component in spec["tasks"][0]["components"]:
        component["component_version"] = "1.0.0"
    portal.do(apps.publish(portal.world, "kim", spec))
    portal.do(apps.publish(portal.world, "park", apps.preprocessor()))
    kim = person("kim")
    drawing = _imports(kim)
    portal.do(apps.publish(portal.world, "park", apps.preprocessor("1.1.0", memory="64GB")))
    _follows_the_new_version(kim, drawing)
    _moves_and_deletes_it(kim, drawing)
    _makes_a_new_component_version(kim)
    _is_offered_it(kim)
    _publishes(kim)
    _is_refused_the_way_back(person("park"))


def _imports(kim: Person) -> Drawing:
    """Step 1."""
    kim.open(f"/apps/{apps.DESIGN}/builder?tab=app")
    drawing = Drawing(kim)
    dialog = _dialog(kim, SOURCE)
    expect(kim.field("2. 버전|2. Version", dialog)).to_have_value("1.0.0")
    expect(dialog.get_by_role("checkbox", name=re.compile(IMPORTED))).to_be_checked()
    conflict = dialog.get_by_role("radiogroup", name="OMP_NUM_THREADS")
    expect(conflict.get_by_role("radio", name=re.compile(kim.say("내 값 유지|Keep mine")))).to_be_checked()
    expect(conflict).to_contain_text(re.compile("4.*8", re.DOTALL))
    expect(dialog).to_contain_text("NCCL_DEBUG=WARN")
    kim.button("가져오기|Import", dialog).click()
    row = _row(kim)
    expect(row).to_contain_text(kim.say(f"{SOURCE} 1.0.0에서 가져옴|Imported from {SOURCE} 1.0.0"))
    expect(row.locator(".tag")).to_contain_text(kim.say("가져옴|Imported"))
    expect(row.locator("th input")).not_to_be_editable()
    kim.button(f"{IMPORTED}: 편집|{IMPORTED}: Edit", row).click()
    expect(kim.page.locator(".b-task-bar")).to_contain_text(kim.say("가져옴|Imported"))
    drawing.select("data-loader")
    expect(kim.field("메모리|Memory", drawing.inspector)).not_to_be_editable()
    spec = _json(kim, drawing)
    assert spec["tasks"][1]["imported_from"] == "APP-PREP01"
    assert spec["imported_apps"] == [{"app_ref": "APP-PREP01", "name": SOURCE, "version": "1.0.0"}]
    assert spec["env_vars"] == {"OMP_NUM_THREADS": "4", "NCCL_DEBUG": "WARN"}
    return drawing


def _follows_the_new_version(kim: Person, drawing: Drawing) -> None:
    """Step 2: look at the difference, update, undo, keep the version."""
    kim.page.reload()
    drawing.tab("App 관리|App")
    expect(_row(kim)).to_contain_text("32GB")
    kim.page.locator("[data-key=checks]").click()
    expect(kim.page.locator(".b-problems")).to_contain_text(f"{SOURCE} 1.0.0 → 1.1.0")
    drawing.tab("App 관리|App")
    dialog = _looks_at_the_new_version(kim)
    kim.button("업데이트|Update", dialog).click()
    expect(_row(kim)).to_contain_text("64GB")
    expect(_row(kim)).to_contain_text("1.1.0")
    expect(_offer(kim)).to_have_count(0)
    kim.page.locator("body").press("Control+z")
    expect(_row(kim)).to_contain_text("32GB")
    expect(_row(kim)).to_contain_text("1.0.0")
    dialog = _looks_at_the_new_version(kim)
    kim.button("지금 버전 유지|Keep this version", dialog).click()
    expect(_offer(kim)).to_have_count(0)
    drawing.saved()
    kim.page.reload()
    drawing.tab("App 관리|App")
    expect(_row(kim)).to_contain_text("1.0.0")
    expect(_offer(kim)).to_have_count(0)


def _looks_at_the_new_version(kim: Person) -> Locator:
    _offer(kim).click()
    dialog = kim.page.get_by_role("dialog")
    row = dialog.locator(".b-difference tr").filter(has_text=kim.say("메모리|Memory"))
    expect(row).to_contain_text(re.compile("32GB.*64GB", re.DOTALL))
    return dialog


def _moves_and_deletes_it(kim: Person, drawing: Drawing) -> None:
    """Step 3: the imported Task goes up, away, and comes back."""
    kim.button(f"{IMPORTED}: 위로|{IMPORTED}: Up").click()
    expect(_row(kim).locator("td").first).to_have_text("1")
    kim.button(f"{IMPORTED}: 삭제|{IMPORTED}: Delete").click()
    expect(_row(kim)).to_have_count(0)
    expect(drawing.said).to_contain_text("Ctrl+Z")
    kim.page.locator("body").press("Control+z")
    expect(_row(kim).locator("td").first).to_have_text("1")
    drawing.saved()


def _makes_a_new_component_version(kim: Person) -> None:
    """Step 3: the description may change, the image may not; a new version may."""
    kim.open("/components/CL-REF-001")
    kim.link("수정|Edit").click()
    kim.sees("사용 중이라 잠겼습니다. 새 버전을 만드세요.|Locked because it is in use. Make a new version.")
    expect(kim.page.locator("#f-registry")).not_to_be_editable()
    kim.page.locator("#f-description").fill("한 에피소드를 더 빨리 모의실험합니다.")
    kim.button("저장|Save").click()
    kim.sees("한 에피소드를 더 빨리 모의실험합니다.")
    kim.link("새 버전|New version").click()
    kim.field("버전|Version").fill("1.1.0")
    kim.field("변경 메모|Change note").fill("두 배 빠릅니다")
    kim.field("메모리|Memory").fill("48GB")
    kim.button("저장|Save").click()
    kim.link("버전 이력|Version history").click()
    versions = kim.page.locator("main tbody tr")
    expect(versions).to_have_count(2)
    expect(versions.first).to_contain_text("1.1.0")
    expect(versions.first).to_contain_text("두 배 빠릅니다")
    expect(versions.last).to_contain_text("1.0.0")
    kim.link("사용처|Used in").click()
    use = kim.page.locator("#rows tbody tr").filter(has_text="RL-DesignOpt-v1").first
    expect(use).to_contain_text("1.0.0")
    expect(use).to_contain_text(kim.say("새 버전 1.1.0|Update 1.1.0"))


def _is_offered_it(kim: Person) -> None:
    """Step 3: the Builder's checks and inspector name the newer version."""
    kim.open(f"/apps/{apps.DESIGN}/builder?tab=task&task=TASK-001")
    drawing = Drawing(kim)
    kim.page.locator("[data-key=checks]").click()
    problem = kim.page.locator(".b-problems li").filter(has_text="env-simulator").filter(has_text="1.1.0")
    expect(problem).to_be_visible()
    kim.button("이동|Go to", problem).first.click()
    offer = drawing.inspector.locator(".b-newer")
    expect(offer).to_contain_text(kim.say("새 버전 1.1.0|Update 1.1.0"))
    expect(offer).to_contain_text(re.compile("32GB.*48GB", re.DOTALL))


def _publishes(kim: Person) -> None:
    """Step 2: kim's App, ready, imports park's."""
    kim.page.locator("[data-key=publish]").click()
    kim.page.wait_for_url(f"**/apps/{apps.DESIGN}")
    expect(kim.page.locator("main")).to_contain_text(kim.say(f"{SOURCE} 1.0.0에서 가져옴|Imported from {SOURCE} 1.0.0"))


def _is_refused_the_way_back(park: Person) -> None:
    """Step 2: park imports what imports park's own App."""
    park.open("/apps/APP-PREP01/builder?tab=app")
    dialog = _dialog(park, "RL-DesignOpt-v1")
    expect(dialog).to_contain_text(f"{SOURCE} → RL-DesignOpt-v1 → {SOURCE}")
    expect(dialog.locator("[data-key=take-import]")).to_have_count(0)
    park.field("2. 버전|2. Version", dialog).select_option("1.0.0")  # which imports nothing
    expect(dialog.locator("[data-key=take-import]")).to_be_enabled()
    park.button("닫기|Close", dialog).click()


def _dialog(person: Person, name: str) -> Locator:
    """The import dialog with this App chosen."""
    person.button("App 가져오기|Import App").click()
    dialog = person.page.get_by_role("dialog")
    person.button(f"{name} 선택|Choose {name}", dialog).click()
    return dialog


def _offer(kim: Person) -> Locator:
    return kim.button("새 버전 1.1.0|Update 1.1.0", _row(kim))


def _row(kim: Person) -> Locator:
    return kim.page.locator(".b-tasks tbody tr").filter(has=kim.page.locator(f"input[value='{IMPORTED}']"))


def _json(kim: Person, drawing: Drawing) -> dict[str, Any]:
    drawing.view("JSON")
    found: dict[str, Any] = json.loads(kim.field("스펙 파일 (JSON)|Spec file (JSON)").input_value())
    drawing.view("캔버스|Canvas")
    drawing.saved()
    return found
