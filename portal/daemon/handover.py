"""Station three: queued workloads become Slurm jobs, each handed over at most once.

A batch goes in three steps: one transaction writes plans and intents, several jobs at a time are submitted, one transaction
writes what Slurm answered. The next batch's first step goes on beside the last two. An intent's random nonce is in its job's
name. An intent that an earlier round left open is looked for in Slurm by that name before it is submitted, so a crash between
"Slurm took it" and "the row says so" is found and adopted, never repeated; one that this very round has just committed needs
no look, because nobody can have used its name.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.compile import JobMark, for_hand_over
from portal.daemon.context import Context
from portal.daemon.images import digests_of
from portal.daemon.intents import Begun, begin, runnable
from portal.daemon.rounds import abreast, relayed
from portal.db.engine import reading, transaction
from portal.db.models import Attempt, SlurmJob, Workload, now
from portal.domain.lifecycle import State
from portal.services import cluster, maintenance, planning, state
from portal.services.audit import DAEMON, Action, record
from slurm.errors import SlurmRefused
from slurm.ids import component_ids
from slurm.inventory import NodeClass
from slurm.submission import Component

BATCH = 32
"""Workloads a transaction: few enough that a crash leaves little to look for, enough that commits are not what it costs."""
AT_ONCE = 8
"""Submissions under way at a time; slurmctld takes one after another whatever comes."""
Outcome = Callable[[AsyncSession], Awaitable[None]]
"""Writes what became of one job's submission."""


async def hand_over(context: Context) -> None:
    """One round over queued workloads, the oldest first."""
    async with reading(context.sessions) as session:
        queued = (Workload.state == State.QUEUED) & Workload.cancel_requested_at.is_(None)
        query = select(Workload.id).where(queued, ~_handed_over_already())
        ready = list(await session.scalars(query.order_by(Workload.queued_at, Workload.id)))
        inventory = await cluster.inventory(session, context.settings) if ready else ()
        stopped = await maintenance.current(session)
    if inventory and not stopped:
        await relayed(context, ready, BATCH, functools.partial(_begin, inventory=inventory), _finish)


def _handed_over_already() -> ColumnElement[bool]:
    """Whether the workload has an attempt under way without an open intent."""
    intent = exists().where(SlurmJob.attempt_id == Attempt.id, SlurmJob.status == "intent")
    return exists().where(Attempt.workload_id == Workload.id, Attempt.outcome == "", ~intent)


async def _finish(context: Context, begun: dict[str, Begun]) -> None:
    """Submit what was begun, then write down what Slurm said."""
    outcomes: list[tuple[int, Outcome]] = []

    async def submit(context: Context, workload_id: str) -> None:
        await _submit(context, begun[workload_id], outcomes)

    trouble = await abreast(context, begun, AT_ONCE, submit)
    await _write_down(context, outcomes)
    if trouble is not None:
        raise trouble


async def _begin(context: Context, batch: Sequence[str], *, inventory: tuple[NodeClass, ...]) -> dict[str, Begun]:
    """Workload id -> what is to be submitted, in the order of `batch`; committed before anything is."""
    begun: dict[str, Begun] = {}
    async with transaction(context.sessions) as session:
        if await maintenance.current(session):  # switched on in the middle of a long round
            return begun
        query = select(Workload).where(
            Workload.id.in_(batch), Workload.state == State.QUEUED, Workload.cancel_requested_at.is_(None)
        )
        found = {workload.id: workload for workload in (await session.scalars(query)).unique()}
        images = await runnable(session, {digest for workload in found.values() for digest in digests_of(workload)})
        components = {one for workload in found.values() for one in _component_ids(workload)}
        usual_s = await planning.usual_durations(session, components)
        with session.no_autoflush:
            for workload_id in [one for one in batch if one in found]:
                one = await begin(session, context, found[workload_id], images, inventory, usual_s)
                if one is not None:
                    begun[workload_id] = one
    return begun


def _component_ids(workload: Workload) -> list[str]:
    tasks = (workload.resolved or {}).get("tasks", ())
    return [component["component_id"] for task in tasks for component in task["components"]]


async def _submit(context: Context, one: Begun, outcomes: list[tuple[int, Outcome]]) -> None:
    """Hand a workload's jobs over one after another, unless Slurm has them: each names those that it waits for."""
    owner, attempt = one.workload.owner, one.attempt
    waited_for = {job.job_index: job.leader_id for job in attempt.jobs if job.state != "COMPLETED"}
    for job in [job for job in attempt.jobs if job.status == "intent"]:
        compiled = one.run.jobs[job.job_index].submission
        mark = JobMark(one.workload.app_id, one.workload.id, attempt.number, job.job_index, job.nonce)
        leaders = [waited_for.get(index) for index in job.after_jobs]
        submission = for_hand_over(compiled, mark, predecessors=[leader for leader in leaders if leader is not None])
        note = functools.partial(_note, outcomes, job.id, one.workload)
        try:
            found: tuple[int, ...] = ()
            if not one.is_new:
                found = await context.slurm.find(user=compiled.owner, account=owner.slurm_account or "", name=job.name)
            if len(found) > 1:
                note(_mismatch, found=found)
                return
            size = len(submission.components)
            ids = component_ids(found[0], size) if found else await context.slurm.submit(submission)
        except SlurmRefused as error:
            note(_refused, error=error)
            return
        waited_for[job.job_index] = ids[0]
        note(_handed_over, ids=ids, first=submission.components[0], adopted=bool(found))


def _note(
    outcomes: list[tuple[int, Outcome]],
    job_id: int,
    workload: Workload,
    write: Callable[..., Awaitable[None]],
    **facts: Any,
) -> None:
    outcomes.append((job_id, functools.partial(write, job_id=job_id, workload=workload, **facts)))


async def _write_down(context: Context, outcomes: list[tuple[int, Outcome]]) -> None:
    """Write what Slurm answered, in that order."""
    if not outcomes:
        return
    async with transaction(context.sessions) as session:
        jobs = select(SlurmJob).where(SlurmJob.id.in_([job_id for job_id, _ in outcomes]))
        kept = list(await session.scalars(jobs))  # the session itself holds its rows weakly only
        for _, write in outcomes:
            await write(session)
        kept.clear()


async def _handed_over(
    session: AsyncSession,
    *,
    job_id: int,
    workload: Workload,
    ids: tuple[int, ...],
    first: Component,
    adopted: bool,
) -> None:
    job = await session.get_one(SlurmJob, job_id)
    if job.status != "intent":  # another daemon, which led meanwhile, was first
        return
    job.status, job.leader_id, job.component_ids, job.submitted_at = "submitted", ids[0], list(ids), now()
    if not adopted:  # where an adopted one stands is not known: it is told its place again
        job.applied_qos, job.applied_nice, job.applied_held = first.qos, first.nice, first.hold
    facts = {"slurm_job": list(ids), "job_index": job.job_index, "name": job.name, "adopted": adopted}
    record(session, DAEMON, Action.JOB_SUBMIT, "workload", workload.id, after=facts, backend="POST /job/submit")
    state.event(session, workload, "slurm", "job_submitted", data=facts)


async def _refused(session: AsyncSession, *, job_id: int, workload: Workload, error: SlurmRefused) -> None:
    """Slurm's no is final for this request: the workload fails with Slurm's words; what was handed over is cancelled."""
    job = await session.get_one(SlurmJob, job_id)
    workload = await session.get_one(Workload, workload.id)
    if job.status != "intent":
        return
    job.status, job.reason = "never_submitted", str(error)[:200]
    handed_over = any(one.status == "submitted" for one in workload.attempts[-1].jobs)
    for other in workload.attempts[-1].jobs:
        if other.status == "intent":
            other.status = "never_submitted"
    facts = {"code": error.code, "message": str(error)}
    record(session, DAEMON, Action.JOB_SUBMIT, "workload", workload.id, after=facts, result="refused")
    failure = {"cause": "refused", **facts}
    if handed_over:
        workload.failure, workload.cancel_requested_at = failure, now()
    else:
        workload.attempts[-1].outcome, workload.attempts[-1].ended_at = "refused", now()
        await state.change(session, workload, State.FAILED, DAEMON, failure=failure)


async def _mismatch(session: AsyncSession, *, job_id: int, workload: Workload, found: tuple[int, ...]) -> None:
    """Two Slurm jobs with one nonce: never adopted; a person must look."""
    job = await session.get_one(SlurmJob, job_id)
    job.status, job.reason = "mismatch", f"several Slurm jobs carry this name: {list(found)}"
    state.event(session, workload, "slurm", "mismatch", data={"slurm_jobs": list(found), "name": job.name})
