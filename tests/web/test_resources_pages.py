"""P15 over HTTP: the table of 7.2, nodes with their reasons, use by workload, and trends; what is not measured says so."""

from __future__ import annotations

import html
import json
import os
import pwd
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.daemon import sampling
from portal.db.engine import transaction
from portal.db.models import App, ClusterSample, now
from portal.services import accounts, passwords
from tests.web.conftest import Site
from tests.web.test_signin import PASSWORD, sign_in

_NUMBER = re.compile(r"<b>([\d,.]+)</b>")


@pytest.fixture
async def lab(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Everybody can sign in; every Unix user is the one who runs the tests."""
    own = pwd.getpwuid(os.getuid())
    monkeypatch.setattr("portal.services.runfolder.pwd.getpwnam", lambda name: own)
    async with transaction(site.world.maker) as session:
        for name in ("admin", "park", "viewer"):
            await passwords.put(await accounts.user_named(session, name), PASSWORD, temporary=False)
    await site.world.round()
    return site


def row_of(page: str, label: str) -> str:
    rows: list[str] = re.findall(r"<tr>.*?</tr>", page, re.S)
    return next(row for row in rows if f">{label}</span>" in row)


async def running(site: Site, spec: dict[str, Any], *, util: int = 80) -> str:
    """A workload that runs, whose first component uses what its samples say."""
    made = await site.world.submit(spec, name="busy")
    for _ in range(3):
        await site.world.round()
    attempt = (await site.world.workload(made)).attempts[-1]
    step = "TASK-001/CL-REF-001"
    folder = Path(attempt.run_dir)
    place = folder / "steps" / step / "t1"
    place.mkdir(parents=True)
    events = [
        {"t": 1.0, "event": "runner_started", "het_size": 2, "host": "gpu1"},
        {"t": 2.0, "event": "step_started", "step": step, "try": 1, "iteration": 1, "group": 0, "hosts": ["gpu1"]},
    ]
    (folder / "events.0.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    gpus = [{"index": 0, "util": util, "mem_mib": 30_000}]
    samples = [{"t": 10.0 * n, "cpu_s": 15.0 * n, "rss_mib": 2048.0, "gpus": gpus} for n in range(1, 6)]
    (place / "usage.0.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    await site.world.round()
    return made


async def test_the_table_adds_up_and_does_not_invent_use(lab: Site, small: dict[str, Any]) -> None:
    async with lab.client() as browser:
        await sign_in(browser, "viewer")
        await lab.world.submit(small)
        for _ in range(3):
            await lab.world.round()
        page = (await browser.get("/resources")).text
        for label in ("GPU (A100)", "GPU (V100)", "메모리", "CPU"):
            row = row_of(page, label)
            total, allocated, idle, gone = (float(one.replace(",", "")) for one in _NUMBER.findall(row))
            assert total == allocated + idle + gone, label
            assert "측정 안 됨" in row, "nobody measured it: never 0"
        assert ("모의 GPU" in row_of(page, "GPU (A100)")) == lab.world.context.settings.slurm.fake_gpus


async def test_what_the_launchers_measure_is_shown_of_the_total(lab: Site, small: dict[str, Any]) -> None:
    made = await running(lab, small)
    await sampling.sample(lab.world.context)
    async with lab.client() as browser:
        await sign_in(browser, "park")
        row = row_of((await browser.get("/resources")).text, "GPU (A100)")
        total, allocated, used, *_ = (float(one) for one in _NUMBER.findall(row))
        assert (total, used, "(6.2%)" in row) == (16, 1, True), row
        assert allocated >= used
        listed = (await browser.get("/resources", params={"tab": "workloads"})).text
        for text in (f'href="/workloads/{made}"', "80%", "29.3 GB", "2 GB", "1.5"):
            assert text in listed, text
        async with transaction(lab.world.maker) as session:
            (await session.get_one(App, small["app_id"])).visibility = "private"
        listed = (await browser.get("/resources", params={"tab": "workloads"})).text
        assert (made in listed, "busy" in listed, "비공개 워크로드" in listed) == (False, False, True)


async def test_an_idle_gpu_is_named_as_such(lab: Site, small: dict[str, Any]) -> None:
    await running(lab, small, util=1)
    async with lab.client() as browser:
        await sign_in(browser, "admin")
        listed = (await browser.get("/resources", params={"tab": "workloads"})).text
        assert "할당됐으나 쉬는 GPU" in listed


async def test_nodes_that_need_somebody_come_first_with_who_and_why(lab: Site) -> None:
    lab.world.cluster.drained["gpu2"] = "fan <broken>"
    lab.world.cluster.kill_node("gpu3")
    await lab.world.round()
    async with lab.client() as browser:
        await sign_in(browser, "viewer")
        page = (await browser.get("/resources", params={"tab": "nodes"})).text
        order = re.findall(r'class="name mono"[^>]*>(gpu\d)<', page)
        assert order == ["gpu3", "gpu2", "gpu1"]
        for text in ("Down", "Drain", "Active", html.escape("fan <broken>"), "scontrol update nodename"):
            assert text in page, text
        only = (await browser.get("/resources", params={"tab": "nodes", "state": "drain"})).text
        assert re.findall(r'class="name mono"[^>]*>(gpu\d)<', only) == ["gpu2"]
        assert "조건에 맞는 노드가 없습니다." in (await browser.get("/resources?tab=nodes&type=H100")).text
        row = row_of((await browser.get("/resources")).text, "GPU (V100)")
        assert [float(one) for one in _NUMBER.findall(row)][-1] == 8, "a dead node's GPUs are unavailable"


async def test_trends_show_their_gaps_and_the_file_has_the_rest(lab: Site) -> None:
    async with lab.client() as browser:
        await sign_in(browser, "viewer")
        assert "측정 없음" in (await browser.get("/resources?tab=trends&range=7d")).text
        await sampling.sample(lab.world.context)
        await sampling.sample(lab.world.context)
        (first,) = await lab.world.rows(ClusterSample)
        async with transaction(lab.world.maker) as session:
            session.add(ClusterSample(at=now() - timedelta(minutes=30), span_s=60, reading=first.reading, notes={}))
        page = (await browser.get("/resources?tab=trends&range=1h")).text
        chart = json.loads(html.unescape(re.findall(r'id="chart-1" data-chart="([^"]+)"', page)[0]))
        values = [value for _, value in chart["lines"][0]["points"]]
        assert values == [0, None, 0], "a hole in the samples is a hole in the line"
        file = await browser.get("/resources/trends.csv?range=1h")
        assert file.headers["content-type"].startswith("text/csv")
        assert file.text.lstrip("\ufeff").splitlines()[0] == "at,resource,total,allocated,used,idle,unavailable,waiting"
        assert "gpu:A100,16,0,0,16,0,0" in file.text
        assert (await browser.get("/resources/trends.csv?range=nonsense")).status_code == 200


async def test_shares_of_split_gpus_are_counted_beside_whole_ones(lab: Site, small: dict[str, Any]) -> None:
    for part in small["tasks"][0]["components"]:
        part["resources"] = {"memory": "1GB"}
    small["tasks"][0]["components"][0]["resources"] = {"gpu_type": "V100", "gpu_shards": 2, "memory": "1GB"}
    await lab.world.submit(small, name="half")
    for _ in range(4):
        await lab.world.round()
    async with lab.client() as browser:
        await sign_in(browser, "viewer")
        row = row_of((await browser.get("/resources")).text, "GPU (V100)")
        assert "분할 2/32 사용" in row, row
        assert "분할 2/32 사용" in (await browser.get("/resources?tab=nodes&type=V100")).text
        assert "V100 분할 2조각" in (await browser.get("/resources?tab=workloads")).text
