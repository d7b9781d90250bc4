"""A node's page, the wall, and the stream behind both: what is shown of a node, to whom, and that it is drawn once for all."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from portal.daemon import sampling
from portal.db.engine import transaction
from portal.db.models import App, ClusterSample, SlurmJob, now
from portal.domain.gpuuse import GpuReading
from portal.services import cluster, gpuuse, trends
from portal.services.audit import Actor
from portal.services.errors import NotFound
from portal.services.gpuuse import GpuUse
from portal.web import clusterlive
from portal.web.formats import formats
from portal.web.live import Live, Reader
from slurm.fake import records as fakerecords
from slurm.fake.cluster import FakeJob
from slurm.records import ClusterVersion, Snapshot
from slurm.submission import Component, Submission
from tests.web.conftest import Site
from tests.web.test_resources_pages import lab, running
from tests.web.test_signin import sign_in

__all__ = ["lab"]


async def page_of(site: Site, who: str, path: str) -> str:
    async with site.client() as browser:
        await sign_in(browser, who)
        return (await browser.get(path)).text


async def test_a_node_says_who_drained_it_and_why(lab: Site) -> None:
    lab.world.cluster.drained["gpu2"] = "fan <broken>"
    await lab.world.round()
    page = await page_of(lab, "viewer", "/resources/nodes/gpu2")
    for text in ("Drain", "fan &lt;broken&gt;", "root", "scontrol show node gpu2", "GPU (A100)", "측정 안 됨"):
        assert text in page, text
    assert "이 노드에서 실행 중인 작업이 없습니다." in page
    async with lab.client() as browser:
        await sign_in(browser, "viewer")
        assert (await browser.get("/resources/nodes/gpu9")).status_code == 404


async def test_what_runs_on_it_is_linked_and_private_work_of_others_keeps_its_name(
    lab: Site, small: dict[str, Any]
) -> None:
    made = await running(lab, small)
    jobs = await lab.world.rows(SlurmJob)
    names = {name for job in jobs for name in job.nodes}
    here = min(names)
    _outside_job(lab, here)
    await lab.world.round()
    page = await page_of(lab, "park", f"/resources/nodes/{here}")
    for text in (f'href="/workloads/{made}"', "busy", "notebook", "포털 밖 작업"):
        assert text in page, text
    async with transaction(lab.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    page = await page_of(lab, "park", f"/resources/nodes/{here}")
    assert (made in page, ">busy<" in page, "비공개 워크로드" in page) == (False, False, True)
    assert made in await page_of(lab, "admin", f"/resources/nodes/{here}")
    other = next(node.name for node in lab.world.cluster.nodes if node.name not in names)
    assert made not in await page_of(lab, "admin", f"/resources/nodes/{other}")


def _outside_job(site: Site, node: str) -> FakeJob:
    """A job that nobody submitted through the portal, running on this node."""
    component = Component("notebook", "lab", "a100", "one-normal", 0, 1, 1, 100, "", "", 60, "", "")
    submission = Submission("lee", "#!/bin/sh\n", "/tmp", "/dev/null", ("PATH=/usr/bin:/bin",), (component,))
    (job,) = site.world.cluster.add(submission, [component], owner="lee")
    job.state, job.nodes, job.started_at = "RUNNING", (node,), site.world.cluster.now
    return job


async def test_its_past_and_its_use_are_those_of_the_samples(lab: Site) -> None:
    at = now().replace(second=0, microsecond=0)
    reading = {"gpu:A100": {"allocated": 4, "used": 3}, "cpu": {"allocated": 8}, "memory": {"allocated": 2048}}
    async with transaction(lab.world.maker) as session:
        for back, state in ((30, "drain"), (29, "drain"), (28, "active"), (3, "active")):
            notes = {} if state == "active" else {"gpu1": state}
            row = ClusterSample(at=at - timedelta(minutes=back), span_s=60, reading={"cpu": {}}, notes=notes)
            row.nodes = {"gpu1": reading}
            session.add(row)
    page = await page_of(lab, "viewer", "/resources/nodes/gpu1?range=1h")
    history = page[page.index("최근 31일") :]
    rows = re.findall(r"<tr>.*?</tr>", history[: history.index("</section>")], re.S)[1:]
    assert [("Drain" in row, "측정 없음" in row) for row in rows] == [(False, True), (True, False)]
    assert "2분" in rows[1], "two samples of a minute"
    assert re.search(r"\[\d+(\.0)?, ?4(\.0)?\]", page.replace("&#34;", '"')), "what was allocated is drawn"
    other = await page_of(lab, "viewer", "/resources/nodes/gpu3")
    assert "Drain</span>" not in other[other.index("최근 31일") :], "another node's past is not this one's"


async def test_a_node_that_was_always_well_says_so(lab: Site) -> None:
    await sampling.sample(lab.world.context)
    assert "이 노드는 항상 Active" in await page_of(lab, "viewer", "/resources/nodes/gpu3")


async def test_the_daemons_samples_have_every_node_and_thin_out(lab: Site) -> None:
    await sampling.sample(lab.world.context)
    async with lab.world.maker() as session:
        found = await trends.of_node(session, lab.world.actors["kim"], "gpu3", "1h")
    assert found[0].reading["gpu:V100"] == {"allocated": 0, "used": None}, "not measured is not 0"


async def _mixed(site: Site) -> cluster.ClusterView:
    """gpu1 with GPUs of two types."""
    taken: Snapshot = fakerecords.snapshot(site.world.cluster)
    nodes = tuple(
        replace(node, gres={"gpu:A100": 2, "gpu:tesla_v100": 1}, gres_used={"gpu:A100": 1})
        if node.name == "gpu1"
        else node
        for node in taken.nodes
    )
    async with transaction(site.world.maker) as session:
        await cluster.store(session, replace(taken, nodes=nodes), ClusterVersion("26.05.5", "native", "test", ""))
        return await cluster.nodes(session, site.world.context.settings)


async def test_a_node_with_gpus_of_two_types_is_measured_by_their_models(site: Site) -> None:
    view = await _mixed(site)
    models = ("NVIDIA A100-SXM4-80GB", "Tesla V100-SXM2-32GB", "NVIDIA A100-SXM4-80GB")
    told = tuple(GpuReading("gpu1", index, model, 90.0 if index else 0.0) for index, model in enumerate(models))
    uses = gpuuse.by_type(view, GpuUse(now(), told))
    assert {label: (use.busy, use.measured) for label, use in uses.items()} == {"A100": (1, 1), "V100": (1, 0)}
    assert gpuuse.labels(view, GpuUse(now(), told)) == {("gpu1", 0): "A100", ("gpu1", 1): "V100", ("gpu1", 2): "A100"}
    assert gpuuse.by_type(view, GpuUse(now(), told[:2])) == {}, "a GPU without a figure: none of the node counts"


async def test_the_wall_has_three_panels_and_no_menu(lab: Site) -> None:
    page = await page_of(lab, "viewer", "/resources/wall?show=nodes")
    assert re.findall(r'data-panel="(\w+)"[^>]*?(hidden)?>', page) == [
        ("summary", "hidden"),
        ("nodes", ""),
        ("trends", "hidden"),
    ]
    assert 'data-bs-theme="light"' in page
    assert "url=/resources/wall?show=trends" in page, "without scripts the page goes on by itself"
    for menu in ('class="sidebar', 'class="topbar"', 'id="bell"'):
        assert menu not in page, menu


def reader(actor: Actor) -> Reader:
    return Reader(actor, "ko", formats("ko", "Asia/Seoul"))


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"tab": "nodes", "type": "A100, B:=%"},
        {"tab": "workloads"},
        {"tab": "trends"},
        {"node": "gpu1"},
        {"wall": "1"},
    ],
)
async def test_the_parts_of_the_stream_are_nobodys_own(lab: Site, shown: dict[str, str]) -> None:
    live: Live = lab.app.state.live
    (topic,) = live.topics(clusterlive.topic(shown))
    assert clusterlive.shown_of(topic.key) == shown
    for name in ("kim", "admin"):
        actor = lab.world.actors[name]
        html = await live.parts(reader(actor), topic, "1", await live.viewpoint(actor, topic))
        assert "data-live-part" in html
        assert "form_token" not in html


async def test_the_cluster_is_drawn_once_for_everybody_but_not_whose_private_work_runs(lab: Site) -> None:
    live: Live = lab.app.state.live
    kim, park, admin = (lab.world.actors[name] for name in ("kim", "park", "admin"))
    (summary,) = live.topics(clusterlive.topic({"tab": "summary"}))
    renders = live.renders
    for actor in (kim, park, admin):
        await live.parts(reader(actor), summary, "1", await live.viewpoint(actor, summary))
    assert live.renders - renders == 1
    (node,) = live.topics(clusterlive.topic({"node": "gpu1"}))
    assert len({await live.viewpoint(actor, node) for actor in (kim, park, admin)}) == 3
    (gone,) = live.topics(clusterlive.topic({"node": "gpu9"}))
    with pytest.raises(NotFound):
        await live.parts(reader(kim), gone, "1", "x")


async def test_the_marks_change_with_the_picture_and_trends_with_the_samples(lab: Site) -> None:
    live: Live = lab.app.state.live
    keys = [live.topics(clusterlive.topic({"tab": tab}))[0].key for tab in ("summary", "trends")]
    kind = live._kinds["cluster"]
    before = await kind.marks(keys)
    assert await kind.marks(keys) == before
    await lab.world.round(only=("control",))
    after = await kind.marks(keys)
    assert (after[keys[0]] != before[keys[0]], after[keys[1]] == before[keys[1]]) == (True, True)
    await sampling.sample(lab.world.context)
    assert (await kind.marks(keys))[keys[1]] != before[keys[1]]
