"""Carries out what people asked for: cancel, hold, release and a new place in the queue; asked once, repeated until it holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.daemon.context import Context
from portal.daemon.rounds import each
from portal.db.engine import reading, transaction
from portal.db.models import Attempt, SlurmJob, Workload, now
from portal.domain.lifecycle import State
from portal.domain.priority import PriorityScale
from portal.services import state
from portal.services.audit import DAEMON, Action, record
from slurm.errors import SlurmRefused
from slurm.states import PENDING

log = structlog.get_logger()
CANCELLABLE = (State.QUEUED, State.RUNNING)
GRACE = timedelta(seconds=90)
"""How long a graceful cancel may take (the steps' 30 s and Slurm's own) before the job is cancelled outright."""


async def carry_out(context: Context) -> None:
    """One round over everything that was asked for and does not hold yet."""
    async with reading(context.sessions) as session:
        live = select(Workload.id).where(Workload.state.in_([state.value for state in CANCELLABLE]))
        cancelled = list(await session.scalars(live.where(Workload.cancel_requested_at.is_not(None))))
        misplaced = await _misplaced(session, PriorityScale.of(context.settings))
    await each(context, cancelled, _cancel)
    await each(context, misplaced, _reorder)


async def _misplaced(session: AsyncSession, scale: PriorityScale) -> list[str]:
    """Workloads with a waiting job that is not where the portal wants it: one query, however many wait."""
    query = (
        select(
            Workload.id,
            Workload.priority,
            Workload.queue_rank,
            Workload.kind,
            Workload.held,
            SlurmJob.applied_qos,
            SlurmJob.applied_nice,
            SlurmJob.applied_held,
        )
        .join(Attempt, Attempt.workload_id == Workload.id)
        .join(SlurmJob, SlurmJob.attempt_id == Attempt.id)
        .where(
            Workload.state.in_([state.value for state in CANCELLABLE]),
            Workload.cancel_requested_at.is_(None),
            SlurmJob.status == "submitted",
            SlurmJob.state.in_(("", PENDING)),
        )
        .order_by(Workload.id)
    )
    found = {
        workload_id: None
        for workload_id, priority, rank, kind, held, *applied in await session.execute(query)
        if tuple(applied) != (*scale.slurm_values(priority, rank, kind), held)
    }
    return list(found)


async def _cancel(context: Context, workload_id: str) -> None:
    async with reading(context.sessions) as session:
        workload = await session.get_one(Workload, workload_id)
        jobs = _jobs(workload)
    unix_user = workload.owner.unix_user or ""
    for job in jobs:
        if job.status == "intent":
            await settle_intent(context, workload, job)
        elif job.status == "submitted":
            await _cancel_job(context, workload, job, unix_user)
    async with transaction(context.sessions) as session:
        workload = await session.get_one(Workload, workload_id)
        if (
            all(job.status in ("ended", "never_submitted") for job in _jobs(workload))
            and workload.state == State.QUEUED
        ):
            for attempt in workload.attempts[-1:]:
                attempt.outcome, attempt.ended_at = "cancelled", now()
            detail = {"reason": workload.cancel_reason}
            await state.change(session, workload, State.CANCELLED, DAEMON, detail=detail)
        elif workload.state in CANCELLABLE:
            workload.phase = "cancelling"


def _jobs(workload: Workload) -> Sequence[SlurmJob]:
    return workload.attempts[-1].jobs if workload.attempts else ()


async def settle_intent(context: Context, workload: Workload, job: SlurmJob) -> None:
    """An intent may have reached Slurm before a crash: look, adopt what is there, else it was never submitted."""
    owner = workload.owner
    found = await context.slurm.find(user=owner.unix_user or "", account=owner.slurm_account or "", name=job.name)
    async with transaction(context.sessions) as session:
        row = await session.get_one(SlurmJob, job.id)
        if row.status != "intent":  # another daemon, which led meanwhile, was first
            return
        if found:
            row.leader_id, row.status, row.submitted_at = found[0], "submitted", now()
            facts = {"slurm_job": [found[0]], "job_index": row.job_index, "name": row.name, "adopted": True}
            record(session, DAEMON, Action.JOB_SUBMIT, "workload", workload.id, after=facts, backend="POST /job/submit")
        else:
            row.status = "never_submitted"


async def _cancel_job(context: Context, workload: Workload, job: SlurmJob, unix_user: str) -> None:
    """Running jobs are asked first (the runner stops its steps), pending ones and those that did not listen are ended."""
    if job.leader_id is None:
        return
    if job.cancel_sent_at is not None and now() - job.cancel_sent_at < GRACE:
        return
    graceful = job.state == "RUNNING" and job.cancel_sent_at is None
    try:
        await context.slurm.cancel(unix_user, job.leader_id, graceful=graceful)
    except SlurmRefused as error:
        log.warning("cancel refused", workload=workload.id, job=job.leader_id, error=str(error))
    async with transaction(context.sessions) as session:
        row = await session.get_one(SlurmJob, job.id)
        row.cancel_sent_at = now()
        call = f"DELETE /job/{job.leader_id}" + ("?signal=USR1&flags=BATCH_JOB" if graceful else "")
        record(session, DAEMON, Action.JOB_CANCEL, "workload", workload.id, backend=call)


async def _reorder(context: Context, workload_id: str) -> None:
    """Write a wanted QOS, nice or hold on every component of jobs that still wait."""
    scale = PriorityScale.of(context.settings)
    async with reading(context.sessions) as session:
        workload = await session.get_one(Workload, workload_id)
        jobs = [job for job in _jobs(workload) if job.status == "submitted" and job.state in ("", PENDING)]
    qos, nice = scale.slurm_values(workload.priority, workload.queue_rank, workload.kind)
    for job in jobs:
        moved = (job.applied_qos, job.applied_nice) != (qos, nice)
        held = job.applied_nice is None or job.applied_held != workload.held
        if not moved and not held:
            continue
        try:
            if moved:
                await context.slurm.set_priority(job.component_ids, qos=qos, nice=nice)
            if held:
                await context.slurm.hold(job.component_ids, held=workload.held)
        except SlurmRefused as error:
            await _not_changed(context, workload_id, job.id, str(error))
            continue
        await _applied(context, workload, job, qos, nice)


async def _applied(context: Context, workload: Workload, job: SlurmJob, qos: str, nice: int) -> None:
    async with transaction(context.sessions) as session:
        row = await session.get_one(SlurmJob, job.id)
        before = {"qos": row.applied_qos, "nice": row.applied_nice, "held": row.applied_held}
        row.applied_qos, row.applied_nice, row.applied_held = qos, nice, workload.held
        row.changed_outside_at, row.reorder_error = None, ""
        after = {"qos": qos, "nice": nice, "held": workload.held}
        call = f"POST /job/{job.component_ids}"
        record(
            session, DAEMON, Action.WORKLOAD_PRIORITY, "workload", workload.id, before=before, after=after, backend=call
        )


async def _not_changed(context: Context, workload_id: str, job_id: int, reason: str) -> None:
    async with transaction(context.sessions) as session:
        row = await session.get_one(SlurmJob, job_id)
        if row.reorder_error != reason[:200]:
            workload = await session.get_one(Workload, workload_id)
            state.event(session, workload, "slurm", "not_reordered", text=reason)
        row.reorder_error = reason[:200]
