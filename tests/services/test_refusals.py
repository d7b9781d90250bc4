"""Refusals are counted, not repeated: a row at once, one for all that follow within the minute, and a bound for each person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal.db.engine import transaction
from portal.db.models import Audit, Refusal, now
from portal.services import refusals
from portal.services.audit import Action, Actor
from tests.daemon.world import ADMIN_TOOL, World

pytestmark = pytest.mark.anyio


async def refuse(world: World, what: str, times: int = 1, who: Actor | None = None) -> None:
    for _ in range(times):
        async with transaction(world.maker) as session:
            actor = who or world.actors["kim"]
            await refusals.note(session, actor, Action.REQUEST_REFUSED, "request", what, {"code": "role_missing"})


async def close(world: World) -> None:
    async with transaction(world.maker) as session:
        await refusals.close_ended(session)


async def told(world: World) -> list[tuple[str, str, object]]:
    async with world.maker() as session:
        found = select(Audit).where(Audit.action == "request.refused").order_by(Audit.id)
        return [(row.actor, row.object_id, (row.after or {}).get("more")) for row in await session.scalars(found)]


async def test_the_first_is_written_at_once_and_the_others_when_the_minute_is_over(world: World) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        await refuse(world, "POST /x", times=50)
        await close(world)
        assert await told(world) == [("kim", "POST /x", None)]
        clock.shift(timedelta(minutes=1))
        await close(world)
        assert await told(world) == [("kim", "POST /x", None), ("kim", "POST /x", 49)]
        assert await world.rows(Refusal) == []
        await refuse(world, "POST /x")
        clock.shift(timedelta(minutes=1))
        await close(world)
        assert len(await told(world)) == 3, "once alone needs no second row"


async def test_other_people_and_other_things_have_their_own_rows(world: World) -> None:
    await refuse(world, "POST /x", times=2)
    await refuse(world, "POST /y", times=2)
    await refuse(world, "POST /x", who=replace(world.actors["park"], token_prefix="one_abc", address="10.0.0.7"))
    assert await told(world) == [
        ("kim", "POST /x", None),
        ("kim", "POST /y", None),
        ("park (one_abc)", "POST /x", None),
    ]
    (row,) = [row for row in await world.rows(Audit) if row.address == "10.0.0.7"]
    assert (row.result, row.after) == ("refused", {"code": "role_missing"})


async def test_a_person_cannot_flood_the_log_with_different_things(world: World) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        for number in range(300):
            await refuse(world, f"POST /{number}" + "x" * 200)
        assert len(await told(world)) == refusals.MOST + 1
        await refuse(world, "POST /y", who=world.actors["park"])
        assert ("park", "POST /y", None) in await told(world), "one person's flood silences no other"
        clock.shift(timedelta(minutes=1))
        await close(world)
    assert await told(world) != []
    rest = [row for row in await told(world) if row[1] == refusals.REST]
    assert rest == [("kim", "…", None), ("kim", "…", 300 - refusals.MOST - 1)]


async def test_parts_of_the_portal_are_nobody(world: World) -> None:
    await refuse(world, "POST /x", who=ADMIN_TOOL)
    assert await told(world) == []
