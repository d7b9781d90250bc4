"""Hand-over in batches: what each workload may cost the others, and when Slurm is asked before it is told."""

from __future__ import annotations

from typing import Any

import pytest

from portal.daemon import resolving, watch
from portal.daemon.handover import BATCH
from portal.db.engine import transaction
from portal.db.models import Workload
from portal.services.audit import Action
from tests.daemon.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that were looked for in Slurm."""
    names: list[str] = []
    find = world.slurm.find

    async def noted(*, user: str, account: str, name: str) -> tuple[int, ...]:
        names.append(name)
        return await find(user=user, account=account, name=name)

    monkeypatch.setattr(world.slurm, "find", noted)
    return names


async def test_more_than_a_batch_is_handed_over_in_one_round(
    world: World, small: dict[str, Any], asked: list[str]
) -> None:
    ids = [await world.submit(small) for _ in range(BATCH + 3)]
    await world.round()
    jobs = [(await world.workload(one)).attempts[-1].jobs for one in ids]
    leaders = [job.leader_id for (job,) in jobs]
    assert {job.status for (job,) in jobs} == {"submitted"}
    assert len(set(leaders)) == len(ids)
    assert asked == [], "nobody can have used the nonce of an intent that was committed just now"
    assert [(await world.actions(one)).count(Action.JOB_SUBMIT) for one in ids] == [1] * len(ids)


async def test_an_intent_that_was_left_open_is_looked_for_first(
    world: World, small: dict[str, Any], asked: list[str]
) -> None:
    ids = [await world.submit(small) for _ in range(3)]
    world.slurm.lose_next_answer = True
    await world.round()
    await world.round()
    jobs = [(await world.workload(one)).attempts[-1].jobs[0] for one in ids]
    assert {job.status for job in jobs} == {"submitted"}
    assert asked, "a submit whose answer was lost is found, never repeated"
    assert len(world.slurm.submissions) == len(ids)


async def test_one_that_cannot_be_begun_holds_up_no_other_of_its_batch(world: World, small: dict[str, Any]) -> None:
    ids = [await world.submit(small) for _ in range(3)]
    await resolving.resolve_submitted(world.context)
    async with transaction(world.maker) as session:
        broken = await session.get_one(Workload, ids[1])
        broken.resolved = {"tasks": []}
    await world.round()
    attempts = [(await world.workload(one)).attempts for one in ids]
    assert [len(found) for found in attempts] == [1, 0, 1]


async def test_what_only_waits_is_not_read_or_written_again(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload_id = await world.submit(small)
    world.cluster.drained.update({node.name: "test" for node in world.cluster.nodes})
    await world.round()
    await world.round()
    looked: list[object] = []
    look_at = watch._look_at

    async def noted(context: Any, attempts: Any, **more: Any) -> None:
        looked.extend(attempts)
        await look_at(context, attempts, **more)

    monkeypatch.setattr(watch, "_look_at", noted)
    await world.round()
    assert (await world.workload(workload_id)).phase == "slurm_pending"
    assert looked == []
    leader = (await world.workload(workload_id)).attempts[0].jobs[0].leader_id
    assert leader is not None
    world.cluster.jobs[leader].held = True
    await world.round()
    assert len(looked) == 1
    assert "changed_outside" in await world.events(workload_id)
