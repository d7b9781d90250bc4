"""One idempotency key is one workload, also when several requests with it arrive at the same moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from portal.db.models import App, Workload
from tests.daemon.world import World

pytestmark = pytest.mark.anyio


async def test_requests_at_the_same_moment_make_one_workload(world: World, small: dict[str, Any]) -> None:
    """SQLite lets one of two writers wait or begin again, as its clients must; PostgreSQL serves both."""

    async def submit() -> str:
        while True:
            try:
                return await world.submit(small, idempotency_key="the-same")
            except OperationalError:
                await asyncio.sleep(0)

    ids = await asyncio.gather(*(submit() for _ in range(6)))
    assert len(set(ids)) == 1
    assert [workload.id for workload in await world.rows(Workload)] == [ids[0]]
    assert len(await world.rows(App)) == 1
    assert await world.actions(ids[0]) == ["workload.submit"]


async def test_the_same_key_of_another_person_is_another_request(world: World, small: dict[str, Any]) -> None:
    mine = await world.submit(small, idempotency_key="k")
    other = await world.submit({**small, "app_id": "APP-PARK01"}, "park", idempotency_key="k")
    assert mine != other
