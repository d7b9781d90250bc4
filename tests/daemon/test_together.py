"""Rows written together: nobody's change is written over, a rollback takes all, and reading writes nothing."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm.exc import StaleDataError

from portal.db.engine import reading, transaction
from portal.db.models import Audit, Event, Workload
from portal.services import state
from portal.services.audit import DAEMON, Action, record
from portal.services.scripts import kept
from slurm.script import common_part
from tests import hostile
from tests.daemon.world import World

pytestmark = pytest.mark.anyio


async def two(world: World, small: dict[str, Any]) -> list[str]:
    return sorted([await world.submit(small), await world.submit(small)])


async def test_a_batch_with_one_that_somebody_else_changed_is_not_written(world: World, small: dict[str, Any]) -> None:
    ids = await two(world, small)
    async with world.maker() as late:
        found = list((await late.scalars(select(Workload).where(Workload.id.in_(ids)))).unique())
        await late.commit()
        async with transaction(world.maker) as session:
            (await session.get_one(Workload, ids[1])).note = "first"
        for one in found:
            one.note = "late"
        record(late, DAEMON, Action.WORKLOAD_STATE, "workload", ids[0], after={"late": True})
        with pytest.raises(StaleDataError):
            await late.commit()
        await late.rollback()
    assert [(await world.workload(one)).note for one in ids] == ["", "first"]
    assert await world.actions(ids[0]) == ["workload.submit"]


async def test_each_revision_grows_by_one_and_the_objects_know_it(world: World, small: dict[str, Any]) -> None:
    ids = await two(world, small)
    before = [(await world.workload(one)).revision for one in ids]
    async with transaction(world.maker) as session:
        found = [await session.get_one(Workload, one) for one in ids]
        for _ in range(2):
            for number, one in enumerate(found):
                one.note, one.failure = f"{number} {one.revision}", {"cause": "x"}
                state.event(session, one, "portal", "noted", data={"n": number})
            await session.flush()
        assert [one.revision for one in found] == [revision + 2 for revision in before]
    rows = [await world.workload(one) for one in ids]
    assert [(one.revision, one.failure) for one in rows] == [(revision + 2, {"cause": "x"}) for revision in before]
    assert [one.note for one in rows] == [f"{number} {revision + 1}" for number, revision in enumerate(before)]
    noted = [event for event in await world.rows(Event) if event.kind == "noted"]
    assert [(event.workload_id, event.at is not None, event.text) for event in noted] == [
        (one, True, "") for one in ids * 2
    ]


async def test_reading_writes_nothing(world: World, small: dict[str, Any]) -> None:
    ids = await two(world, small)
    rows = len(await world.rows(Audit))
    async with reading(world.maker) as session:
        for one in ids:
            (await session.get_one(Workload, one)).note = "only here"
            record(session, DAEMON, Action.WORKLOAD_STATE, "workload", one)
        await session.scalar(select(Workload.note))
    assert [(await world.workload(one)).note for one in ids] == ["", ""]
    assert len(await world.rows(Audit)) == rows


@pytest.mark.parametrize("own", ["", "#!/usr/bin/python3\n", *hostile.HOSTILE.values()])
def test_a_kept_script_comes_back_whole(own: str) -> None:
    for script in (own, own + common_part(), own + common_part() + "more", common_part() + own + common_part()):
        assert zlib.decompress(kept(script)).decode() == script
