"""Watches handed-over workloads: Slurm's snapshot, accounting and the runner's events become states, never guesses."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.daemon.conclude import conclude
from portal.daemon.context import Context
from portal.daemon.progress import read_progress
from portal.daemon.rounds import each
from portal.db.engine import transaction
from portal.db.models import Attempt, SlurmJob, Workload, now
from portal.domain.lifecycle import State
from portal.services import state
from portal.services.audit import DAEMON, Action, record
from slurm.errors import SlurmError
from slurm.records import AccountingRow, JobRecord, Snapshot
from slurm.states import ENDED, LIVE, PENDING

log = structlog.get_logger()
_ROW = TypeAdapter(AccountingRow)


async def look(context: Context, taken: Snapshot) -> None:
    """One round over all workloads that Slurm has, with one snapshot and at most one accounting call."""
    records: dict[int, list[JobRecord]] = defaultdict(list)
    for job in taken.jobs:
        records[job.leader_id].append(job)
    async with context.sessions() as session:
        query = (
            select(Attempt)
            .join(Workload)
            .where(Workload.state.in_([State.QUEUED, State.RUNNING]), Attempt.outcome == "")
        )
        watched = {
            attempt.id: [job for job in attempt.jobs if job.status == "submitted"]
            for attempt in await session.scalars(query)
        }
    gone = [job for jobs in watched.values() for job in jobs if not _live(records.get(job.leader_id or 0, ()))]
    ended = await _accounting(context, gone)
    await each(context, watched, functools.partial(_look_at, records=records, ended=ended))


def _live(records: Iterable[JobRecord]) -> bool:
    return any(job.state in LIVE for job in records)


async def _accounting(context: Context, jobs: list[SlurmJob]) -> dict[int, list[AccountingRow]]:
    """Leader id -> rows of its components, for the jobs that the snapshot no longer has."""
    leaders = [job.leader_id for job in jobs if job.leader_id is not None]
    if not leaders:
        return {}
    try:
        rows = await context.slurm.accounting(leaders)
    except SlurmError as error:
        log.warning("accounting does not answer", error=str(error))
        return {}
    found: dict[int, list[AccountingRow]] = defaultdict(list)
    for row in rows:
        found[row.leader_id].append(row)
    return found


async def _look_at(
    context: Context,
    attempt_id: int,
    *,
    records: Mapping[int, list[JobRecord]],
    ended: Mapping[int, list[AccountingRow]],
) -> None:
    async with context.sessions() as session:
        attempt = await session.get_one(Attempt, attempt_id)
        workload = await session.get_one(Workload, attempt.workload_id)
    progress = read_progress(context, workload, attempt)
    async with transaction(context.sessions) as session:
        attempt = await session.get_one(Attempt, attempt_id)
        workload = await session.get_one(Workload, attempt.workload_id)
        for job in attempt.jobs:
            leader = job.leader_id or 0
            if job.status != "submitted":
                continue
            if _live(records.get(leader, ())):
                _seen_live(session, workload, job, records[leader])
            elif _over(ended.get(leader, [])):
                _seen_ended(job, ended[leader])
            else:
                workload.unknown_since = workload.unknown_since or now()
        attempt.report = progress.as_json()
        await _follow(session, workload, attempt)
        _watch_the_limit(session, workload, attempt)
        if all(job.status in ("ended", "never_submitted") for job in attempt.jobs):
            await conclude(session, context, workload, attempt, progress)


def _over(rows: list[AccountingRow]) -> bool:
    """Accounting lags behind: rows that still say RUNNING or PENDING tell nothing yet."""
    return bool(rows) and all(row.state in ENDED for row in rows)


def _seen_live(session: AsyncSession, workload: Workload, job: SlurmJob, records: list[JobRecord]) -> None:
    leader = min(records, key=lambda record: record.het_offset or 0)
    job.component_ids = sorted(record.job_id for record in records)
    job.state, job.reason, job.slurm_priority = leader.state, leader.reason, leader.priority
    starts = [record.estimated_start for record in records if record.estimated_start]
    job.estimated_start = datetime.fromtimestamp(max(starts), UTC) if starts and leader.state == PENDING else None
    if leader.started_at and leader.state != PENDING:
        job.started_at = datetime.fromtimestamp(leader.started_at, UTC)
    workload.unknown_since = None
    if leader.state == PENDING and job.applied_nice is not None:
        _notice_outside_change(session, workload, job, records)


def _notice_outside_change(session: AsyncSession, workload: Workload, job: SlurmJob, records: list[JobRecord]) -> None:
    """What scontrol changed is recorded once and respected; the portal writes again only when somebody asks for a new place."""
    seen = {(record.qos, record.nice, record.held) for record in records}
    if seen == {(job.applied_qos, job.applied_nice, job.applied_held)}:
        job.changed_outside_at = None
    elif job.changed_outside_at is None:
        job.changed_outside_at = now()
        before = {"qos": job.applied_qos, "nice": job.applied_nice, "held": job.applied_held}
        after = {"components": [{"id": r.job_id, "qos": r.qos, "nice": r.nice, "held": r.held} for r in records]}
        record(session, DAEMON, Action.WORKLOAD_OUTSIDE, "workload", workload.id, before=before, after=after)
        state.event(session, workload, "slurm", "changed_outside", data=after)


def _seen_ended(job: SlurmJob, rows: list[AccountingRow]) -> None:
    leader = min(rows, key=lambda row: row.het_offset or 0)
    job.status, job.state = "ended", leader.state
    job.accounting = {"rows": [_ROW.dump_python(row, mode="json") for row in rows]}
    job.component_ids = sorted(row.job_id for row in rows)
    if leader.started_at:
        job.started_at = datetime.fromtimestamp(leader.started_at, UTC)
    if leader.ended_at:
        job.ended_at = datetime.fromtimestamp(leader.ended_at, UTC)


async def _follow(session: AsyncSession, workload: Workload, attempt: Attempt) -> None:
    """The workload runs from the moment its first job does; before that it says what its first job waits for."""
    started = [job.started_at for job in attempt.jobs if job.started_at is not None]
    if workload.state == State.QUEUED:
        if started:
            attempt.started_at = min(started)
            await state.change(session, workload, State.RUNNING, DAEMON, phase="starting", detail=_ids(attempt))
        elif workload.phase != "cancelling":
            workload.phase = "held" if workload.held else "slurm_pending"
    elif workload.state == State.RUNNING and workload.phase == "starting" and (attempt.report or {}).get("steps"):
        workload.phase = ""


def _watch_the_limit(session: AsyncSession, workload: Workload, attempt: Attempt) -> None:
    """The time limit counts the running time of all jobs of a chain; each job has all of it, so the daemon ends the chain."""
    if len(attempt.jobs) < 2 or workload.failure is not None:
        return
    ran = sum(((job.ended_at or now()) - job.started_at).total_seconds() for job in attempt.jobs if job.started_at)
    if ran > workload.time_limit_min * 60:
        workload.failure = {"cause": "time_limit"}
        workload.cancel_requested_at = now()
        state.event(session, workload, "portal", "time_limit", data={"ran_s": round(ran)})


def _ids(attempt: Attempt) -> dict[str, Any]:
    return {"slurm_jobs": [job.component_ids for job in attempt.jobs]}
