"""Carries out repairs: looks again first, for what agrees by now is left alone, then takes the side that was asked for."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.daemon.commands import settle_intent
from portal.daemon.context import Context
from portal.daemon.reconciling import look_at_slurm
from portal.daemon.rounds import each
from portal.daemon.watch import seen_ended, seen_live
from portal.db.engine import reading, transaction
from portal.db.models import Attempt, Checkup, Repair, SlurmJob, Workload, now
from portal.domain.findings import Finding
from portal.domain.lifecycle import State
from portal.domain.priority import PriorityScale
from portal.domain.reconcile import LOST
from portal.domain.repairs import Deed, offer_of
from portal.services import repairs, state
from portal.services.audit import DAEMON, Action, record
from portal.services.doctor import DEFAULT_DAYS
from slurm.errors import NotPermitted, SlurmRefused
from slurm.states import ENDED, LIVE

Mend = Callable[[Context, Finding], Awaitable[str]]


async def mend(context: Context) -> None:
    """Everything that was asked for; Slurm away: it stays wanted. A new comparison shows what is left."""
    async with reading(context.sessions) as session:
        wanted = [repair.id for repair in await repairs.wanted(session)]
    if not wanted:
        return
    found = await look_at_slurm(context, DEFAULT_DAYS)
    if found.incomplete:
        return
    different = {(finding.code.value, finding.id): finding for finding in found.findings}
    await each(context, wanted, functools.partial(_mend_one, different=different))
    await _compare_again(context, wanted[-1])


async def _mend_one(context: Context, repair_id: int, *, different: Mapping[tuple[str, str], Finding]) -> None:
    async with reading(context.sessions) as session:
        repair = await session.get_one(Repair, repair_id)
    finding = different.get((repair.code, repair.object_id))
    offer = offer_of(finding, repair.side) if finding is not None else None
    result = backend = ""
    if finding is None or offer is None:
        outcome = repairs.AGREED
    else:
        try:
            backend = await _DEEDS[offer.deed](context, finding)
            outcome = repairs.DONE
        except (NotPermitted, SlurmRefused) as error:
            outcome, result = repairs.REFUSED, str(error)
    async with transaction(context.sessions) as session:
        await repairs.finish(session, await session.get_one(Repair, repair_id), outcome, result, backend)


async def _compare_again(context: Context, repair_id: int) -> None:
    async with transaction(context.sessions) as session:
        repair = await session.get_one(Repair, repair_id)
        session.add(Checkup(asked_by_id=repair.asked_by_id, reconcile=True, days=DEFAULT_DAYS))


# --- what is done; each answers the call to Slurm that it made, "" for none, and may be repeated -------------------------


async def _cancel_job(context: Context, finding: Finding) -> str:
    """The whole job by its leader, as its owner."""
    leader = int(finding.id.partition("+")[0])
    taken = await context.slurm.snapshot()
    owner = next((job.user for job in taken.jobs if job.leader_id == leader and job.state in LIVE), None)
    if owner is None:
        return ""
    await context.slurm.cancel(owner, leader)
    return f"DELETE /job/{leader}"


async def _write_place(context: Context, finding: Finding) -> str:
    """QOS, nice and hold of every waiting component."""
    async with reading(context.sessions) as session:
        workload, job = await _job(session, finding)
        scale = PriorityScale.of(context.settings)
    qos, nice = scale.slurm_values(workload.priority, workload.queue_rank, workload.kind)
    await context.slurm.set_priority(job.component_ids, qos=qos, nice=nice)
    await context.slurm.hold(job.component_ids, held=workload.held)
    async with transaction(context.sessions) as session:
        row = await session.get_one(SlurmJob, job.id)
        row.applied_qos, row.applied_nice, row.applied_held = qos, nice, workload.held
        row.changed_outside_at, row.reorder_error = None, ""
    return f"POST /job/{job.component_ids}"


async def _keep_place(context: Context, finding: Finding) -> str:
    """As a change by scontrol, which is respected until somebody asks for another place."""
    async with transaction(context.sessions) as session:
        workload, job = await _job(session, finding)
        job.changed_outside_at = job.changed_outside_at or now()
        before, after = {"place": finding.portal}, {"place": finding.other}
        record(session, DAEMON, Action.WORKLOAD_OUTSIDE, "workload", workload.id, before=before, after=after)
        state.event(session, workload, "slurm", "changed_outside", data=after)
    return ""


async def _end_lost(context: Context, finding: Finding) -> str:
    """The watch concludes an attempt whose jobs have all ended."""
    async with transaction(context.sessions) as session:
        workload, job = await _job(session, finding)
        if job.status == "submitted":
            job.status, job.state, job.ended_at = "ended", LOST, now()
            state.event(session, workload, "portal", "job_given_up", data={"slurm_job": job.leader_id})
    return ""


async def _take_state(context: Context, finding: Finding) -> str:
    """What Slurm lists while the job lives, what accounting has once it has ended."""
    leader = int(finding.id)
    records = [job for job in (await context.slurm.snapshot()).jobs if job.leader_id == leader]
    rows = await context.slurm.accounting([leader])
    async with transaction(context.sessions) as session:
        workload, job = await _job(session, finding)
        if any(one.state in LIVE for one in records):
            seen_live(session, workload, job, records)
        elif rows and all(row.state in ENDED for row in rows):
            seen_ended(job, list(rows))
    return f"GET /job/{leader}"


async def _settle_intent(context: Context, finding: Finding) -> str:
    async with reading(context.sessions) as session:
        workload = await session.get_one(Workload, finding.about)
        jobs = [job for attempt in workload.attempts for job in attempt.jobs if job.status == "intent"]
    for job in jobs:
        await settle_intent(context, workload, job)
    return "GET /jobs"


async def _end_run(context: Context, finding: Finding) -> str:
    async with transaction(context.sessions) as session:
        workload = await session.get_one(Workload, finding.about)
        if workload.state == State.RUNNING:
            for attempt in workload.attempts[-1:]:
                attempt.outcome = attempt.outcome or "failed"
                attempt.ended_at = attempt.ended_at or now()
            failure = {"cause": "no_report", "slurm_state": LOST}
            await state.change(session, workload, State.FAILED, DAEMON, failure=failure)
    return ""


async def _job(session: AsyncSession, finding: Finding) -> tuple[Workload, SlurmJob]:
    """The row that a finding about a job of ours is about: its newest, for Slurm uses numbers again one day."""
    query = (
        select(SlurmJob, Workload)
        .join(Attempt, SlurmJob.attempt_id == Attempt.id)
        .join(Workload, Attempt.workload_id == Workload.id)
        .where(Workload.id == finding.about, SlurmJob.leader_id == int(finding.id))
        .order_by(SlurmJob.id.desc())
    )
    job, workload = (await session.execute(query)).unique().first() or (None, None)
    if job is None or workload is None:
        raise SlurmRefused(f"{finding.about} has no job {finding.id} any more")
    return workload, job


_DEEDS: Final[Mapping[Deed, Mend]] = {
    Deed.CANCEL_JOB: _cancel_job,
    Deed.WRITE_PLACE: _write_place,
    Deed.KEEP_PLACE: _keep_place,
    Deed.END_LOST: _end_lost,
    Deed.TAKE_STATE: _take_state,
    Deed.SETTLE_INTENT: _settle_intent,
    Deed.END_RUN: _end_run,
}
