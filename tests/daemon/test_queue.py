"""The order of waiting work: what an admin asks for reaches every component in Slurm, and what scontrol did is respected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from portal.daemon import watch
from portal.daemon.context import Context
from portal.db.engine import transaction
from portal.db.models import SlurmJob, Workload
from portal.domain.priority import Level
from portal.services import queue, wholequeue
from portal.services.errors import Conflict, Forbidden, Invalid
from tests.daemon.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def waiting(world: World, small: dict[str, Any]) -> list[str]:
    """Three workloads of kim that Slurm holds back, in the order of their submission."""
    world.cluster.drained.update(gpu1="x", gpu2="x", gpu3="x")
    ids = []
    for _ in range(3):
        ids.append(await world.submit(small))
        await world.round()
    await world.round()
    return ids


async def order(world: World) -> list[str | None]:
    async with world.maker() as session:
        whole = await wholequeue.read(session, world.actors["admin"], world.context.settings)
        return [line.workload_id for line in whole.part(0, len(whole))]


def slurm_order(world: World, ids: list[str]) -> list[str]:
    """The same workloads as Slurm would take them, by the priority of every component."""
    jobs = [job for job in world.cluster.jobs.values() if job.state == "PENDING"]
    found: dict[str, set[int]] = {}
    for job in jobs:
        found.setdefault(job.comment.split(":")[1], set()).add(world.cluster.priority(job))
    assert all(len(priorities) == 1 for priorities in found.values()), "components of one job differ"
    return sorted(ids, key=lambda workload_id: -min(found[workload_id]))


async def test_newcomers_stand_behind(world: World, waiting: list[str]) -> None:
    assert await order(world) == waiting
    assert slurm_order(world, waiting) == waiting


@pytest.mark.parametrize("place", ["top", "before", "after"])
async def test_a_move_is_the_order_of_slurm(world: World, waiting: list[str], place: str) -> None:
    first, second, third = waiting
    wanted = {"top": [third, first, second], "before": [first, third, second], "after": [second, first, third]}[place]
    moves: dict[str, tuple[str, dict[str, Any]]] = {
        "top": (third, {"to_top": True}),
        "before": (third, {"before": second}),
        "after": (first, {"after": second}),
    }
    workload_id, where = moves[place]
    await world.move(workload_id, **where)
    await world.round()
    assert slurm_order(world, waiting) == wanted
    await world.round()
    assert await order(world) == wanted
    assert "workload.move" in await world.actions(workload_id)


async def test_a_level_is_a_qos_on_every_component(world: World, waiting: list[str]) -> None:
    async with transaction(world.maker) as session:
        await queue.set_priority(session, world.actors["admin"], world.context.settings, waiting[2], Level.HIGH)
    await world.round()
    leader = (await world.workload(waiting[2])).attempts[0].jobs[0].leader_id or 0
    assert {job.qos for job in world.cluster.components(leader)} == {"one-high"}
    await world.round()
    assert await order(world) == [waiting[2], waiting[0], waiting[1]]


async def test_a_high_one_is_submitted_as_normal_and_raised_at_once(world: World, small: dict[str, Any]) -> None:
    world.cluster.drained.update(gpu1="x", gpu2="x", gpu3="x")
    workload_id = await world.submit(small)
    async with transaction(world.maker) as session:
        (await session.get_one(Workload, workload_id)).priority = Level.HIGH.value
    for _ in range(3):
        await world.round()
    workload = await world.workload(workload_id)
    assert workload.state == "queued", "people's associations do not have the high QOS"
    leader = workload.attempts[0].jobs[0].leader_id or 0
    assert {job.qos for job in world.cluster.components(leader)} == {"one-high"}


async def test_hold_and_release(world: World, waiting: list[str]) -> None:
    for held in (True, False):
        async with transaction(world.maker) as session:
            await queue.hold(session, world.actors["admin"], waiting[0], held=held)
        await world.round()
        leader = (await world.workload(waiting[0])).attempts[0].jobs[0].leader_id or 0
        assert {job.held for job in world.cluster.components(leader)} == {held}


async def test_only_admins_order_and_only_what_waits(world: World, waiting: list[str], small: dict[str, Any]) -> None:
    with pytest.raises(Forbidden, match="admin"):
        async with transaction(world.maker) as session:
            await queue.set_priority(session, world.actors["kim"], world.context.settings, waiting[0], Level.HIGH)
    with pytest.raises(Invalid, match="one place"):
        await world.move(waiting[0], before=waiting[1], to_top=True)
    with pytest.raises(Invalid, match="same priority level"):
        await world.move(waiting[0], before="W-NOBODY")
    world.cluster.drained.clear()
    await world.round()
    await world.round()
    with pytest.raises(Conflict, match="running work is never touched"):
        await world.move(waiting[0], to_top=True)


async def test_what_scontrol_changed_is_seen_and_respected(world: World, waiting: list[str]) -> None:
    leader = (await world.workload(waiting[1])).attempts[0].jobs[0].leader_id or 0
    for one in world.cluster.components(leader):
        one.nice -= 50_000
    for _ in range(3):
        await world.round()
    job = (await world.workload(waiting[1])).attempts[0].jobs[0]
    assert job.changed_outside_at is not None
    assert {one.nice for one in world.cluster.components(leader)} == {(job.applied_nice or 0) - 50_000}, (
        "not written back"
    )
    assert (await world.events(waiting[1])).count("changed_outside") == 1
    assert (await world.actions(waiting[1])).count("workload.changed_outside") == 1
    assert (await order(world))[0] == waiting[1], "the page's order is Slurm's own priority"
    await world.move(waiting[1], after=waiting[2])
    await world.round()
    await world.round()
    assert (await world.workload(waiting[1])).attempts[0].jobs[0].changed_outside_at is None
    assert await order(world) == [waiting[0], waiting[2], waiting[1]]


async def test_jobs_from_outside_stand_in_their_place(world: World, waiting: list[str]) -> None:
    mine = world.slurm.submissions[0]
    sbatch = replace(mine.components[0], name="train.sh", comment="", nice=mine.components[0].nice - 1000)
    world.cluster.add(mine, (sbatch,), owner="lee")
    await world.round()
    async with world.maker() as session:
        whole = await wholequeue.read(session, world.actors["kim"], world.context.settings)
        first, *rest = whole.part(0, len(whole))
    assert (first.name, first.applicant, first.phase, first.workload_id) == ("train.sh", "lee", "external", None)
    assert first.resources.startswith("V100 x 1")
    assert [line.workload_id for line in rest] == waiting


async def test_news_of_jobs_that_only_wait_is_noted_without_loading_them(
    world: World, waiting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []
    look_at, priority = watch._look_at, world.cluster.priority

    async def counted(context: Context, attempt_ids: Sequence[int], **more: Any) -> None:
        looked_at.extend(attempt_ids)
        await look_at(context, attempt_ids, **more)

    monkeypatch.setattr(watch, "_look_at", counted)
    monkeypatch.setattr(world.cluster, "priority", lambda job: priority(job) + 7)
    before = {job.id: job.slurm_priority for job in await world.rows(SlurmJob)}
    await world.round()
    assert {job.id: job.slurm_priority for job in await world.rows(SlurmJob)} == {
        job_id: (old or 0) + 7 for job_id, old in before.items()
    }
    assert len(before) == len(waiting)
    assert looked_at == []
