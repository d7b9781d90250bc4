"""W8: a researcher repeats a run with another value, compares, takes the model, and gives it a name."""

from __future__ import annotations

import hashlib
import json
import re

from playwright.sync_api import Locator, expect

from portal.db.models import Workload
from tests.browser import apps
from tests.browser.conftest import PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.person import Person
from tests.daemon.world import World

FIRST, SECOND = "RL-DesignOpt-v1-v1", "RL-DesignOpt-v1-v2"
TRAINING = {"episodes": 100, "learning_rate": 0.001}


def test_w8_a_researcher_harvests(person: PersonFactory, portal: Hosted) -> None:
    portal.do(portal.world.submit(apps.design(training_config=TRAINING), name=FIRST))
    _completes(portal, FIRST)
    kim = person("kim")
    kim.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _clones(kim)
    _waits_for_storage(kim, portal)
    _compares_the_runs(kim, person)
    _takes_the_model(kim)
    _gives_an_alias(kim)
    _compares_the_models(kim)


def _completes(portal: Hosted, name: str) -> None:
    async def done(world: World) -> bool:
        return any(row.name == name and row.state == "completed" for row in await world.rows(Workload))

    portal.until(done, seconds=20)


def _clones(kim: Person) -> None:
    """Step 1. The Operator file is not there yet (docs/status.md, ST-05): only the rate is changed."""
    kim.open("/workloads")
    kim.link(FIRST, kim.page.locator("#rows")).click()
    kim.link("복제해서 요청|Clone into Trainer").click()
    rate = kim.field("학습률|Learning rate")
    expect(rate).to_have_value("0.001")
    rate.fill("0.01")
    panel = kim.page.locator("#outlook")
    expect(panel).to_contain_text(kim.say("원본과 다른 값 1개|1 value differs from the source"))
    differences = panel.locator(".differences li")
    expect(differences).to_have_count(1)
    expect(differences).to_contain_text("learning_rate")
    expect(differences).to_contain_text("0.01")
    expect(kim.field("워크로드 이름|Workload name")).to_have_value(SECOND)
    kim.button("학습 요청 제출|Submit training request", panel).click()
    kim.page.wait_for_url("**/workloads/W-*")


def _waits_for_storage(kim: Person, portal: Hosted) -> None:
    """Step 3: S3 stops while the results are saved; the run goes on by itself when it is back. Analyses are not there yet."""
    head = kim.page.locator("#wl-head")

    async def saving(world: World) -> bool:
        return any(row.name == SECOND and row.state == "saving" for row in await world.rows(Workload))

    for _ in range(60):
        portal.round(only=("resolving", "images", "control"), seconds=20)
        if portal.do(saving(portal.world)):
            break
    portal.world.store.down = True
    portal.round(3)
    assert portal.do(saving(portal.world))
    expect(head).to_contain_text(kim.say("결과 저장 중|Saving results"))
    portal.world.store.down = False
    _completes(portal, SECOND)
    expect(head).to_contain_text(kim.say("완료|Completed"))


def _compares_the_runs(kim: Person, person: PersonFactory) -> None:
    """Step 1, P12."""
    kim.open("/workloads")
    for name in (FIRST, SECOND):
        kim.field(f"{name} 선택|Tick {name}").check()
    kim.button("비교|Compare").click()
    expect(kim.page.get_by_role("heading", level=1)).to_have_text(kim.say("학습 결과 비교|Compare runs"))
    _shows_the_comparison(kim)
    kim.button("링크 복사|Copy link").click()
    link = kim.page.evaluate("navigator.clipboard.readText()")
    park = person("park")
    park.open(link)
    _shows_the_comparison(park)
    figures = "#compared-figures"
    assert park.page.locator(figures).inner_text() == kim.page.locator(figures).inner_text()


def _shows_the_comparison(one: Person) -> None:
    main = one.page.locator("main")
    expect(main.locator("#compared-chart")).to_be_visible()
    curves = json.loads(main.locator("#compared-chart").get_attribute("data-chart") or "{}")
    assert len(curves["lines"]) >= 2
    reward = main.locator("#metrics tbody tr").filter(has_text="reward")
    expect(reward.locator("td.best")).to_have_count(1)
    expect(reward.locator("td.best")).to_contain_text(one.say("최고|Best"))
    rows = main.locator("#settings tbody tr:not(.group-row)")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("learning_rate")
    assert sorted(rows.locator("td").all_inner_texts()) == ["0.001", "0.01"]


def _takes_the_model(kim: Person) -> None:
    """Step 2, list, lineage, download."""
    kim.open("/models")
    heads = kim.page.locator("#rows thead th")
    for both in (
        "모델명|Model",
        "원본 워크로드|Source workload",
        "생성일시|Created",
        "크기|Size",
        "상태|Status",
        "작업|Actions",
    ):
        expect(heads.filter(has_text=re.compile(f"^{kim.say(both)}$"))).to_have_count(1)
    rows = kim.page.locator("#rows tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text=f"{SECOND}-final")).to_contain_text("v2")
    kim.link(f"{SECOND}-final", rows).click()

    lineage = kim.page.locator(".lineage")
    expect(lineage.get_by_role("link", name="RL-DesignOpt-v1 1.0.0")).to_be_visible()
    for both in ("스펙 해시|Spec hash", "워크로드|Workload", "Slurm 작업|Slurm jobs", "이미지|Images"):
        expect(lineage).to_contain_text(kim.say(both))
    expect(lineage).to_contain_text(re.compile(r"[0-9a-f]{64}"))
    expect(lineage.locator(".digest")).to_have_count(3)
    expect(lineage.locator(".digest").first).to_contain_text("sha256:")

    _tab(kim, "원본 스펙 파일|Source spec file")
    expect(kim.page.locator(".spec-text")).to_contain_text('"learning_rate": 0.01')
    _tab(kim, "학습 구성|Training config")
    expect(kim.page.locator(".spec-text")).to_contain_text('"learning_rate": 0.01')
    _tab(kim, "실행 로그|Run logs")
    expect(kim.page.locator("main")).to_contain_text("TASK-001/CL-REF-002")

    _tab(kim, "파일|Files")
    row = kim.page.locator("table.cards tbody tr").filter(has_text="safetensors").first
    digest = row.locator("[data-copy]").get_attribute("data-copy")
    with kim.page.expect_download() as waiting:
        row.get_by_role("link").last.click()
    assert hashlib.sha256(waiting.value.path().read_bytes()).hexdigest() == digest


def _gives_an_alias(kim: Person) -> None:
    """Step 2: champion is v1, then v2 for a reason."""
    for version, reason in ((1, ""), (2, "수렴이 빠릅니다")):
        kim.open("/models")
        name = FIRST if version == 1 else SECOND
        kim.link(f"{name}-final", kim.page.locator("#rows")).click()
        kim.field("별칭 지정|Set alias").select_option("champion")
        kim.field("사유|Reason").fill(reason)
        kim.button("별칭 지정|Set alias").click()
        expect(kim.page.locator(".alias-line")).to_contain_text("champion")
    _tab(kim, "버전 이력|Version history")
    history = kim.page.locator(".card").filter(has_text=kim.say("별칭 이력|Alias history")).last
    expect(history).to_contain_text("수렴이 빠릅니다")
    expect(history.locator("li")).to_have_count(2)
    for label in ("v1", "v2"):
        expect(history).to_contain_text(label)


def _compares_the_models(kim: Person) -> None:
    """Step 2, P18: the two versions are ticked in the version history."""
    kim.button("비교|Compare").click()
    expect(kim.page.get_by_role("heading", level=1)).to_have_text(kim.say("모델 비교|Compare models"))
    expect(kim.page.locator("#settings")).to_contain_text("learning_rate")
    files = kim.page.locator("tr").filter(has=kim.page.get_by_role("rowheader", name=kim.say("별칭|Alias"), exact=True))
    expect(files.locator("td").filter(has_text="champion")).to_have_count(1)


def _tab(kim: Person, both: str) -> Locator:
    tab = kim.page.locator(".nav-tabs").get_by_role("link", name=kim.say(both), exact=True)
    tab.click()
    expect(kim.page.locator(".nav-tabs [aria-current=page]")).to_have_text(kim.say(both))
    return tab
