"""W12: a phone on the way, 360 px wide, dark, English: the gate, an outage of Slurm, a session that ends in the Builder."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from portal.db.models import Workload
from portal.web.cookies import SESSION
from tests.browser import apps, library
from tests.browser.conftest import PHONE, PersonFactory
from tests.browser.drawing import Drawing
from tests.browser.hosted import Hosted
from tests.browser.person import Person, fill_in
from tests.browser.scene import PASSWORD
from tests.daemon.world import World

MOMENT = 0.1
TARGET_PX = 44
SMALL = """least => [...document.querySelectorAll(
  "main .btn, main button, main summary, main select, main input:not([type=hidden]):not([type=checkbox]):not([type=radio]),"
  + ".topbar a, .topbar button, .topbar summary")].filter(one => one.checkVisibility())
  .filter(one => one.getBoundingClientRect().height > 1)
  .map(one => [one.outerHTML.slice(0, 120),
    Math.max(one.getBoundingClientRect().height, parseFloat(getComputedStyle(one, "::after").height) || 0)])
  .filter(([, height]) => height < least).map(([text, height]) => `${height}: ${text}`)"""
"""What one can press and is lower than so many pixels; a larger area may lie around what is drawn (`::after`)."""


pytestmark = pytest.mark.parametrize(("language", "width"), [("en", PHONE)], scope="module")


@pytest.fixture(scope="module")
def stocked(portal: Hosted) -> Hosted:
    """The portal with components in its library."""
    portal.do(library.add(portal.world, *apps.NAMES))
    return portal


def test_w12_a_phone_on_the_way(person: PersonFactory, stocked: Hosted) -> None:
    """Steps 1 and 2; step 3 has a test of its own."""
    stocked.do(apps.publish(stocked.world, "kim", apps.design()))
    asked, running = _has_work(stocked)
    admin, kim = person("admin", dark=True), person("kim", dark=True)
    _approves(admin, asked)
    _moves_up(admin, stocked)
    _loses_slurm(admin, kim, stocked, running)


def test_w12_what_was_written_outlives_the_session(person: PersonFactory, stocked: Hosted) -> None:
    """Step 3: what is changed when the session ends is there after signing in again, and is saved without a question."""
    stocked.do(apps.publish(stocked.world, "kim", apps.design(app_id="APP-PHONE1", name="Phone")))
    kim, admin = person("kim", dark=True), person("admin", dark=True)
    _changes_memory(kim)
    _signs_in_again(kim)
    _looks_around(kim, stocked)
    admin.open("/admin/audit?actor=kim")
    expect(admin.page.locator("main")).to_contain_text("kim")


def _changes_memory(kim: Person) -> None:
    """The Builder opens in its outline; one memory is changed and saved by itself."""
    kim.open("/apps/APP-PHONE1/builder")
    page, drawing = kim.page, Drawing(kim)
    page.get_by_role("tab", name="Task editor", exact=True).click()
    part = _part(kim)
    part.locator("summary").first.click()
    kim.field("Memory", part).fill("24GB")
    kim.field("Memory", part).blur()
    drawing.saved()


def _signs_in_again(kim: Person) -> None:
    page, part = kim.page, _part(kim)
    page.context.clear_cookies(name=SESSION)
    kim.field("Memory", part).fill("48GB")
    kim.field("Memory", part).blur()
    dialog = page.locator("dialog.b-dialog[open]")
    expect(dialog).to_contain_text("Your session expired")
    kim.button("Sign in", dialog).click()
    page.wait_for_url("**/login?**")
    fill_in(kim, PASSWORD)
    page.wait_for_url("**/apps/APP-PHONE1/builder**")
    Drawing(kim).saved()
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.reload()
    page.get_by_role("tab", name="Task editor", exact=True).click()
    part.locator("summary").first.click()
    expect(kim.field("Memory", part)).to_have_value("48GB")
    expect(page.locator("dialog[open]")).to_have_count(0)


def _part(kim: Person) -> Locator:
    """The outline's entry of reward-calc."""
    page = kim.page
    return page.locator(".b-outline > li").filter(has=page.locator("summary strong", has_text="reward-calc"))


def _looks_around(kim: Person, portal: Hosted) -> None:
    """Resources: a node that is down says why; no page scrolls sideways."""
    portal.world.cluster.drained |= {"gpu2": "fan"}
    portal.round(2, seconds=MOMENT)
    for path in ("/resources", "/resources?tab=nodes", "/models"):
        kim.open(path)
        _fits(kim)


def _has_work(portal: Hosted) -> tuple[str, str]:
    """One that runs, one that waits for GPUs, and one that was tested and waits for a decision."""
    large = apps.design(app_id="APP-LARGE1", name="Large")
    large["tasks"][0]["components"][1]["resources"]["gpu_count"] = 4
    asked: str = portal.do(portal.world.submit(large, name="Asks"))
    portal.round(only=("resolving",))
    portal.do(portal.world.start_test(asked))
    portal.until(lambda world: _is_tested(world, asked), seconds=30)
    running: str = portal.do(portal.world.submit(apps.design(), name="Runs"))
    portal.round(3, seconds=MOMENT)
    portal.world.cluster.drained |= {"gpu1": "busy", "gpu2": "busy"}
    portal.do(portal.world.submit(apps.design(), name="Waits"))
    portal.round(2, seconds=MOMENT)
    return asked, running


def _approves(admin: Person, asked: str) -> None:
    """Step 1: from the notification; what decides stands first."""
    page = admin.page
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.locator(".bell summary").click()
    page.locator("#bell-list .notice").filter(has_text="Request needs approval").click()
    expect(page).to_have_url(re.compile(f"/approvals/{asked}$"))
    _fits(admin)
    order = page.locator("main h2").all_inner_texts()
    assert order[:2] == ["Minimal run test", "Decision"]
    expect(page.locator("#test")).to_contain_text("Test passed")
    admin.link("Approve", page.locator("#decision")).click()
    admin.button("Approve", page.locator("dialog[open]")).click()
    expect(page.locator(".page-head")).to_contain_text("Queued")
    _fits(admin)


def _moves_up(admin: Person, portal: Hosted) -> None:
    """Step 1: by the card's menu."""
    portal.round(2, seconds=MOMENT)
    admin.open("/queue")
    _fits(admin)
    names = admin.page.locator("tr[data-id] a.name")
    expect(names).to_have_text(["Waits", "Asks"])
    row = admin.page.locator("tr[data-id]").filter(has_text="Asks")
    row.locator("summary").click()
    admin.button("Up", row).click()
    expect(names).to_have_text(["Asks", "Waits"])
    admin.button("Undo", admin.page.locator("#toasts")).click()
    expect(names).to_have_text(["Waits", "Asks"])


def _loses_slurm(admin: Person, kim: Person, portal: Hosted, running: str) -> None:
    """Step 2: said on every page; nothing fails; what is submitted meanwhile is passed on once."""
    portal.world.slurm.outage = "no answer"
    portal.round(2, seconds=MOMENT)
    admin.page.wait_for_timeout(2_000)  # the frame's glance is two seconds old at most
    for path in ("/", "/apps", "/workloads", "/queue", "/resources", "/models", "/account"):
        admin.open(path)
        expect(admin.page.locator(".banner")).to_contain_text("Slurm is unreachable (since")
        _fits(admin)
    admin.open(f"/workloads/{running}")
    head = admin.page.locator("#wl-head")
    expect(head).to_contain_text("Running")
    expect(head).to_contain_text("Unknown since")
    _fits(admin)

    kim.open(f"/trainer?app={apps.DESIGN}")
    expect(kim.page.locator("#outlook")).to_contain_text("It will be passed on when Slurm is back.")
    _fits(kim)
    kim.field("Workload name").fill("Meanwhile")
    kim.button("Submit training request").locator("visible=true").last.click()
    kim.page.wait_for_url("**/workloads/W-*")
    meanwhile = kim.page.url.rpartition("/")[2]
    portal.round(2, seconds=MOMENT)
    assert _jobs(portal, meanwhile) == 0
    expect(kim.page.locator("#wl-head")).to_contain_text("Queued")
    states = {row.state for row in portal.do(portal.world.rows(Workload))}
    assert "failed" not in states

    portal.world.slurm.outage = ""
    portal.round(3, seconds=MOMENT)
    expect(kim.page.locator("#wl-head")).to_contain_text("Waiting for resources")
    assert _jobs(portal, meanwhile) == 1
    expect(head).not_to_contain_text("Unknown since")


def _jobs(portal: Hosted, workload_id: str) -> int:
    """Slurm jobs of a workload, ended ones too."""
    return sum(job.is_leader and workload_id in job.comment for job in portal.world.cluster.jobs.values())


def _fits(somebody: Person) -> None:
    """No page scrolls sideways, and what one presses is 44 px high (section 2)."""
    page = somebody.page
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE, f"{page.url} is {wide} px wide"
    small = page.evaluate(SMALL, TARGET_PX)
    assert not small, "\n".join([page.url, *small])


async def _is_tested(world: World, workload_id: str) -> bool:
    found = (await world.workload(workload_id)).test
    return found is not None and found.status == "passed"
