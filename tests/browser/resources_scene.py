"""A day of samples for the scene's trends, ending in what the scene's cluster is now, with a drained node on the way."""

from __future__ import annotations

import math
from datetime import timedelta

from portal.db.engine import transaction
from portal.db.models import ClusterSample, now
from portal.domain.samples import HOUR_S, MINUTE_S, TEN_MINUTES_S, Reading, window_of
from portal.services import cluster, clusteruse
from portal.services.cluster import Amount
from tests.daemon.world import World


async def lay(world: World) -> None:
    """Write the rows that the daemon would have written."""
    moment = now()
    async with world.maker() as session:
        view = await cluster.nodes(session, world.context.settings)
        queued, wanted = await clusteruse.waiting(session)
        reading = clusteruse.reading_of(view, [], queued, wanted)
        nodes = clusteruse.node_readings(view, None)
    async with transaction(world.maker) as session:
        for span_s, count in ((MINUTE_S, 120), (TEN_MINUTES_S, 156), (HOUR_S, 720)):
            for back in range(count):
                at = window_of(moment - timedelta(seconds=back * span_s), span_s)
                if span_s == TEN_MINUTES_S and 60 < back < 70:
                    continue  # the daemon was away: a gap
                notes = {"gpu2": "drain"} if span_s == TEN_MINUTES_S and 20 < back < 30 else {}
                shown = _like(reading, view.gpus, back) if back else _measured(reading)
                session.add(ClusterSample(at=at, span_s=span_s, reading=shown, notes=notes, nodes=nodes))


def _like(reading: Reading, gpus: dict[str, Amount], back: int) -> Reading:
    """The same cluster at another hour: fuller and emptier in waves."""
    share = (1 + math.sin(back / 9)) / 2
    made = {}
    for name, found in reading.items():
        total = found.get("total")
        if total is None:
            made[name] = {"waiting": round(9 * share)}
            continue
        allocated = round(total * share)
        rest = {"total": total, "allocated": allocated, "idle": total - allocated, "unavailable": 0}
        made[name] = {**rest, "used": round(allocated * 0.8, 1), "measured": allocated}
        if name.removeprefix("gpu:") in gpus:
            made[name]["waiting"] = round(total * share * 0.6)
    return made


def _measured(reading: Reading) -> Reading:
    """Now: three quarters of what is allocated work, CPU is not measured."""
    return {
        name: {**found, "used": round(found["allocated"] * 0.75, 1), "measured": found["allocated"]}
        if found.get("total") and name != "cpu"
        else found
        for name, found in reading.items()
    }
