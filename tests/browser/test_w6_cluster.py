"""W6: an administrator reads the cluster: what is there, what is used, what is broken, and GPUs that are shared."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from playwright.sync_api import Locator, expect

from portal.db.engine import transaction
from portal.domain.gpuuse import SIMULATED_MODEL, GpuReading
from portal.services import gpuuse
from portal.settings import Monitoring, Settings
from tests.browser import apps, resources_scene, scene, seed, site
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.person import Person
from tests.daemon.world import World

MOMENT = 0.1
MODEL = f"{SIMULATED_MODEL} A100"
BUSY = {("gpu1", 0), ("gpu1", 1)}
REFRESHED_MS = 15_000
"""The stream tells within a second or two; a busy machine takes longer."""
WALL_MS = 20_000
TOTAL, ALLOCATED, USED, IDLE, UNAVAILABLE = range(2, 7)


@pytest.fixture(scope="module")
def build() -> Iterator[site.Build]:
    """A portal that knows a Prometheus; the walk writes what its daemon would have read there."""
    plain = scene.settings_in

    def told(folder: Path, port: int = 0) -> Settings:
        return plain(folder, port).model_copy(update={"monitoring": Monitoring(prometheus="http://127.0.0.1:9")})

    with patch.object(scene, "settings_in", told):
        yield seed.build


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_w6_an_administrator_reads_the_cluster(person: PersonFactory, portal: Hosted) -> None:
    admin = person("admin")
    _adds_up(admin, portal)
    _sees_it_fill(admin, portal)
    _tells_measured_from_not(admin, portal)
    _sees_nodes_fail(admin, portal)
    _sees_who_uses_it(admin)
    _sees_the_day(admin, portal)
    _hangs_it_on_the_wall(person("viewer"), portal)
    _shares_a_gpu(person("kim"), admin, portal)


def _adds_up(admin: Person, portal: Hosted) -> None:
    """Step 1."""
    portal.round(seconds=MOMENT)
    admin.open("/resources")
    rows = admin.page.locator(".resource-table tbody tr")
    expect(rows).to_have_count(4)
    for row in rows.all():
        total, *parts = [_figure(row, column) for column in (TOTAL, ALLOCATED, IDLE, UNAVAILABLE)]
        assert total == sum(parts) > 0, row.inner_text()
    for label in ("A100", "V100"):
        expect(_row(admin, label)).to_contain_text(admin.say("모의 GPU|Fake GPU"))
    assert _figure(_row(admin, "A100"), TOTAL) == 16


def _sees_it_fill(admin: Person, portal: Hosted) -> None:
    """Step 1: a small training starts; the page follows by itself."""
    row = _row(admin, "A100")
    assert _figure(row, ALLOCATED) == 0
    portal.do(portal.world.submit(apps.design(), name="Small-Training"))
    portal.round(3, seconds=MOMENT)
    held = _cell(row, ALLOCATED).locator("b")
    expect(held).not_to_have_text("0", timeout=REFRESHED_MS)
    given = [portal.world.cluster.used(name).gpus for name in ("gpu1", "gpu2")]
    assert _figure(row, ALLOCATED) == sum(given)
    assert _figure(row, ALLOCATED) + _figure(row, IDLE) + _figure(row, UNAVAILABLE) == 16


def _tells_measured_from_not(admin: Person, portal: Hosted) -> None:
    """Step 1: percent is of the total; without an exporter nothing is 0 %."""
    readings = [
        GpuReading(node, index, MODEL, 90.0 if (node, index) in BUSY else 0.0)
        for node in ("gpu1", "gpu2")
        for index in range(8)
    ]
    portal.do(_told(portal.world, *readings))
    admin.page.reload()
    used = _cell(_row(admin, "A100"), USED)
    assert _figure(_row(admin, "A100"), USED) == len(BUSY)
    expect(used).to_contain_text(re.compile(r"\(12\.5\s*%\)"))
    expect(used).to_contain_text(admin.say("모의 측정|Simulated"))
    portal.do(_told(portal.world, problem="no answer from the exporter"))
    admin.page.reload()
    expect(used).to_contain_text(admin.say("측정 안 됨|Not measured"))
    expect(used).not_to_contain_text("%")


async def _told(world: World, *readings: GpuReading, problem: str = "") -> None:
    async with transaction(world.maker) as session:
        await gpuuse.store(session, readings, problem)


def _sees_nodes_fail(admin: Person, portal: Hosted) -> None:
    """Step 2. `scontrol` and a killed slurmd are what the simulated cluster is told."""
    cluster = portal.world.cluster
    cluster.drained["gpu2"] = "fan"
    cluster.kill_node("gpu3")
    portal.round(seconds=MOMENT)
    admin.page.reload()
    assert _figure(_row(admin, "A100"), UNAVAILABLE) == 8
    assert _figure(_row(admin, "V100"), UNAVAILABLE) == 8
    admin.open("/resources?tab=nodes")
    nodes = admin.page.locator("main tbody tr")
    expect(nodes.filter(has_text="gpu2")).to_contain_text(re.compile(r"Drain[\s\S]*fan[\s\S]*root"))
    expect(nodes.filter(has_text="gpu3")).to_contain_text(re.compile(r"Down[\s\S]*Not responding"))
    nodes.get_by_role("link", name="gpu2").click()
    expect(admin.page.locator("h1")).to_have_text("gpu2")
    expect(admin.page.locator("#node-now")).to_contain_text(re.compile(r"Drain[\s\S]*fan[\s\S]*root"))
    admin.open("/resources?tab=nodes")
    for name in ("gpu2", "gpu3"):
        cluster.restore_node(name)
    portal.round(seconds=MOMENT)
    for name in ("gpu2", "gpu3"):
        expect(nodes.filter(has_text=name)).to_contain_text("Active", timeout=REFRESHED_MS)


def _sees_who_uses_it(admin: Person) -> None:
    """Step 2: by workload, with what its launchers measure."""
    admin.link("워크로드별|By workload").click()
    row = admin.page.locator("main tbody tr").filter(has_text="Small-Training")
    expect(row).to_contain_text("김연구원")
    expect(row).to_contain_text("A100 x")
    expect(row).to_contain_text(re.compile(r"\d / 3"))


def _sees_the_day(admin: Person, portal: Hosted) -> None:
    """Step 2: a day of samples, one of a drained node, as a file too."""
    portal.do(resources_scene.lay(portal.world))
    admin.link("추이|Trends").click()
    admin.link("24시간|24 hours").click()
    charts = admin.page.locator("one-chart")
    expect(charts.first.locator("svg").first).to_be_visible()
    assert "gpu2 Drain" in (charts.first.get_attribute("data-chart") or "")
    with admin.page.expect_download() as waiting:
        admin.link("CSV").click()
    head, *lines = csv.reader(waiting.value.path().read_text("utf-8-sig").splitlines())
    assert head[:3] == ["at", "resource", "total"]
    assert len(lines) > 100


def _hangs_it_on_the_wall(viewer: Person, portal: Hosted) -> None:
    """Step 2: three panels in turn; Space stops; a lost connection comes back by itself; Esc leaves."""
    page = viewer.page
    page.clock.install()
    viewer.open("/resources")
    viewer.link("전체 화면|Wall mode").click()
    wall = page.locator(".wall")
    expect(wall).to_have_attribute("data-show", "summary")
    expect(page.locator(".sidebar, .topbar")).to_have_count(0)
    for panel in ("nodes", "trends", "summary"):
        page.clock.run_for(WALL_MS)
        expect(page.locator(f"[data-panel={panel}]")).to_be_visible()
        expect(page.locator("[data-panel]:visible")).to_have_count(1)
    page.keyboard.press("Space")
    expect(page.locator(".wall-stopped")).to_be_visible()
    page.clock.run_for(3 * WALL_MS)
    expect(wall).to_have_attribute("data-show", "summary")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    stamp = page.locator("#wall-stamp time")
    before = stamp.get_attribute("datetime") or ""
    viewer.watch.allow(r"ERR_INTERNET_DISCONNECTED|ERR_NETWORK")
    page.context.set_offline(True)
    page.clock.run_for(WALL_MS)
    portal.round(seconds=MOMENT)
    page.context.set_offline(False)
    expect(stamp).not_to_have_attribute("datetime", before)
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/resources$"))


def _shares_a_gpu(kim: Person, admin: Person, portal: Hosted) -> None:
    """Step 3: half of a V100, twice. The simulated Slurm counts the shares of a node and numbers no GPUs, so that both
    halves are of the same GPU is left out."""
    half: dict[str, Any] = {"gpu_type": "V100", "gpu_shards": 2, "memory": "8GB"}
    task = {
        "task_id": "TASK-001",
        "name": "infer",
        "components": [apps.component(1, "env-simulator", "env-sim", **half)],
        "workflow": [],
    }
    spec = {"app_id": "APP-SHARED", "name": "Shared", "version": "1.0.0", "tasks": [task]}
    portal.do(apps.publish(portal.world, "kim", spec))
    kim.open("/trainer?app=APP-SHARED")
    row = kim.page.locator("tr").filter(has_text="env-simulator")
    expect(row).to_contain_text(kim.say("1 GPU의 2/4|2/4 of one GPU"))
    expect(row).to_contain_text(kim.say("개발·추론 용도|For development and inference"))
    for name in ("Half-1", "Half-2"):
        portal.do(portal.world.submit(spec, name=name))
    portal.round(3, seconds=MOMENT)
    running = [job for job in portal.world.cluster.jobs.values() if job.component.gres == "shard:2"]
    assert [(job.state, job.nodes) for job in running] == [("RUNNING", ("gpu3",))] * 2
    admin.open("/resources")
    expect(_row(admin, "V100")).to_contain_text(admin.say("분할 4/32 사용|4 of 32 shares used"))


def _row(admin: Person, label: str) -> Locator:
    return admin.page.locator(".resource-table tbody tr").filter(has_text=f"GPU ({label})")


def _cell(row: Locator, column: int) -> Locator:
    return row.locator(f"td:nth-child({column})")


def _figure(row: Locator, column: int) -> float:
    return float(_cell(row, column).locator("b").first.inner_text().replace(",", ""))
