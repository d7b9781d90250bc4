"""A waiting request corrected: another hash is tested and decided anew, name and note are not."""

from __future__ import annotations

from typing import Any

import pytest

from portal.db.engine import transaction
from portal.db.models import App, Audit, Workload
from portal.services import edits, workloads
from portal.services.errors import Conflict, Forbidden, Invalid
from portal.services.workloads import SubmitRequest
from tests.daemon.test_road import RISING, finished
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
STEP = "TASK-001/CL-REF-002"


async def edited(world: World, workload_id: str, spec: dict[str, Any], who: str = "kim", **wishes: Any) -> Workload:
    async with transaction(world.maker) as session:
        request = SubmitRequest(spec=spec, **wishes)
        return await edits.edit(session, world.actors[who], world.context.settings, workload_id, request)


async def test_other_content_voids_the_test_and_asks_again(world: World, large: dict[str, Any]) -> None:
    asked = await world.submit(large, name="first")
    await world.round()
    await finished(world, await world.start_test(asked), rewards=RISING)
    before = await world.workload(asked)
    assert before.test is not None
    assert before.test.status == "passed"
    await edited(world, asked, large, name="first", overrides={f"{STEP}.resources.memory": "96GB"})
    changed = await world.workload(asked)
    assert (changed.state, changed.spec_hash, changed.resolved, changed.test) == ("submitted", None, None, None)
    again = await edited(world, asked, large, name="first", overrides={f"{STEP}.resources.memory": "96GB"})
    assert again.revision == changed.revision, "the second press changes nothing"
    await world.round()
    new = await world.workload(asked)
    assert (new.state, new.test) == ("awaiting_approval", None)
    assert new.spec_hash not in (None, before.spec_hash)
    with pytest.raises(Conflict, match="Test required"):
        await world.approve(asked)
    row = next(row for row in await world.rows(Audit) if row.action == "workload.edit")
    assert (row.before["voids_test"], row.before["spec_hash"]) == (True, before.spec_hash)
    assert row.after["spec"]["tasks"][0]["components"][1]["resources"]["memory"] == "96GB"


async def test_a_name_and_a_note_keep_the_test(world: World, large: dict[str, Any]) -> None:
    asked = await world.submit(large, name="first")
    await world.round()
    await finished(world, await world.start_test(asked), rewards=RISING)
    await edited(world, asked, large, name="second", note="why", share_logs=True)
    new = await world.workload(asked)
    assert (new.state, new.name, new.note, new.options["share_logs"]) == ("awaiting_approval", "second", "why", True)
    assert new.test is not None
    await world.approve(asked)


async def test_a_running_test_of_the_old_content_is_cancelled(world: World, large: dict[str, Any]) -> None:
    asked = await world.submit(large)
    await world.round()
    test = await world.start_test(asked)
    await edited(world, asked, large, time_limit_min=77)
    assert (await world.workload(test)).cancel_requested_at is not None


async def test_under_the_threshold_it_goes_to_the_queue(world: World, large: dict[str, Any]) -> None:
    asked = await world.submit(large)
    await world.round()
    await edited(world, asked, large, overrides={f"{STEP}.resources.gpu_count": 1, f"{STEP}.resources.memory": "16GB"})
    await world.round()
    new = await world.workload(asked)
    assert (new.needs_approval, new.approval_reasons) == (False, [])
    assert new.state in ("queued", "running")


async def test_who_may_not_and_when_not(world: World, large: dict[str, Any], small: dict[str, Any]) -> None:
    asked = await world.submit(large)
    await world.round()
    with pytest.raises(Forbidden):
        await edited(world, asked, large, who="park", note="x")
    with pytest.raises(Forbidden):
        await edited(world, asked, large, who="admin", note="x")
    with pytest.raises(Invalid):
        await edited(world, asked, large, overrides={f"{STEP}.resources.gpu_count": 4000})
    with pytest.raises(Invalid):
        await edited(world, asked, large, overrides={f"{STEP}.resources.gpu_count": 9})
    assert "workload.edit" not in await world.actions(asked)
    queued = await world.submit(small)
    await world.round()
    with pytest.raises(Conflict, match="clone it"):
        await edited(world, queued, small, note="x")


async def test_an_archived_app_takes_no_requests(world: World, small: dict[str, Any]) -> None:
    await world.submit(small)
    async with transaction(world.maker) as session:
        app = await session.get_one(App, small["app_id"])
        app.archived_at = app.created_at
    with pytest.raises(Conflict, match="archived"):
        await world.submit(small)


async def test_logs_are_shared_by_their_owner(world: World, small: dict[str, Any]) -> None:
    from portal.services.access import workload_facts

    asked = await world.submit(small, share_logs=True)
    assert workload_facts(await world.workload(asked)).share_logs
    other = await world.submit(small)
    async with world.maker() as session:
        assert not workload_facts(await workloads.get(session, world.actors["park"], other)).share_logs
