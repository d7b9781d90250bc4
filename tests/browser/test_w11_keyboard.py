"""W11: keyboard and screen reader only, from the search to the queue; axe finds nothing on the pages on the way."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from portal.db.models import Workload
from tests.browser import apps, library
from tests.browser.conftest import PersonFactory
from tests.browser.drawing import Drawing
from tests.browser.hosted import Hosted
from tests.browser.keyboard import Keyboard
from tests.browser.person import Person
from tests.daemon.world import World

NAME = "RL-DesignOpt-v1-v1"


def test_w11_a_researcher_without_a_mouse(person: PersonFactory, portal: Hosted) -> None:
    portal.do(library.add(portal.world, *apps.NAMES))
    portal.do(apps.publish(portal.world, "kim", apps.design(training_config={"episodes": 100})))
    kim = person("kim")
    keys = Keyboard(kim)
    _searches(kim, keys)
    _edits_the_outline(kim, keys)
    _walks_the_canvas(kim, keys)
    _publishes(kim, keys)
    _asks_for_a_training(kim, keys)
    _hears_the_end(kim, keys, portal)
    assert not keys.found, "\n".join(keys.found)


def test_w11_an_administrator_without_a_mouse(person: PersonFactory, portal: Hosted) -> None:
    portal.world.cluster.drained |= {"gpu1": "busy", "gpu2": "busy"}
    for number in range(1, 4):
        portal.do(portal.world.submit(apps.design(f"2.{number}.0"), name=f"Waits-{number}"))
    large = apps.design("3.0.0")
    large["tasks"][0]["components"][1]["resources"]["gpu_count"] = 4
    portal.do(portal.world.submit(large, name="Needs-Approval"))
    portal.round(3)
    admin = person("admin")
    keys = Keyboard(admin)
    _moves_in_the_queue(admin, keys, portal)
    _reviews(admin, keys)
    assert not keys.found, "\n".join(keys.found)


def _searches(kim: Person, keys: Keyboard) -> None:
    """Step 1, frame."""
    page = kim.page
    keys.examine()
    page.reload()
    keys.press("Tab")
    expect(kim.link("본문으로 건너뛰기|Skip to content")).to_be_focused()
    keys.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    keys.press("Control+k")
    expect(page.locator("#search-dialog input")).to_be_focused()
    page.keyboard.type("RL-Design")
    expect(page.locator("#search-dialog a.hit").first).to_be_visible()
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("RL-DesignOpt-v1")
    keys.examine()
    keys.zooms()
    keys.use(kim.link("편집|Edit"))


def _edits_the_outline(kim: Person, keys: Keyboard) -> None:
    """Step 1, outline."""
    page, drawing = kim.page, Drawing(kim)
    keys.use(page.get_by_role("tab", name=kim.say("App 관리|App"), exact=True))
    keys.use(kim.button("Task 추가|Add Task"))
    keys.examine()
    keys.use(page.get_by_role("tab", name=kim.say("Task 편집|Task editor"), exact=True))
    keys.use(kim.button("목록 편집|Outline"))
    for name in ("rl-agent", "env-simulator"):
        keys.tab_to(page.get_by_role("combobox", name=kim.say("컴포넌트 추가|Add component")))
        page.keyboard.type(name)
        keys.use(page.locator(".b-outline-add button"))
        expect(drawing.said).to_contain_text(
            kim.say(f"{name}, 1번째 순서, 임계치 미만|{name}, stage 1, Under threshold")
        )
    keys.examine()

    keys.press("Enter")
    keys.tab_to(_form(page, "env-simulator").get_by_role("checkbox", name="rl-agent"))
    keys.press("Space")
    expect(drawing.said).to_contain_text(
        kim.say("env-simulator, 2번째 순서, 임계치 미만|env-simulator, stage 2, Under threshold")
    )
    agent = _form(page, "rl-agent")
    keys.tab_to(agent.locator("summary"), "Shift+Tab")
    keys.press("Enter")
    keys.tab_to(kim.field("GPU 수|GPUs", agent))
    keys.type("4")
    expect(agent.locator("[aria-live=polite]").first).to_contain_text(
        kim.say("승인 필요: GPU 4 ≥ 임계치 4|Needs approval: GPU 4 ≥ threshold 4")
    )
    keys.type("2")
    back = keys.tab_to(agent.get_by_role("checkbox", name="env-simulator"))
    keys.press("Space")
    expect(drawing.said).to_contain_text(kim.say("순환 참조입니다|Cycle"))
    expect(back).to_be_focused()
    expect(back).not_to_be_checked()
    drawing.saved()
    keys.press("Control+z")
    expect(kim.field("GPU 수|GPUs", _form(page, "rl-agent"))).to_have_value("2")
    expect(_form(page, "env-simulator").get_by_role("checkbox", name="rl-agent")).to_be_checked()
    drawing.saved()


def _walks_the_canvas(kim: Person, keys: Keyboard) -> None:
    """Step 2, canvas."""
    drawing = Drawing(kim)
    keys.use(kim.button("캔버스|Canvas"))
    keys.examine()
    first, second = drawing.node("rl-agent"), drawing.node("env-simulator")
    keys.tab_to(drawing.canvas.locator("[data-cell-id][tabindex='0']"))
    keys.press("ArrowLeft")
    expect(first).to_be_focused()
    keys.press("ArrowRight")
    expect(second).to_be_focused()
    for name in ("rl-agent", "2"):
        expect(second).to_have_attribute("aria-label", re.compile(name))
    edges = drawing.edges()
    keys.press("c")
    expect(drawing.said).to_contain_text(kim.say("Esc: 그만두기|Esc: stop"))
    keys.press("ArrowLeft", "Enter")
    expect(drawing.said).to_contain_text(kim.say("순환 참조입니다|Cycle"))
    keys.press("c", "Escape")
    drawing.has_edges(edges)
    keys.press("Enter")
    expect(drawing.inspector.locator(":focus")).to_have_count(1)


def _publishes(kim: Person, keys: Keyboard) -> None:
    """Step 2, publish."""
    Drawing(kim).saved()
    keys.tab_to(kim.button("준비 완료로 발행|Publish as ready"), "Shift+Tab")
    keys.press("Enter")
    expect(kim.page).to_have_url(re.compile(rf"/apps/{apps.DESIGN}$"))
    expect(kim.page.locator("main")).to_contain_text("1.1.0")


def _asks_for_a_training(kim: Person, keys: Keyboard) -> None:
    """Step 2, Trainer."""
    page = kim.page
    keys.use(page.locator("main").get_by_role("link", name=kim.say("학습 요청|Request training"), exact=True))
    panel = page.locator("#outlook [role=status]")
    expect(panel).to_contain_text(kim.say("승인 불필요|Approval not needed"))
    keys.examine()
    keys.zooms()
    page.evaluate(
        """() => { window.announced = [];
             new MutationObserver(() => {
               const now = document.querySelector("#outlook [role=status]").textContent;
               if (now !== window.announced.at(-1)) window.announced.push(now);
             }).observe(document.querySelector("#trainer"), {subtree: true, childList: true, characterData: true}); }"""
    )
    keys.tab_to(kim.field("rl-agent GPU 수|GPUs of rl-agent").first)
    keys.type("4")
    expect(panel).to_contain_text(kim.say("승인 필요|Needs approval"))
    said = page.evaluate("window.announced")
    assert len([one for one in said if kim.say("승인 필요|Needs approval") in one]) == 1, said
    keys.type("2")
    expect(panel).to_contain_text(kim.say("승인 불필요|Approval not needed"))
    keys.use(kim.button("학습 요청 제출|Submit training request", page.locator("#outlook")))
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(NAME)
    expect(heading).to_be_focused()
    keys.examine()
    keys.zooms()


def _hears_the_end(kim: Person, keys: Keyboard, portal: Hosted) -> None:
    """Step 2, the run: its end is spoken, its chart is a table too."""

    async def is_(state: str, world: World) -> bool:
        return any(row.name == NAME and row.state == state for row in await world.rows(Workload))

    portal.until(lambda world: is_("running", world))
    expect(kim.page.locator("#wl-head")).to_contain_text(kim.say("실행 중|Running"))
    kim.page.wait_for_timeout(5_000)  # at most one sentence in five seconds
    portal.until(lambda world: is_("completed", world), seconds=60)
    expect(kim.page.locator("#live")).to_have_text(kim.say(f"{NAME}: 완료|{NAME}: Completed"))
    keys.use(kim.page.locator("#chart-reward summary"))
    expect(kim.page.locator("#chart-reward table")).to_be_visible()
    assert kim.page.locator("#chart-reward tbody tr").count() > 0
    keys.examine()


def _moves_in_the_queue(admin: Person, keys: Keyboard, portal: Hosted) -> None:
    """Step 3, queue."""
    page = admin.page
    admin.open("/queue")
    keys.examine()
    keys.zooms()
    assert _order(page) == ["Waits-1", "Waits-2", "Waits-3"]
    keys.tab_to(page.locator("tr[data-id]").filter(has_text="Waits-2"))
    keys.press("Alt+ArrowUp")
    toast = page.locator("#toasts")
    expect(toast).to_contain_text("Waits-2")
    assert _order(page) == ["Waits-2", "Waits-1", "Waits-3"]
    expect(page.locator("tr[data-id]").filter(has_text="Waits-2")).to_be_focused()
    keys.use(admin.button("되돌리기|Undo", toast))
    expect(page.locator("tr[data-id]").first).to_contain_text("Waits-1")
    assert _order(page) == ["Waits-1", "Waits-2", "Waits-3"]


def _reviews(admin: Person, keys: Keyboard) -> None:
    """Step 3, review."""
    page = admin.page
    admin.open("/approvals")
    keys.examine()
    keys.use(page.locator("main").get_by_role("link", name="Needs-Approval"))
    expect(page.locator("#decision")).to_be_visible()
    keys.examine()
    keys.zooms()
    approve = keys.tab_to(admin.button("승인|Approve").and_(page.locator("[aria-disabled=true]")))
    expect(approve).to_have_accessible_description(re.compile(admin.say("테스트 필요|Test required")))
    keys.press("Enter")
    expect(page.locator("dialog[open]")).to_have_count(0)


def _form(page: Page, name: str) -> Locator:
    return page.locator(".b-outline > li").filter(has=page.locator("summary strong", has_text=name))


def _order(page: Page) -> list[str]:
    names = page.locator("tr[data-id] .name").all_inner_texts()
    return [name for name in names if name.startswith("Waits-")]
