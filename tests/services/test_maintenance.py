"""The maintenance switch stops hand-over and nothing else, and says so to whoever waits."""

from __future__ import annotations

from typing import Any

import pytest

from portal.db.engine import transaction
from portal.services import maintenance, why
from portal.services.errors import Conflict, Forbidden, Invalid
from tests.daemon.test_road import RISING, finished
from tests.daemon.world import World

pytestmark = pytest.mark.anyio


async def switch(world: World, reason: str = "new switches", who: str = "admin") -> None:
    async with transaction(world.maker) as session:
        await maintenance.begin(session, world.actors[who], reason)


async def switch_off(world: World) -> None:
    async with transaction(world.maker) as session:
        await maintenance.end(session, world.actors["admin"])


async def reason_of(world: World, workload_id: str) -> why.Why:
    async with world.maker() as session:
        return await why.explain(session, world.actors["kim"], world.context.settings, workload_id)


async def test_what_waits_stays_here_and_what_runs_goes_on(world: World, small: dict[str, Any]) -> None:
    running = await world.submit(small)
    await world.round()
    await world.round()
    await switch(world)
    waiting = await world.submit(small)
    await finished(world, running, rewards=RISING)
    assert (await world.workload(running)).state == "completed", "watching and saving go on"
    row = await world.workload(waiting)
    assert (row.state, row.attempts) == ("queued", [])
    said = await reason_of(world, waiting)
    assert said.code == "maintenance"
    assert "new switches" in said.text_en
    assert "admin" in said.text_en
    assert "UTC부터, admin: new switches" in said.text_ko
    await switch_off(world)
    await finished(world, waiting, rewards=RISING)
    assert (await world.workload(waiting)).state == "completed"


async def test_people_go_on(world: World, small: dict[str, Any], large: dict[str, Any]) -> None:
    """A test that is asked for waits with the rest; cancels are carried out, in Slurm too."""
    running = await world.submit(small)
    await world.round()
    await world.round()
    world.cluster.on_signal = lambda job, _signal: world.cluster.end(job.job_id, 1)
    await switch(world)
    request, cancelled = await world.submit(large), await world.submit(small)
    await world.round()
    run = await world.start_test(request)
    await world.cancel(running)
    await world.cancel(cancelled)
    for _ in range(3):
        await world.round()
    states = [(await world.workload(one)).state for one in (request, run, running, cancelled)]
    assert states == ["awaiting_approval", "queued", "cancelled", "cancelled"]
    await switch_off(world)
    await finished(world, run, rewards=RISING)
    await world.approve(request)
    await finished(world, request, rewards=RISING)
    assert (await world.workload(request)).state == "completed"


async def test_who_switches_and_that_it_is_written_down(world: World) -> None:
    with pytest.raises(Forbidden, match="admin"):
        await switch(world, who="kim")
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(Invalid, match="reason"):
            await switch(world, reason)
    await switch(world, "two\nlines")
    with pytest.raises(Conflict, match="two lines"):
        await switch(world)
    await switch_off(world)
    with pytest.raises(Conflict, match="off already"):
        await switch_off(world)
    assert await world.actions("1") == ["maintenance.on", "maintenance.off"]
