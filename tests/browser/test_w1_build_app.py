"""W1: a researcher registers a component, draws an App, sees what is refused, and publishes it."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Locator, expect

from portal.spec.canonical import content_sha256
from tests.browser import library, seed
from tests.browser.conftest import PersonFactory
from tests.browser.drawing import Drawing
from tests.browser.hosted import Hosted
from tests.browser.person import Person

NAMES = ("env-simulator", "rl-agent", "reward-calc")
PLACES = ((120, 100), (400, 100), (400, 300))
"""Where they are dropped: not one above the other, so that every port can be reached."""


def test_w1_a_researcher_builds_an_app(person: PersonFactory, portal: Hosted) -> None:
    portal.do(library.add(portal.world, "rl-agent", "reward-calc"))
    kim = person("kim")
    _registers_a_component(kim, portal)
    drawing = _starts_an_app(kim)
    _draws(drawing)
    _is_refused(drawing)
    _crosses_the_threshold(drawing)
    _undoes(drawing)
    _looks_at_it_in_other_ways(drawing)
    _publishes(drawing)


def _registers_a_component(kim: Person, portal: Hosted) -> None:
    """Step 1."""
    kim.link("컴포넌트 라이브러리|Component library").first.click()
    kim.link("컴포넌트 등록|Register component").click()
    kim.field("이름|Name").fill("env-simulator")
    kim.field("레지스트리 주소|Registry address").fill(f"{seed.HUB}/env-sim")
    tag = kim.page.locator("#f-tag")  # "태그" in Korean: the image's tag and the tags of the component alike
    state = kim.page.locator("#image-state")

    tag.fill("1.0")
    tag.blur()
    expect(state).to_contain_text(kim.say("확인 중|Checking"))
    portal.round()
    expect(state).to_contain_text(kim.say("확인됨|Verified"))
    expect(state).to_contain_text("sha256:")

    tag.fill(seed.NO_SUCH_TAG)
    tag.blur()
    expect(state).to_contain_text(kim.say("확인 중|Checking"))
    portal.round()
    expect(state).to_contain_text(kim.say("찾을 수 없음|Not found"))
    reference = f"{seed.HUB}/env-sim:{seed.NO_SUCH_TAG}"
    expect(state).to_contain_text(
        kim.say(
            "이미지를 찾을 수 없습니다: {ref}. 주소와 태그를 확인하세요.|Image not found: {ref}. Check address and tag.",
            ref=reference,
        )
    )

    tag.fill("1.0")
    tag.blur()
    expect(state).to_contain_text(kim.say("확인됨|Verified"))
    kim.page.get_by_label(kim.say("GPU 유형|GPU type")).select_option("A100")
    kim.field("GPU 수|GPUs").fill("1")
    kim.field("메모리|Memory").fill("32GB")
    kim.button("저장|Save").click()
    expect(kim.page.get_by_role("heading", level=1)).to_have_text("env-simulator")

    kim.link("컴포넌트 라이브러리|Component library").first.click()
    search = kim.page.locator("main").get_by_role("searchbox")
    search.fill("env")
    search.press("Enter")
    rows = kim.page.locator("#rows tbody tr")
    expect(rows).to_have_count(1)
    kim.page.locator("#rows").get_by_role("link", name="env-simulator").click()
    kim.link("사용처|Used in").click()
    kim.sees("볼 수 있는 App 가운데 이 컴포넌트를 쓰는 App이 없습니다.|No App that you can see places this component.")


def _starts_an_app(kim: Person) -> Drawing:
    """Step 2, App tab."""
    kim.page.locator(".sidebar").get_by_role("link", name="App", exact=True).click()
    kim.link("새 App|New App").first.click()
    kim.field("이름|Name").fill("RL-DesignOpt-v1")
    kim.button("만들고 Builder 열기|Create and open the Builder").click()
    drawing = Drawing(kim)
    drawing.tab("App 관리|App")
    kim.button("Task 추가|Add Task").click()
    kim.field("Task 이름|Task name").fill("parameter-optimization")

    lines = kim.field("K=V 줄 붙여넣기|Paste K=V lines")
    lines.fill("NCCL_DEBUG=INFO\nSLURM_X=1")
    kim.button("붙여넣기|Take over").click()
    kim.sees(
        "{key}는 플랫폼이 정하는 변수라 쓸 수 없습니다.|{key} is set by the platform and cannot be used.", key="SLURM_X"
    )
    expect(drawing.header).to_contain_text(kim.say("오류|errors"))
    kim.button("SLURM_X 삭제|Delete SLURM_X").click()
    expect(kim.field("NCCL_DEBUG 값|Value of NCCL_DEBUG")).to_have_value("INFO")
    drawing.saved()
    return drawing


def _draws(drawing: Drawing) -> None:
    """Step 2, Task tab."""
    drawing.tab("Task 편집|Task editor")
    for name, (x, y) in zip(NAMES, PLACES, strict=True):
        drawing.drag_from_palette(name, x, y)
    drawing.connect("env-simulator", "rl-agent")
    drawing.connect("rl-agent", "reward-calc")
    expect(drawing.canvas.locator(".x6-edge")).to_have_count(2)
    drawing.saved()


def _is_refused(drawing: Drawing) -> None:
    """Step 3, gestures."""
    say, reason, before = drawing.person.say, drawing.canvas.locator(".b-reason"), drawing.edges()
    cycle = "순환 참조입니다: {nodes}. 연결을 추가하지 않았습니다.|Cycle: {nodes}. The connection was not added."
    drawing.pull("rl-agent", "env-simulator")
    expect(reason).to_be_visible()
    expect(reason).to_contain_text(say("순환 참조입니다|Cycle"))
    assert re.search(say(cycle, nodes=r".+ → .+ → .+"), reason.inner_text())
    assert _is_red(reason)
    drawing.person.page.mouse.up()
    drawing.has_edges(before)

    drawing.pull("rl-agent", "rl-agent")
    expect(reason).to_contain_text(say("자기 자신에는 연결할 수 없습니다|A component cannot connect to itself"))
    drawing.person.page.mouse.up()
    drawing.has_edges(before)

    drawing.pull("env-simulator", "rl-agent")
    expect(reason).to_contain_text(say("이미 연결되어 있습니다|Already connected"))
    drawing.person.page.mouse.up()
    drawing.has_edges(before)
    expect(reason).to_be_hidden()


def _is_red(shown: Locator) -> bool:
    red, green, blue = map(int, re.findall(r"\d+", shown.evaluate("it => getComputedStyle(it).color"))[:3])
    return red > 2 * green and red > 2 * blue


def _crosses_the_threshold(drawing: Drawing) -> None:
    """Step 3, BL-06."""
    kim = drawing.person
    drawing.select("rl-agent")
    gpus = kim.field("GPU 수|GPUs", drawing.inspector)
    needs = kim.say("승인 필요|Needs approval")
    gpus.fill("3")
    expect(drawing.inspector).to_contain_text(kim.say("임계치 미만|Under threshold"))
    expect(drawing.header).not_to_contain_text(needs)
    gpus.fill("4")
    expect(drawing.inspector).to_contain_text(
        kim.say("승인 필요: GPU 4 ≥ 임계치 4|Needs approval: GPU 4 ≥ threshold 4"), timeout=1000
    )
    expect(drawing.header).to_contain_text(needs, timeout=1000)
    expect(drawing.node("rl-agent")).to_contain_text(kim.say("승인 필요|Approval"))
    gpus.fill("2")
    expect(drawing.inspector).to_contain_text(kim.say("임계치 미만|Under threshold"))
    expect(drawing.header).not_to_contain_text(needs)


def _undoes(drawing: Drawing) -> None:
    """Step 3, history."""
    drawing.canvas.click(position={"x": 20, "y": 20})
    expect(drawing.node("rl-agent")).to_contain_text("A100 x 2")
    before, picture = drawing.picture(), drawing.canvas.screenshot()
    for _ in range(3):
        drawing.person.page.keyboard.press("Control+z")
    expect(drawing.canvas.locator(".x6-edge")).to_have_count(0)
    assert drawing.picture() != before
    for _ in range(3):
        drawing.person.page.keyboard.press("Control+Shift+z")
    expect(drawing.canvas.locator(".x6-edge")).to_have_count(2)
    assert drawing.picture() == before
    assert drawing.canvas.screenshot() == picture


def _looks_at_it_in_other_ways(drawing: Drawing) -> None:
    """Step 4, preview and JSON."""
    kim = drawing.person
    drawing.tab("워크플로우 시각화|Workflow preview")
    flow = kim.page.locator(".b-flow")
    expect(flow.locator("svg path[marker-end]")).to_have_count(2)
    in_svg = flow.locator("svg g").evaluate_all(
        "all => all.map(one => [...one.querySelectorAll('text')].slice(0, 2).map(text => text.textContent))"
    )
    rows = flow.locator("tbody tr").evaluate_all(
        "all => all.map(row => [...row.children].map(cell => cell.textContent))"
    )
    assert sorted(in_svg) == sorted([order, name] for order, name, *_ in rows)
    assert [(name, after) for _, name, after, _ in rows] == [
        ("env-simulator", "—"),
        ("rl-agent", "env-simulator"),
        ("reward-calc", "rl-agent"),
    ]

    drawing.tab("Task 편집|Task editor")
    drawing.view("JSON")
    area = kim.field("스펙 파일 (JSON)|Spec file (JSON)")
    spec = json.loads(area.input_value())
    reward = next(one for one in spec["tasks"][0]["components"] if one["name"] == "reward-calc")
    assert reward["resources"]["memory"] != "32GB"
    reward["resources"]["memory"] = "32GB"
    text = json.dumps(spec, ensure_ascii=False, indent=2)
    with drawing.saves():
        area.fill(text)
    area.fill(text.replace("}", "", 1))
    kim.sees("JSON이 올바르지 않아 적용하지 않았습니다 ({n}건).|Not applied: JSON has {n} problems.", n=1)
    drawing.view("캔버스|Canvas")
    expect(drawing.node("reward-calc")).to_contain_text("32GB")
    assert len(drawing.edges()) == 2


def _publishes(drawing: Drawing) -> None:
    """Step 4, publish and App page."""
    kim = drawing.person
    drawing.saved()
    kim.button("준비 완료로 발행|Publish as ready").click()
    expect(kim.page.get_by_role("heading", level=1)).to_have_text("RL-DesignOpt-v1")
    main = kim.page.locator("main")
    expect(main).to_contain_text(kim.say("준비 완료|Ready"))
    facts = main.locator(".card").filter(has_text=kim.say("최대 자원|Maximum resources")).first
    for fact in (
        "Task 수 1|Tasks 1",
        "컴포넌트 수 3|Components 3",
        "최대 자원 A100 x 2, 64GB|Maximum resources A100 x 2, 64GB",
    ):
        expect(facts).to_contain_text(kim.say(fact))

    kim.link("스펙 파일|Spec file").click()
    expect(main).to_contain_text("1.0.0")
    kim.sees("내용이 이 해시와 같습니다|The content has this hash")
    shown = json.loads(main.locator(".spec-text").inner_text())
    digest = content_sha256(shown)
    expect(main).to_contain_text(digest)
    with kim.page.expect_download() as waiting:
        kim.link("JSON 다운로드|Download JSON").click()
    loaded = json.loads(waiting.value.path().read_text())
    assert loaded == shown
    assert content_sha256(loaded) == digest
    assert [one["name"] for one in loaded["tasks"][0]["components"]] == list(NAMES)
