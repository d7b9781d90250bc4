"""GPU use from Prometheus: what is asked, what is believed, and what is shown when it or an exporter is silent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from portal.daemon import measuring, partchecks, sampling
from portal.daemon.context import Context
from portal.daemon.prometheus import MAX_ANSWER_BYTES, Prometheus, PrometheusError
from portal.db.engine import transaction
from portal.db.models import ClusterSample, DaemonReport
from portal.domain.gpuuse import QUERIES, readings_of
from portal.services import cluster, clusteruse, gpuuse, reports
from portal.settings import Monitoring
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
ADDRESS = "http://prometheus:9090"


def gpu(node: str, index: int, model: str = "NVIDIA A100", **more: str) -> dict[str, str]:
    return {"gpu": str(index), "Hostname": node, "modelName": model, "UUID": f"GPU-{node}-{index}", **more}


def vector(*lines: tuple[dict[str, str], str]) -> dict[str, Any]:
    result = [{"metric": labels, "value": [1.0, value]} for labels, value in lines]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


class Answers:
    """A Prometheus with these answers by query; `asked` is what was asked of it."""

    def __init__(self, **found: dict[str, Any]) -> None:
        self.found = {QUERIES[name]: answer for name, answer in found.items()}
        self.asked: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        assert str(request.url).startswith(f"{ADDRESS}/api/v1/query?"), request.url
        self.asked.append(request.url.params["query"])
        return httpx2.Response(200, json=self.found.get(self.asked[-1], vector()))


def asking(world: World, answer: Any) -> Context:
    monitoring = Monitoring(prometheus=ADDRESS)
    settings = world.context.settings.model_copy(update={"monitoring": monitoring})
    return replace(world.context, settings=settings, prometheus=Prometheus(ADDRESS, httpx2.MockTransport(answer)))


async def shown(context: Context) -> dict[str, Any]:
    """What the resources page would say of GPUs."""
    async with context.sessions() as session:
        view = await cluster.nodes(session, context.settings)
        told = await gpuuse.newest(session, context.settings)
        assert told is not None
        return dict(clusteruse.reading_of(view, [], 0, {}, told))


def all_of(node: str, count: int, value: str, **labels: str) -> list[tuple[dict[str, str], str]]:
    return [(gpu(node, index, **labels), value) for index in range(count)]


async def test_every_gpu_of_a_node_counts_and_what_no_exporter_tells_is_unknown(world: World) -> None:
    await world.round()
    lines = [(gpu("gpu1", index), "40" if index < 3 else "0.5") for index in range(8)]
    context = asking(world, Answers(util=vector(*lines, *all_of("gpu2", 7, "90"))))
    await measuring.measure(context)
    found = await shown(context)
    assert found["gpu:A100"]["used"] == 0, "nothing is allocated, whatever warms the GPUs"
    assert (found["gpu:A100"]["simulated"], found["gpu:V100"]["used"]) == (0, None)
    async with context.sessions() as session:
        told = await gpuuse.newest(session, context.settings)
        view = await cluster.nodes(session, context.settings)
        assert told is not None
        uses = gpuuse.by_type(view, told)
    assert (uses["A100"].busy, "V100" in uses) == (3, False), "gpu2 has a GPU without a figure: none of it counts"


async def test_use_of_what_is_allocated_and_that_it_is_made_up(world: World, small: dict[str, Any]) -> None:
    await world.submit(small)
    for _ in range(3):
        await world.round()
    simulated = {"modelName": "Simulated A100"}
    lines = [line for node in ("gpu1", "gpu2") for line in all_of(node, 8, "0", **simulated)]
    lines[0] = (gpu("gpu1", 0, **simulated), "60")
    context = asking(world, Answers(util=vector(*lines)))
    await measuring.measure(context)
    found = (await shown(context))["gpu:A100"]
    assert found["allocated"] == 1
    assert (found["used"], found["measured"], found["simulated"]) == (1, found["allocated"], 1)
    await sampling.sample(context)
    (sample,) = await world.rows(ClusterSample)
    assert (sample.reading["gpu:A100"]["used"], sample.reading["gpu:A100"]["simulated"]) == (1, 1)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx2.Response(503), "answers 503"),
        (httpx2.Response(302, headers={"location": "http://169.254.169.254/"}), "answers 302"),
        (httpx2.Response(200, text="<html>"), "not as Prometheus does"),
        (
            httpx2.Response(200, json={"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}}),
            "not as",
        ),
        (httpx2.Response(200, content=b" " * (MAX_ANSWER_BYTES + 1)), "MiB"),
    ],
)
async def test_a_prometheus_that_says_nothing_leaves_use_unknown(
    world: World, answer: httpx2.Response, said: str
) -> None:
    await world.round()
    asked: list[str] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        return answer

    context = asking(world, reply)
    await measuring.measure(context)
    assert set(asked) == {"prometheus"}, "nobody leads the daemon elsewhere"
    assert (await shown(context))["gpu:A100"]["used"] is None, "never 0"
    async with context.sessions() as session:
        told = await gpuuse.newest(session, context.settings)
    assert told is not None
    assert said in told.problem


async def test_one_that_is_away_is_said_by_its_address() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(PrometheusError, match=r"http://prometheus:9090 does not answer: refused"):
        await Prometheus(ADDRESS, httpx2.MockTransport(refuse)).ask(QUERIES)


async def test_an_old_reading_is_none_of_the_present(world: World) -> None:
    await world.round()
    context = asking(world, Answers(util=vector(*all_of("gpu3", 8, "50"))))
    await measuring.measure(context)
    assert (await shown(context))["gpu:V100"]["used"] == 0
    async with transaction(world.maker) as session:
        row = await session.get_one(DaemonReport, "gpus")
        row.at -= timedelta(minutes=2)
    assert (await shown(context))["gpu:V100"]["used"] is None


async def test_without_a_prometheus_nobody_is_asked_and_the_launchers_count(world: World) -> None:
    await measuring.Measuring()(world.context)
    async with world.maker() as session:
        assert await gpuuse.newest(session, world.context.settings) is None
    assert reports.GPUS not in [report.name for report in await world.rows(DaemonReport)]


async def test_the_loop_asks_at_its_own_pace(world: World) -> None:
    answers = Answers()
    context, loop = asking(world, answers), measuring.Measuring()
    for _ in range(3):
        await loop(context)
    assert answers.asked == list(QUERIES.values())


def test_one_value_a_gpu_with_the_jobs_that_hold_it() -> None:
    answers = {
        "util": [
            (gpu("gpu3", 0, hpc_job="12"), 30.0),
            (gpu("gpu3", 0, hpc_job="11"), 30.0),
            (gpu("gpu3.example.org", 1), 0.0),
            ({"gpu": "x", "Hostname": "gpu3"}, 1.0),
            ({"gpu": "1"}, 1.0),
        ],
        "memory_used": [(gpu("gpu3", 0, hpc_job="11"), 100.0)],
        "memory_free": [(gpu("gpu3", 0, hpc_job="11"), 900.0)],
        "temperature": [(gpu("gpu3", 1), 41.0)],
    }
    first, second = readings_of(answers)
    assert (first.jobs, first.memory_used_mib, first.memory_total_mib, first.temperature_c) == (
        (11, 12),
        100,
        1000,
        None,
    )
    assert (second.node, second.index, second.jobs, second.memory_used_mib, second.temperature_c) == (
        "gpu3",
        1,
        (),
        None,
        41,
    )


async def test_what_is_no_number_measures_nothing() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, text=json.dumps(vector((gpu("gpu1", 0), "NaN"), (gpu("gpu1", 1), "+Inf"))))

    found = await Prometheus(ADDRESS, httpx2.MockTransport(answer)).ask(QUERIES)
    assert readings_of(found) == ()


async def test_the_checkup_names_the_nodes_without_figures(world: World) -> None:
    await world.round()
    context = asking(world, Answers(util=vector(*all_of("gpu1", 8, "1"), *all_of("gpu2", 8, "1"))))
    await measuring.measure(context)
    parts = {part.name: part for part in await partchecks.check_parts(context)}
    assert parts["prometheus"].ok
    assert not parts["dcgm"].ok
    assert "on gpu3:" in parts["dcgm"].says
    parts = {part.name: part for part in await partchecks.check_parts(world.context)}
    assert (parts["dcgm"].ok, parts["dcgm"].says) == (True, partchecks.NO_PROMETHEUS), "a site may have none"
