"""Rounds over many: one's trouble is its own, a service that is away ends the round, and Slurm is not asked all the time."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import anyio
import pytest

from portal.daemon.context import Context
from portal.daemon.pace import Pace
from portal.daemon.rounds import abreast, each, in_batches
from slurm.errors import SlurmUnreachable
from tests.daemon.world import World

pytestmark = pytest.mark.anyio


async def test_a_batch_that_fails_is_done_again_one_by_one(world: World) -> None:
    seen: list[Sequence[int]] = []

    async def step(_context: Context, keys: Sequence[int]) -> None:
        seen.append(list(keys))
        if 3 in keys:
            raise ValueError(keys)

    await in_batches(world.context, [1, 2, 3, 4, 5], 3, step)
    assert seen == [[1, 2, 3], [1], [2], [3], [4, 5]]


async def test_the_trouble_of_one_holds_up_no_other_however_the_step_was_made(world: World) -> None:
    seen = []

    async def step(_context: Context, key: int, *, bad: int) -> None:
        seen.append(key)
        if key == bad:
            raise ValueError(key)

    await each(world.context, [1, 2, 3], functools.partial(step, bad=2))
    assert seen == [1, 2, 3]


async def test_several_at_a_time_and_no_more(world: World) -> None:
    under_way, most, done = 0, 0, []

    async def step(_context: Context, key: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await anyio.lowlevel.checkpoint()
        under_way -= 1
        done.append(key)

    assert await abreast(world.context, range(20), 4, step) is None
    assert (most, sorted(done)) == (4, list(range(20)))


async def test_what_nobody_can_go_on_with_is_told_after_the_others_have_ended(world: World) -> None:
    done = []

    async def step(_context: Context, key: int) -> None:
        if key == 1:
            raise SlurmUnreachable("away")
        await anyio.lowlevel.checkpoint()
        done.append(key)

    trouble = await abreast(world.context, range(20), 3, step)
    assert isinstance(trouble, SlurmUnreachable)
    assert done == [0], "what was begun before the trouble ends; nothing begins after it"


async def test_a_look_that_takes_long_is_made_less_often() -> None:
    now, looks = 0.0, []

    async def look() -> None:
        nonlocal now
        looks.append(now)
        now += 1.0

    pace = Pace(lambda: now)
    for _ in range(20):
        await pace.when_due(look)
        now += 0.5
    assert looks == [0.0, 5.0, 10.0]
