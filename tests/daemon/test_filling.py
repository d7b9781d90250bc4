"""What Prometheus measured while the daemon was away is filled in; what it does not know either stays a gap."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from portal.daemon import sampling
from portal.daemon.context import Context
from portal.daemon.filling import Gaps
from portal.daemon.prometheus import Prometheus
from portal.db.engine import transaction
from portal.db.models import ClusterSample, now
from portal.domain.gpupast import BUSY, QUERIES, SEEN
from portal.domain.samples import HOUR_S, MINUTE_S, TEN_MINUTES_S, window_of
from portal.services import cluster, trends
from portal.settings import Monitoring
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
ADDRESS = "http://prometheus:9090"
SIZES = {"gpu1": 8, "gpu2": 8}
BUSY_GPUS = {"gpu1": 3}


class Past:
    """A Prometheus that knew gpu1 and gpu2 at every moment of which `knows` says yes; `asked` is how often it was."""

    def __init__(self, knows: Any = lambda _at: True) -> None:
        self.knows = knows
        self.asked = 0
        self.is_away = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/api/v1/query_range"
        self.asked += 1
        if self.is_away:
            return httpx2.Response(503)
        params = request.url.params
        counts = {QUERIES[SEEN]: SIZES, QUERIES[BUSY]: BUSY_GPUS}[params["query"]]
        steps = range(int(params["start"]), int(params["end"]) + 1, int(params["step"]))
        values = [at for at in steps if self.knows(at)]
        result = [
            {"metric": {"Hostname": node, "modelName": "NVIDIA A100"}, "values": [[at, str(count)] for at in values]}
            for node, count in counts.items()
        ]
        found = result if values else []
        return httpx2.Response(200, json={"status": "success", "data": {"resultType": "matrix", "result": found}})


def asking(world: World, past: Past) -> Context:
    settings = world.context.settings.model_copy(update={"monitoring": Monitoring(prometheus=ADDRESS)})
    return replace(world.context, settings=settings, prometheus=Prometheus(ADDRESS, httpx2.MockTransport(past)))


async def sampled(world: World, *ago_min: int) -> None:
    """The daemon wrote these minutes, and their coarse windows as far as they were over."""
    async with transaction(world.maker) as session:
        for ago in ago_min:
            at = window_of(now() - timedelta(minutes=ago), MINUTE_S)
            reading = {"cpu": {"allocated": 1}, "gpu:A100": {"allocated": 5, "used": 4}}
            session.add(ClusterSample(at=at, span_s=MINUTE_S, reading=reading, notes={}, nodes={}))


async def rows(world: World, span_s: int) -> dict[datetime, Any]:
    return {row.at: row.reading for row in await world.rows(ClusterSample) if row.span_s == span_s}


async def test_a_night_without_the_daemon_has_the_gpus_that_prometheus_knew(world: World) -> None:
    await sampled(world, 601, 600)
    past = Past()
    await sampling.sample(asking(world, past), Gaps())
    minutes, tens, hours = [await rows(world, span_s) for span_s in (MINUTE_S, TEN_MINUTES_S, HOUR_S)]
    inside = window_of(now() - timedelta(minutes=60), MINUTE_S)
    assert minutes[inside] == {"gpu:A100": {"used": 3}, "gpu:V100": {"used": None}}, "allocated then is not known"
    assert tens[window_of(now() - timedelta(minutes=300), TEN_MINUTES_S)]["gpu:A100"] == {"used": 3}
    assert hours[window_of(now() - timedelta(hours=6), HOUR_S)]["gpu:A100"]["used"] == 3
    first = window_of(now() - timedelta(minutes=600), TEN_MINUTES_S)
    assert tens[first]["gpu:A100"]["allocated"] == 5, "what the daemon had measured itself stays"
    assert not [at for at in tens if tens[at].get("gpu:A100", {}).get("used") is None]


async def test_what_prometheus_does_not_know_either_stays_a_gap(world: World) -> None:
    await sampled(world, 60)
    silent_from, silent_to = now() - timedelta(minutes=40), now() - timedelta(minutes=20)
    past = Past(lambda at: not silent_from.timestamp() <= at < silent_to.timestamp())
    await sampling.sample(asking(world, past), Gaps())
    minutes = await rows(world, MINUTE_S)
    assert not [at for at in minutes if silent_from <= at < silent_to]
    assert len(minutes) > 35


async def test_one_that_is_away_is_asked_again_and_a_short_pause_is_no_gap(world: World) -> None:
    past, gaps = Past(), Gaps()
    context = asking(world, past)
    await sampled(world, 1)
    await sampling.sample(context, gaps)
    assert past.asked == 0
    past.is_away = True
    async with transaction(world.maker) as session:
        for row in await world.rows(ClusterSample):
            await session.delete(await session.get_one(ClusterSample, row.id))
    await sampled(world, 30)
    await sampling.sample(context, gaps)
    assert len(await rows(world, MINUTE_S)) == 2, "the present is written all the same"
    past.is_away = False
    async with context.sessions() as session:
        view = await cluster.nodes(session, context.settings)
        newest = await trends.newest_at(session)
    await gaps.look(context, view, newest)
    assert len(await rows(world, MINUTE_S)) > 25


async def test_filled_samples_say_nothing_of_a_nodes_state(world: World) -> None:
    await sampled(world, 30)
    await sampling.sample(asking(world, Past()), Gaps())
    async with world.maker() as session:
        looks = await trends.states_of(session, world.actors["kim"], "gpu1")
    assert len(looks) == 2
