"""One click mends a mismatch: the daemon looks again, takes the side that was asked for, says what came of it, and audits it."""

from __future__ import annotations

from typing import Any

import pytest

from portal.daemon import doctor as daemon_doctor
from portal.daemon import repairing
from portal.daemon.main import once
from portal.db.engine import transaction
from portal.db.models import Audit, Repair, SlurmJob, Workload
from portal.domain.findings import Code, Finding
from portal.domain.repairs import Side, offers
from portal.services import doctor, repairs
from portal.services.doctor import Wishes
from portal.services.errors import Conflict, Forbidden, NotFound
from slurm.errors import SlurmRefused
from tests.daemon.test_road import finished
from tests.daemon.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_doctor, "BETWEEN_LOOKS", 0)


async def compared(world: World) -> list[Finding]:
    """What the next comparison finds, kept as the newest."""
    async with transaction(world.maker) as session:
        await doctor.ask(session, world.actors["admin"], Wishes(reconcile=True))
    await daemon_doctor.serve(world.context)
    async with world.maker() as session:
        return list(doctor.findings_of(await doctor.newest(session, world.actors["admin"])))


async def ask(world: World, finding: Finding, side: Side, who: str = "admin") -> int:
    async with transaction(world.maker) as session:
        return (await repairs.ask(session, world.actors[who], finding.code, finding.id, side)).id


async def mended(world: World, finding: Finding, side: Side) -> Repair:
    repair_id = await ask(world, finding, side)
    await once("repairing", world.context, repairing.mend)
    async with world.maker() as session:
        return await session.get_one(Repair, repair_id)


async def waiting(world: World, spec: dict[str, Any]) -> str:
    """A workload that waits in Slurm."""
    world.cluster.drained.update(gpu1="x", gpu2="x", gpu3="x")
    workload = await world.submit(spec)
    for _ in range(3):
        await world.round()
    return workload


async def test_a_job_alive_after_its_end_is_cancelled(world: World, small: dict[str, Any]) -> None:
    workload_id = await waiting(world, small)
    async with transaction(world.maker) as session:
        row = await session.get_one(Workload, workload_id)
        row.attempts[-1].outcome, row.state = "failed", "failed"
    (finding,) = [one for one in await compared(world) if one.code is Code.LIVE_AFTER_END]
    assert [offer.side for offer in offers(finding)] == [Side.PORTAL]
    repair = await mended(world, finding, Side.PORTAL)
    assert (repair.state, repair.result) == (repairs.DONE, "")
    assert not any(job.live for job in world.cluster.jobs.values())
    assert Code.LIVE_AFTER_END not in [one.code for one in await compared(world)]
    rows = [row for row in await world.rows(Audit) if row.action.startswith("repair.")]
    assert [(row.actor, row.action, row.backend) for row in rows] == [
        ("admin", "repair.ask", ""),
        ("daemon", "repair.done", f"DELETE /job/{finding.id}"),
    ]


async def test_a_lost_job_ends_its_workload(world: World, small: dict[str, Any]) -> None:
    workload_id = await waiting(world, small)
    world.cluster.jobs.clear()
    (finding,) = await compared(world)
    assert (await mended(world, finding, Side.SLURM)).state == repairs.DONE
    await world.round()
    workload = await world.workload(workload_id)
    assert (workload.state, workload.attempts[-1].jobs[0].state) == ("failed", "LOST")
    assert await compared(world) == [], "accounting has forgotten it, and the portal says so"


async def test_either_side_of_a_place_can_be_taken(world: World, small: dict[str, Any]) -> None:
    await waiting(world, small)
    job = next(job for job in world.cluster.jobs.values() if job.live)
    meant = job.nice
    job.nice += 5
    (finding,) = await compared(world)
    assert finding.code is Code.WRONG_PLACE
    assert (await mended(world, finding, Side.PORTAL)).state == repairs.DONE
    assert job.nice == meant
    job.nice += 7
    (finding,) = await compared(world)
    assert (await mended(world, finding, Side.SLURM)).state == repairs.DONE
    assert job.nice == meant + 7
    assert [row.changed_outside_at is not None for row in await world.rows(SlurmJob)] == [True]
    assert await compared(world) == []


async def test_a_state_that_differs_is_read_again(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small)
    await finished(world, workload_id)
    async with transaction(world.maker) as session:
        (job,) = (await session.get_one(Workload, workload_id)).attempts[-1].jobs
        job.state = "FAILED"
    (finding,) = await compared(world)
    assert finding.code is Code.STATE_DIFFERS
    assert (await mended(world, finding, Side.SLURM)).state == repairs.DONE
    assert await compared(world) == []


async def test_what_agrees_by_now_is_left_alone(world: World, small: dict[str, Any]) -> None:
    await waiting(world, small)
    job = next(job for job in world.cluster.jobs.values() if job.live)
    job.nice += 5
    (finding,) = await compared(world)
    repair_id = await ask(world, finding, Side.PORTAL)
    assert await ask(world, finding, Side.PORTAL) == repair_id, "one that waits is given again"
    job.nice -= 5
    await once("repairing", world.context, repairing.mend)
    await once("repairing", world.context, repairing.mend)
    (repair,) = await world.rows(Repair)
    assert repair.state == repairs.AGREED


async def test_slurm_away_is_waited_for_and_a_refusal_is_said(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting(world, small)
    job = next(job for job in world.cluster.jobs.values() if job.live)
    job.nice += 5
    (finding,) = await compared(world)
    await ask(world, finding, Side.PORTAL)
    world.slurm.outage = "slurmctld is away"
    await once("repairing", world.context, repairing.mend)
    assert [repair.state for repair in await world.rows(Repair)] == [repairs.WANTED]
    world.slurm.outage = ""

    async def no(*_: object, **__: object) -> None:
        raise SlurmRefused("Access/permission denied", code=2002)

    monkeypatch.setattr(world.slurm, "set_priority", no)
    await once("repairing", world.context, repairing.mend)
    (repair,) = await world.rows(Repair)
    assert (repair.state, repair.result) == (repairs.REFUSED, "Access/permission denied")
    assert [row.result for row in await world.rows(Audit) if row.action == "repair.done"] == ["refused"]


async def test_only_admins_and_only_what_was_found(world: World, small: dict[str, Any]) -> None:
    await waiting(world, small)
    job = next(job for job in world.cluster.jobs.values() if job.live)
    job.nice += 5
    (finding,) = await compared(world)
    with pytest.raises(Forbidden):
        await ask(world, finding, Side.PORTAL, who="kim")
    with pytest.raises(NotFound):
        await ask(world, Finding(Code.LIVE_AFTER_END, "job", "999"), Side.PORTAL)
    for code in (Code.MANIFEST_MISSING, Code.NOT_COMPARED):
        assert offers(Finding(code, "model", "x")) == ()
    async with transaction(world.maker) as session:
        with pytest.raises(Conflict):
            await repairs.ask(session, world.actors["admin"], finding.code, finding.id, "nobody")
