"""W10: a viewer reads what the laboratory shares, and can change nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from portal.db.models import Model
from tests.browser import apps, library
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.person import Person
from tests.daemon.world import World

RUN = "Shared-Run"
WAITS = "Waits-Here"
APP = "RL-DesignOpt-v1"


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_w10_a_viewer(person: PersonFactory, portal: Hosted) -> None:
    portal.do(library.add(portal.world, *apps.NAMES))
    run = _has_run(portal)
    kim, viewer = person("kim"), person("viewer")
    _has_no_way_in(viewer)
    _sees_the_home(viewer)
    _looks_at_an_app(viewer)
    _looks_at_a_component(viewer)
    _reads_a_shared_log(kim, viewer, run)
    _takes_no_model(viewer, portal)
    _loses_a_private_app(kim, viewer, portal, run)


def _has_run(portal: Hosted) -> str:
    """kim's App, its finished run with a model, and one that waits."""
    spec = apps.design(training_config={"episodes": 100})
    portal.do(apps.publish(portal.world, "kim", spec))
    run: str = portal.do(portal.world.submit(spec, name=RUN))
    portal.until(lambda world: _is(world, run, "completed"), seconds=60)
    portal.world.cluster.drained |= {"gpu1": "busy", "gpu2": "busy"}
    portal.do(portal.world.submit(spec, name=WAITS))
    portal.round(2)
    return run


def _has_no_way_in(viewer: Person) -> None:
    """Step 1."""
    menu = viewer.page.locator("#menu")
    entries = [one.strip() for one in menu.locator("a[href^='/']:not(.brand) span:first-of-type").all_text_contents()]
    assert viewer.say("모델|Models") in entries
    for both in ("학습 요청|Trainer", "승인 관리|Approvals", "관리|Administration"):
        assert viewer.say(both) not in entries
    needed = {
        "/trainer": "연구원|researcher",
        "/approvals": "연구원|researcher",
        "/admin/users": "관리자|admin",
    }
    for path, role in needed.items():
        answer = viewer.page.goto(path)
        assert answer is not None
        assert answer.status == 403, path
        heading = viewer.page.get_by_role("heading", level=1)
        expect(heading).to_have_text(
            viewer.say(
                "권한이 없습니다. 이 작업에는 {role} 역할이 필요합니다.|Not permitted. This needs the {role} role.",
                role=viewer.say(role),
            )
        )
        expect(heading).to_be_focused()


def _sees_the_home(viewer: Person) -> None:
    """Step 1: models and cluster."""
    viewer.open("/")
    main = viewer.page.locator("main")
    models = main.locator(".card").filter(has_text=viewer.say("최근 완료된 모델|Recently completed models"))
    expect(models.get_by_role("link", name=f"{RUN}-final")).to_be_visible()
    expect(main.locator(".card").filter(has_text=viewer.say("클러스터|Cluster"))).to_contain_text("A100")
    expect(main.get_by_role("link", name=viewer.say("새 App|New App"))).to_have_count(0)


def _looks_at_an_app(viewer: Person) -> None:
    """Step 2: the Builder without a handle."""
    viewer.open(f"/apps/{apps.DESIGN}")
    main = viewer.page.locator("main")
    for both in ("편집|Edit", "학습 요청|Request training"):
        expect(viewer.link(both, main)).to_have_count(0)
    for both in ("보관|Archive", "복제|Duplicate", "저장|Save"):
        expect(viewer.button(both, main)).to_have_count(0)
    viewer.link("보기|View", main).click()
    viewer.sees("읽기 전용|Read only")
    if not viewer.is_phone:
        _moves_nothing(viewer)
    expect(viewer.button("준비 완료로 발행|Publish as ready")).to_have_count(0)
    expect(viewer.page.locator(".b-save")).to_have_count(0)


def _moves_nothing(viewer: Person) -> None:
    page = viewer.page
    page.get_by_role("tab", name=viewer.say("Task 편집|Task editor"), exact=True).click()
    node = page.locator(".b-canvas [data-cell-id][role=group]").filter(has_text="rl-agent")
    before = node.get_attribute("transform")
    node.hover()
    page.mouse.down()
    page.mouse.move(900, 600, steps=5)
    page.mouse.up()
    assert node.get_attribute("transform") == before
    node.click()
    page.keyboard.press("Delete")
    expect(node).to_be_visible()


def _looks_at_a_component(viewer: Person) -> None:
    """Step 2."""
    viewer.open("/components/CL-REF-002")
    main = viewer.page.locator("main")
    expect(viewer.page.get_by_role("heading", level=1)).to_have_text("rl-agent")
    for both in ("수정|Edit", "새 버전|New version", "복제|Duplicate"):
        expect(viewer.link(both, main)).to_have_count(0)
    expect(viewer.button("사용 중단|Deprecate", main)).to_have_count(0)


def _reads_a_shared_log(kim: Person, viewer: Person, run: str) -> None:
    """Step 2: only where the owner shares it; nothing to cancel, nothing to take away."""
    viewer.open(f"/workloads/{run}?tab=logs")
    log = viewer.page.locator("one-log .log-line")
    expect(viewer.page.locator(".wl-logs")).to_be_visible()
    expect(log).to_have_count(0)
    kim.open(f"/apps/{apps.DESIGN}")
    kim.field("다른 사람도 실행 로그를 읽을 수 있음|Others read the logs of its runs too").check()
    kim.button("저장|Save", kim.page.locator("form[action$='/share']")).click()
    kim.sees("{name} 공개 범위 저장함|Who sees {name} is saved.", name=APP)
    viewer.page.reload()
    expect(log.first).to_be_visible()
    head = viewer.page.locator("#wl-head")
    for both in ("취소하기|Cancel workload", "지원 묶음 받기|Support bundle", "복제해서 요청|Clone into Trainer"):
        expect(viewer.link(both, head)).to_have_count(0)
    expect(viewer.page.locator("main a[download]")).to_have_count(0)


def _takes_no_model(viewer: Person, portal: Hosted) -> None:
    """Step 2: looks, without a download; its address is refused too."""
    (model,) = portal.do(portal.world.rows(Model))
    file = next(iter(model.manifest["files"]))["path"]
    viewer.open("/models")
    viewer.link(f"{RUN}-final", viewer.page.locator("#rows")).click()
    viewer.page.wait_for_url("**/models/**/v1")
    main = viewer.page.locator("main")
    expect(viewer.page.get_by_role("heading", level=1)).to_have_text(f"{RUN}-final")
    expect(main.get_by_text(viewer.say("다운로드|Download"), exact=True)).to_have_count(0)
    assert viewer.page.request.get(f"{viewer.page.url}/files/{file}").status == 403


def _loses_a_private_app(kim: Person, viewer: Person, portal: Hosted, run: str) -> None:
    """Step 2: 404 for its pages, a masked line in the queue."""
    model = viewer.page.url
    viewer.open("/queue")
    expect(viewer.page.locator(".queue-table")).to_contain_text(WAITS)
    kim.field("비공개|Private").check()
    kim.button("저장|Save", kim.page.locator("form[action$='/share']")).click()
    expect(kim.page.locator(".app-facts")).to_contain_text(kim.say("비공개|Private"))
    for path in (f"/apps/{apps.DESIGN}", f"/apps/{apps.DESIGN}/builder", f"/workloads/{run}", model):
        answer = viewer.page.goto(path)
        assert answer is not None
        assert answer.status == 404, path
        expect(viewer.page.get_by_role("heading", level=1)).to_contain_text(
            viewer.say("찾을 수 없거나 볼 수 없는 항목입니다|Not found, or not visible to you")
        )
    viewer.open("/queue")
    row = viewer.page.locator(".queue-table tbody tr").filter(
        has_text=re.compile(viewer.say("비공개 워크로드|Private workload"))
    )
    expect(row).to_have_count(1)
    expect(row).to_contain_text("A100")
    expect(row).to_contain_text("김연구원")
    expect(viewer.page.locator("main")).not_to_contain_text(WAITS)
    kim.open("/queue")
    expect(kim.page.locator(".queue-table")).to_contain_text(WAITS)


async def _is(world: World, workload_id: str, state: str) -> bool:
    return (await world.workload(workload_id)).state == state
