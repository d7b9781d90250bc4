"""The queue's cost: a page of a long queue makes a page of lines, and a move reads ranks, however many wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from portal.db.engine import transaction
from portal.domain.priority import PriorityScale
from portal.services import outside, queue, queuelines, queueview, wholequeue
from portal.services.queueview import Wanted
from slurm.records import JobRecord
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
OTHERS = 3_000


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """Everything that the database is asked meanwhile."""
    said: list[str] = []
    engine = world.maker.kw["bind"].sync_engine

    def on_execute(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", on_execute)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", on_execute)


def job(number: int, priority: int, **more: Any) -> JobRecord:
    """A waiting job that nobody submitted through the portal."""
    made = JobRecord(
        job_id=number,
        leader_id=number,
        het_offset=None,
        name=f"job-{number}",
        user="lee",
        account="lab",
        partition="a100",
        qos="normal",
        nice=0,
        priority=priority,
        state="PENDING",
        flags=frozenset(),
        reason="Resources",
        comment="",
        held=False,
        submitted_at=1_700_000_000 + number,
        eligible_at=None,
        started_at=None,
        estimated_start=None,
        ended_at=None,
        time_limit_min=60,
        nodes=(),
        node_count=1,
        cpus=4,
        memory_mib=2048,
        gres={"gpu:tesla_v100": 2},
        dependency="",
        exit_code=None,
        signal=None,
    )
    return replace(made, **more)


async def waiting(world: World, spec: dict[str, Any], count: int) -> list[str]:
    world.cluster.drained.update(gpu1="x", gpu2="x", gpu3="x")
    ids = [await world.submit(spec, name=f"run-{number}") for number in range(count)]
    for _ in range(3):
        await world.round()
    return ids


async def look(world: World, wanted: Wanted, number: int = 1, size: int = 50) -> queueview.QueueView:
    async with world.maker() as session:
        return await queueview.view(session, world.actors["admin"], world.context.settings, wanted, number, size)


async def test_a_page_of_a_long_queue_makes_a_page_of_lines(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await waiting(world, small, 2)
    async with world.maker() as session:
        whole = await wholequeue.read(session, world.actors["admin"], world.context.settings)
    own = whole.lines[0].slurm_priority or 0
    jobs = [job(90_000 + n, own + 1 if n < 60 else own - 1 - n) for n in range(OTHERS)]
    async with transaction(world.maker) as session:
        await outside.store(session, jobs)
    made: list[int] = []
    line_of = wholequeue.outside_line

    def counted(*given: Any) -> Any:
        made.append(1)
        return line_of(*given)

    monkeypatch.setattr(wholequeue, "outside_line", counted)
    seen = await look(world, Wanted(), number=2)
    assert len(made) <= 51, "a page of lines, and the oldest"
    assert (seen.rows.total, seen.whole) == (OTHERS + 2, OTHERS + 2)
    assert [row.line.order for row in seen.rows.items] == list(range(51, 101))
    assert [row.line.workload_id for row in seen.rows.items][10:12] == ids, "behind the sixty that come before"
    asked = {demand.label: demand.waiting for demand in seen.demands}
    assert asked["V100"] == 2 * OTHERS + sum(line.gpus.get("V100", 0) for line in whole.lines)
    last = await look(world, Wanted(), number=61)
    assert [row.line.order for row in last.rows.items] == [OTHERS + 1, OTHERS + 2]


@pytest.mark.parametrize(
    ("wanted", "total"),
    [
        (Wanted(outside=False), 2),
        (Wanted(q="job-90001"), 1),
        (Wanted(q="run-1"), 1),
        (Wanted(gpu="V100"), 20),
        (Wanted(priority="normal"), 2 + 20),
        (Wanted(mine=True), 0),
    ],
)
async def test_filters_see_the_whole_queue(world: World, small: dict[str, Any], wanted: Wanted, total: int) -> None:
    await waiting(world, small, 2)
    async with transaction(world.maker) as session:
        await outside.store(session, [job(90_000 + n, 5) for n in range(20)])
    seen = await look(world, wanted)
    expected = total + (2 if wanted.gpu == "V100" and _wants_v100(small) else 0)
    assert seen.rows.total == expected


def _wants_v100(spec: dict[str, Any]) -> bool:
    types = {part["resources"].get("gpu_type") for task in spec["tasks"] for part in task["components"]}
    return "V100" in types


async def test_more_that_waits_asks_the_database_no_more(world: World, small: dict[str, Any]) -> None:
    await waiting(world, small, 2)
    counts = []
    for more in (0, 6):
        await waiting(world, small, more)
        await look(world, Wanted(), size=2)
        with statements(world) as said:
            await look(world, Wanted(), size=2)
        counts.append(len(said))
        assert not [one for one in said if "daemon_reports.content" in one and "outside" in one]
    assert counts[0] == counts[1]


async def test_specs_are_read_once(world: World, small: dict[str, Any]) -> None:
    await waiting(world, small, 3)
    admin, settings = world.actors["admin"], world.context.settings
    async with world.maker() as session:
        first = await queuelines.read(session, admin, settings)
        with statements(world) as said:
            again = await queuelines.read(session, admin, settings)
    assert first == again
    assert len(said) == 1
    assert "workloads.spec," not in said[0]
    assert "workloads.resolved" not in said[0]


async def test_a_move_reads_ranks_and_loads_what_it_changes(world: World, small: dict[str, Any]) -> None:
    counts = []
    ids: list[str] = []
    for more in (3, 9):
        ids += await waiting(world, small, more)
        admin, settings = world.actors["admin"], world.context.settings
        with statements(world) as said:
            async with transaction(world.maker) as session:
                await queue.move(session, admin, settings, ids[-1], to_top=True)
        loads = [one for one in said if "workloads.spec" in one]
        counts.append((len(loads), len(said)))
    assert counts[0] == counts[1], "however many wait"
    assert counts[0][0] <= 2, "the moved one, once to see whether it may be and once to change it"


async def test_outside_jobs_are_written_and_read_only_when_they_change(world: World) -> None:
    jobs = [job(90_000 + n, 5) for n in range(3)]
    written = []
    for _ in range(2):
        with statements(world) as said:
            async with transaction(world.maker) as session:
                await outside.store(session, jobs)
        written.append(len([one for one in said if one.startswith(("INSERT", "UPDATE"))]))
    assert (written[0] > 0, written[1]) == (True, 0)
    async with world.maker() as session:
        first = await outside.read(session)
        assert await outside.read(session) is first
    async with transaction(world.maker) as session:
        await outside.store(session, [replace(jobs[0], priority=9), *jobs[1:]])
    async with world.maker() as session:
        assert (await outside.read(session)).waiting(0).priority == 9


async def test_the_order_is_the_old_one_key_by_key(world: World, small: dict[str, Any]) -> None:
    ids = await waiting(world, small, 4)
    admin, settings = world.actors["admin"], world.context.settings
    async with transaction(world.maker) as session:
        await queue.move(session, admin, settings, ids[3], to_top=True)
    async with world.maker() as session:
        lines = await queuelines.read(session, admin, settings)
    key = queueview.place_key(lines, PriorityScale.of(settings))
    assert [line.workload_id for line in sorted(lines, key=key)] == [ids[3], *ids[:3]]
