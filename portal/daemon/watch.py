"""Watches handed-over workloads: Slurm's snapshot, accounting and the runner's events become states, never guesses."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import lazyload
from sqlalchemy.sql.base import ExecutableOption

from portal.daemon.conclude import conclude
from portal.daemon.context import Context
from portal.daemon.rounds import in_batches
from portal.daemon.watched import Watched, expected_start, watched_jobs
from portal.db.engine import reading, transaction
from portal.db.models import Attempt, SlurmJob, Workload, now
from portal.domain.lifecycle import State
from portal.domain.runreport import RunReport
from portal.services import state
from portal.services.audit import DAEMON, Action, record
from portal.services.progress import read_progress
from slurm.errors import SlurmError
from slurm.records import AccountingRow, JobRecord, Snapshot
from slurm.states import ENDED, LIVE, PENDING

log = structlog.get_logger()
BATCH = 32
NOTED_AT_ONCE = 1000
"""Rows a transaction: every one of them changes when Slurm counts the jobs' age anew."""
_ROW = TypeAdapter(AccountingRow)


async def look(context: Context, taken: Snapshot) -> None:
    """One round over all workloads that Slurm has, with one snapshot and at most one accounting call."""
    records: dict[int, list[JobRecord]] = defaultdict(list)
    for job in taken.jobs:
        records[job.leader_id].append(job)
    watched: dict[int, list[Watched]] = defaultdict(list)
    async with reading(context.sessions) as session:
        for one in await watched_jobs(session):
            watched[one.attempt_id].append(one)
    waiting = {
        one for one, jobs in watched.items() if all(job.just_waits(records.get(job.leader_id or 0, ())) for job in jobs)
    }
    await _note_waiting(context, [job.news(records[job.leader_id or 0]) for one in waiting for job in watched[one]])
    news = [attempt_id for attempt_id in watched if attempt_id not in waiting]
    submitted = [job.leader_id for attempt_id in news for job in watched[attempt_id] if job.status == "submitted"]
    ended = await _accounting(context, [leader for leader in submitted if not _live(records.get(leader or 0, ()))])
    await in_batches(context, news, BATCH, functools.partial(_look_at, records=records, ended=ended))


async def _note_waiting(context: Context, news: Iterable[dict[str, Any]]) -> None:
    """Write what Slurm says of jobs that only wait: nothing has begun, so there is nothing to read, and no rule to ask."""
    rows = sorted((one for one in news if one), key=itemgetter("id"))
    for start in range(0, len(rows), NOTED_AT_ONCE):
        async with transaction(context.sessions) as session:
            await session.execute(update(SlurmJob), rows[start : start + NOTED_AT_ONCE])


def _live(records: Iterable[JobRecord]) -> bool:
    return any(job.state in LIVE for job in records)


async def _accounting(context: Context, gone: list[int | None]) -> dict[int, list[AccountingRow]]:
    """Leader id -> rows of its components, for the jobs that the snapshot no longer has."""
    leaders = [leader for leader in gone if leader is not None]
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
    attempt_ids: Sequence[int],
    *,
    records: Mapping[int, list[JobRecord]],
    ended: Mapping[int, list[AccountingRow]],
) -> None:
    async with reading(context.sessions) as session:
        found = await _attempts(
            session, attempt_ids, lazyload(Workload.tests), lazyload(Workload.attempts), lazyload(Attempt.jobs)
        )
    progress = {attempt.id: _progress(context, workload, attempt) for attempt, workload in found}
    async with transaction(context.sessions) as session:
        for attempt, workload in await _attempts(session, attempt_ids):
            _seen(session, workload, attempt, records, ended)
            attempt.report = progress[attempt.id].as_json()
            await _follow(session, workload, attempt)
            _watch_the_limit(session, workload, attempt)
            if all(job.status in ("ended", "never_submitted") for job in attempt.jobs):
                await conclude(session, context, workload, attempt, progress[attempt.id])


def _progress(context: Context, workload: Workload, attempt: Attempt) -> RunReport:
    folder = functools.partial(context.rundir, attempt.run_dir, workload.owner.unix_user or "")
    return read_progress(folder, workload, attempt)


async def _attempts(
    session: AsyncSession, ids: Sequence[int], *less: ExecutableOption
) -> list[tuple[Attempt, Workload]]:
    """`less`: what is not read with them."""
    query = select(Attempt, Workload).join(Workload).where(Attempt.id.in_(ids)).order_by(Attempt.id).options(*less)
    return [(attempt, workload) for attempt, workload in (await session.execute(query)).unique()]


def _seen(
    session: AsyncSession,
    workload: Workload,
    attempt: Attempt,
    records: Mapping[int, list[JobRecord]],
    ended: Mapping[int, list[AccountingRow]],
) -> None:
    for job in attempt.jobs:
        leader = job.leader_id or 0
        if job.status != "submitted":
            continue
        if _live(records.get(leader, ())):
            seen_live(session, workload, job, records[leader])
        elif _over(ended.get(leader, [])):
            seen_ended(job, ended[leader])
        else:
            workload.unknown_since = workload.unknown_since or now()


def _over(rows: list[AccountingRow]) -> bool:
    """Accounting lags behind: rows that still say RUNNING or PENDING tell nothing yet."""
    return bool(rows) and all(row.state in ENDED for row in rows)


def seen_live(session: AsyncSession, workload: Workload, job: SlurmJob, records: list[JobRecord]) -> None:
    """Write down what Slurm lists of a live job."""
    leader = min(records, key=lambda record: record.het_offset or 0)
    job.component_ids = sorted(record.job_id for record in records)
    job.nodes = sorted({name for record in records if record.state in LIVE for name in record.nodes})
    job.state, job.reason, job.slurm_priority = leader.state, leader.reason, leader.priority
    job.estimated_start = expected_start(records) if leader.state == PENDING else None
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


def seen_ended(job: SlurmJob, rows: list[AccountingRow]) -> None:
    """Write down what accounting has of a job that has ended."""
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
            await state.write(session, workload, State.RUNNING, DAEMON, phase="starting", detail=_ids(attempt))
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
