"""What a batch costs: the daemon's statements do not grow with the workloads, and a submission has a fixed number."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event

from portal.daemon import images, main, resolving, saving
from portal.daemon.context import Context
from portal.services.workloads import WorkloadFilter, page
from slurm.fake.place import FakeNode
from tests.daemon.world import World

pytestmark = pytest.mark.anyio

FEW, MANY = 3, 19
"""Both less than a batch."""
A_SUBMISSION = 9
"""Of an App that is there: who asks, App and version, nodes, durations, the lock, room and rank, three INSERTs."""


@dataclass
class Counted:
    """The statements of a while, an executemany as one.

    So are INSERTs of one kind after another that ask for their keys: SQLite wants one a row, PostgreSQL takes all at once.
    """

    texts: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    def __str__(self) -> str:
        return "\n".join(re.sub(r"\s+", " ", text)[:100] for text in self.texts)


@contextmanager
def counted(world: World) -> Iterator[Counted]:
    """Everything that the world's database is asked."""
    engine = world.maker.kw["bind"].sync_engine
    found = Counted()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        keyed = statement.startswith("INSERT") and " RETURNING " in statement
        if not (keyed and found.texts[-1:] == [statement]):
            found.texts.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


def room(world: World, workloads: int) -> None:
    """Nodes for all of them at once."""
    nodes = [FakeNode(f"a{number}", "a100", "A100", 8) for number in range(workloads * 2)] + [
        FakeNode(f"v{number}", "v100", "tesla_v100", 8, shards=32) for number in range(workloads * 2)
    ]
    world.cluster.nodes = tuple(nodes)


async def road(world: World, spec: dict[str, Any], number: int) -> dict[str, Counted]:
    """Statements of each station for so many workloads of one App, from the daemon's side."""
    room(world, number)
    await main.look(world.context)
    ids = [await world.submit(spec) for _ in range(number)]

    async def station(step: Callable[[Context], Awaitable[None]]) -> Counted:
        with counted(world) as found:
            await step(world.context)
        return found

    costs = {"resolving": await station(resolving.resolve_submitted)}
    await images.convert_wanted(world.context)
    costs["handing over"] = await station(main.act)
    world.pass_time(5)
    costs["starting"] = await station(main.look)
    assert {(await world.workload(one)).state for one in ids} == {"running"}
    for one in ids:
        await world.play(one, model=False)
    world.pass_time(5)
    costs["ending"] = await station(main.look)
    assert {(await world.workload(one)).state for one in ids} == {"saving"}
    costs["saving"] = await station(saving.save_ended)
    assert {(await world.workload(one)).state for one in ids} == {"completed"}
    return costs


async def test_a_batch_costs_the_same_however_many_are_in_it(world: World, small: dict[str, Any]) -> None:
    await road(world, small, 1)  # the App, its images and the first durations
    few, many = await road(world, small, FEW), await road(world, small, MANY)
    for name in ("resolving", "handing over", "starting", "ending"):
        assert len(many[name]) == len(few[name]), f"{name}:\n{many[name]}"
        assert len(many[name]) <= 24, f"{name}:\n{many[name]}"
    a_workload = (len(many["saving"]) - len(few["saving"])) / (MANY - FEW)
    assert a_workload <= 15, few["saving"]


async def test_a_submission_has_its_statements_and_no_more(world: World, small: dict[str, Any]) -> None:
    await world.submit(small)
    with counted(world) as found:
        await world.submit(small)
    assert len(found) <= A_SUBMISSION, str(found)


async def test_a_page_of_workloads_costs_the_same_however_many_are_on_it(world: World, small: dict[str, Any]) -> None:
    async def cost(shown: int) -> int:
        with counted(world) as found:
            async with world.maker() as session:
                got = await page(session, world.actors["kim"], WorkloadFilter(), 1, 50)
        assert len(got.items) == shown
        return len(found)

    for _ in range(2):
        await world.submit(small)
    await world.round()
    few = await cost(2)
    for _ in range(9):
        await world.submit(small)
    await world.round()
    assert await cost(11) == few <= 5
