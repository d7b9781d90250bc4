"""The resources table holds on any snapshot: total = allocated + idle + unavailable, for each GPU type, memory and CPU."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from portal.db.engine import transaction
from portal.db.models import ClusterSample, now
from portal.domain.samples import HOUR_S, MINUTE_S, TEN_MINUTES_S
from portal.domain.usage import Use
from portal.services import cluster, clusteruse, trends
from portal.services.cluster import Amount, ClusterView
from portal.services.clusteruse import RunUse
from slurm.records import ClusterVersion, NodeRecord, Snapshot
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
STATES = ("IDLE", "MIXED", "ALLOCATED", "DOWN", "UNKNOWN", "ERROR", "FUTURE")
FLAGS = ("DRAIN", "NOT_RESPONDING", "RESERVED", "MAINTENANCE", "POWERED_DOWN", "FAIL", "CLOUD")


def snapshot_of(seed: int) -> Snapshot:
    """Any nodes in any state; a node may even claim to have given out more than it has."""
    dice = random.Random(seed)
    nodes = []
    for number in range(dice.randrange(0, 12)):
        gpus, shards = dice.choice([0, 1, 4, 8]), dice.choice([0, 32])
        gres = {f"gpu:{dice.choice(['A100', 'tesla_v100', ''])}": gpus} if gpus else {}
        gres |= {"shard": shards} if shards else {}
        used = {name: dice.randrange(0, count + 2) for name, count in gres.items()}
        cpus, memory = dice.randrange(1, 256), dice.randrange(1, 2_000_000)
        nodes.append(
            NodeRecord(
                name=f"n{number}",
                state=dice.choice(STATES),
                flags=frozenset(dice.sample(FLAGS, dice.randrange(0, 3))),
                reason="",
                reason_user="",
                reason_at=None,
                partitions=("p",),
                features=frozenset(),
                cpus=cpus,
                cpus_allocated=dice.randrange(0, cpus + 1),
                memory_mib=memory,
                memory_allocated_mib=dice.randrange(0, memory + 1),
                gres=gres,
                gres_used=used,
            )
        )
    return Snapshot(at=1.0, nodes=tuple(nodes), partitions=(), jobs=())


async def view_of(world: World, taken: Snapshot) -> ClusterView:
    async with transaction(world.maker) as session:
        await cluster.store(session, taken, ClusterVersion("26.05.5", "native", "test", ""))
    async with world.maker() as session:
        return await cluster.nodes(session, world.context.settings)


def amounts(view: ClusterView) -> dict[str, Amount]:
    shares = {f"{label} shares": amount for label, amount in view.shares.items()}
    return {**view.gpus, **shares, "cpu": view.cpus, "memory": view.memory_mib}


@pytest.mark.parametrize("seed", range(60))
async def test_the_sums_hold_on_any_snapshot(world: World, seed: int) -> None:
    taken = snapshot_of(seed)
    view = await view_of(world, taken)
    for name, amount in amounts(view).items():
        assert amount.total == amount.allocated + amount.idle + amount.unavailable, name
        assert min(amount.allocated, amount.idle, amount.unavailable) >= 0, name
        parts = [
            amounts(replace(view, gpus=node.gpus, shares=node.shares, cpus=node.cpus, memory_mib=node.memory_mib))
            for node in view.nodes
        ]
        assert amount.total == sum(part[name].total for part in parts if name in part), "nodes add up to the whole"
    assert view.memory_mib.total == sum(node.memory_mib for node in taken.nodes)


def run_use(busy: dict[str, int] | None, memory_mib: float | None = None, **gpus: int) -> RunUse:
    return RunUse("W-1", "one", "kim", now(), 2, 1, gpus, 8, 4096, Use(memory_mib=memory_mib), busy)


async def test_use_is_never_more_than_allocated_and_never_zero_by_ignorance(world: World) -> None:
    await world.round()
    async with world.maker() as session:
        view = await cluster.nodes(session, world.context.settings)
    view.gpus["A100"].allocated, view.gpus["A100"].idle = 6, 10
    unknown = clusteruse.reading_of(view, [run_use(None, A100=6)], 0, {})
    assert unknown["gpu:A100"]["used"] is None
    assert unknown["gpu:V100"]["used"] == 0, "nothing allocated is nothing used"
    known = clusteruse.reading_of(view, [run_use({"A100": 3}, A100=4), run_use(None, A100=2)], 2, {"A100": 5})
    assert (known["gpu:A100"]["used"], known["gpu:A100"]["measured"], known["gpu:A100"]["waiting"]) == (3, 4, 5)


async def test_samples_thin_out_and_gaps_stay(world: World, time_machine: Any) -> None:
    start = now().replace(minute=0, second=5, microsecond=0)
    for minute in (*range(30), *range(70, 125)):
        time_machine.move_to(start + timedelta(minutes=minute), tick=False)
        async with transaction(world.maker) as session:
            await trends.keep(session, {"cpu": {"used": float(minute)}}, {})
            assert not await trends.is_due(session)
    rows = await world.rows(ClusterSample)
    at = {span: [row.at for row in rows if row.span_s == span] for span in (MINUTE_S, TEN_MINUTES_S, HOUR_S)}
    ten = sorted(int((moment - at[HOUR_S][0]).total_seconds() // 60) for moment in at[TEN_MINUTES_S])
    assert ten == [0, 10, 20, 70, 80, 90, 100, 110], "no sample of the daemon's absence is made up"
    assert len(at[HOUR_S]) == 2
    assert min(at[MINUTE_S]) >= start + timedelta(minutes=124) - timedelta(hours=2)
