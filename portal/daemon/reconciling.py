"""One look at portal, Slurm and S3 together: the rows, one snapshot, accounting in batches, the buckets' listings."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.daemon.context import Context
from portal.daemon.saving import MAKES_MODEL, MODEL_FOLDER
from portal.db.engine import reading
from portal.db.models import Attempt, Model, SlurmJob, Workload, now
from portal.domain.findings import Code, Finding
from portal.domain.lifecycle import LIVE, State
from portal.domain.priority import PriorityScale
from portal.domain.reconcile import PORTAL_MARK, JobFacts, compare_jobs, running_without_job
from portal.domain.reconcile_store import LogFacts, ModelFacts, compare_logs, compare_models, models_missing
from portal.rundir import RunDirError
from portal.services.doctor import Wishes
from portal.services.models import PURGED, STORED
from portal.settings import Settings
from portal.store import layout
from portal.store.s3 import ObjectMissing, StoreError
from slurm.errors import SlurmError
from slurm.records import AccountingRow, JobRecord

BATCH = 1000


@dataclass
class Look:
    """What one look found, and how much it looked at."""

    findings: list[Finding] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=dict)

    @property
    def incomplete(self) -> bool:
        """A side did not answer, so that what is not found may still be there."""
        return any(finding.code is Code.NOT_COMPARED for finding in self.findings)


async def look(context: Context, wishes: Wishes) -> Look:
    """Compare the live workloads and those that ended within `wishes.days`; a side that is away is itself a finding."""
    found = Look()
    async with reading(context.sessions) as session:
        workloads = await _workloads(session, wishes.days)
        models = list((await session.scalars(select(Model).order_by(Model.id))).unique())
    found.compared["workloads"] = len(workloads)
    await _slurm(context, workloads, found)
    try:
        await _store(context, wishes, workloads, models, found)
    except StoreError as error:
        found.findings.append(Finding(Code.NOT_COMPARED, "part", "s3", "", str(error), "s3"))
    return found


async def look_at_slurm(context: Context, days: int) -> Look:
    """Only Slurm and its accounting against the rows."""
    found = Look()
    async with reading(context.sessions) as session:
        workloads = await _workloads(session, days)
    await _slurm(context, workloads, found)
    return found


async def _workloads(session: AsyncSession, days: int) -> list[Workload]:
    recent = Workload.ended_at >= now() - timedelta(days=days)
    live = Workload.state.in_([state.value for state in LIVE])
    return list((await session.scalars(select(Workload).where(or_(live, recent)).order_by(Workload.id))).unique())


# --- Slurm -------------------------------------------------------------------------------------------------------------


async def _slurm(context: Context, workloads: Sequence[Workload], found: Look) -> None:
    facts = [fact for workload in workloads for fact in _job_facts(workload, context.settings)]
    try:
        jobs = (await context.slurm.snapshot()).jobs
    except SlurmError as error:
        found.findings.append(Finding(Code.NOT_COMPARED, "part", "slurm", "", str(error)))
        return
    facts += await _older(context, {fact.name for fact in facts}, jobs)
    rows = None
    try:
        rows = await _accounting(context, facts)
    except SlurmError as error:
        found.findings.append(Finding(Code.NOT_COMPARED, "part", "accounting", "", str(error), "accounting"))
    found.compared |= {"jobs": len(facts), "slurm_jobs": len(jobs), "accounting_rows": len(rows or ())}
    found.findings += compare_jobs(facts, jobs, rows)
    found.findings += running_without_job({workload.id: State(workload.state) for workload in workloads}, facts)


async def _accounting(context: Context, facts: Iterable[JobFacts]) -> list[AccountingRow]:
    """The rows of all the facts' leaders; one call a batch."""
    leaders = [fact.leader_id for fact in facts if fact.leader_id is not None]
    rows: list[AccountingRow] = []
    for start in range(0, len(leaders), BATCH):
        rows += await context.slurm.accounting(leaders[start : start + BATCH])
    return rows


def _job_facts(workload: Workload, settings: Settings) -> Iterable[JobFacts]:
    return (_fact(workload, attempt, job, settings) for attempt in workload.attempts for job in attempt.jobs)


def _fact(workload: Workload, attempt: Attempt, job: SlurmJob, settings: Settings) -> JobFacts:
    return JobFacts(
        workload=workload.id,
        state=State(workload.state),
        name=job.name,
        status=job.status,
        leader_id=job.leader_id,
        seen=job.state,
        place=_place(workload, job, settings),
        over=attempt.outcome != "",
        age_s=(now() - attempt.created_at).total_seconds(),
    )


def _place(workload: Workload, job: SlurmJob, settings: Settings) -> tuple[str, int, bool] | None:
    """Where a waiting job should stand; what was changed outside, and is shown so, is nobody's mistake."""
    if workload.state != State.QUEUED or workload.cancel_requested_at or job.changed_outside_at or job.reorder_error:
        return None
    scale = PriorityScale.of(settings)
    return (*scale.slurm_values(workload.priority, workload.queue_rank, workload.kind), workload.held)


async def _older(context: Context, known: set[str], jobs: Iterable[JobRecord]) -> list[JobFacts]:
    """Rows of live jobs whose workloads ended before the time that is compared."""
    names = {job.name for job in jobs if job.comment.startswith(PORTAL_MARK)} - known
    if not names:
        return []
    async with reading(context.sessions) as session:
        rows = list(await session.scalars(select(SlurmJob).where(SlurmJob.name.in_(names))))
        attempts = {row.id: await session.get_one(Attempt, row.attempt_id) for row in rows}
        workloads = {row.id: await session.get_one(Workload, attempts[row.id].workload_id) for row in rows}
    return [_fact(workloads[row.id], attempts[row.id], row, context.settings) for row in rows]


# --- S3 ----------------------------------------------------------------------------------------------------------------


async def _store(
    context: Context, wishes: Wishes, workloads: Sequence[Workload], models: Sequence[Model], found: Look
) -> None:
    facts = [_model_fact(model) for model in models]
    objects = {info.key: info.size for info in await context.store.list_keys("models", "")}
    manifests = {fact.prefix: document async for fact, document in _manifests(context, facts)}
    hashes = {key: await _sha256(context, key) for key in objects} if wishes.contents else {}
    found.findings += compare_models(facts, objects, manifests, hashes)
    found.findings += models_missing(_written(context, workloads, {fact.workload for fact in facts}), facts)
    logs = [await _log_fact(context, workload, attempt) for workload in workloads for attempt in workload.attempts]
    found.findings += compare_logs(fact for fact in logs if fact is not None)
    found.compared |= {"models": len(facts), "objects": len(objects), "objects_read": len(hashes), "logs": len(logs)}


def _model_fact(model: Model) -> ModelFacts:
    return ModelFacts(
        name=f"{model.app_id} v{model.version}",
        workload=model.workload_id,
        workload_state=State(model.workload.state),
        stored=model.state == STORED,
        prefix=model.prefix,
        manifest=model.manifest,
        purged=model.state == PURGED,
        asked=bool(model.asked),
    )


async def _manifests(context: Context, models: Iterable[ModelFacts]) -> AsyncIterator[tuple[ModelFacts, Any]]:
    for model in models:
        try:
            yield model, await context.store.get_json("models", model.prefix + layout.MANIFEST)
        except ObjectMissing:
            continue
        except ValueError as error:  # not JSON: certainly not what the portal wrote
            yield model, str(error)


async def _sha256(context: Context, key: str) -> str:
    digest = hashlib.sha256()
    async for chunk in context.store.iter_bytes("models", key):
        digest.update(chunk)
    return digest.hexdigest()


def _written(context: Context, workloads: Iterable[Workload], with_model: set[str]) -> dict[str, int]:
    """Files in the model folder of completed workloads that have no model; run directories that are gone say nothing."""
    written = {}
    for workload in workloads:
        if workload.state != State.COMPLETED or workload.kind not in MAKES_MODEL or workload.id in with_model:
            continue
        try:
            folder = context.rundir(workload.attempts[-1].run_dir, workload.owner.unix_user or "")
            written[workload.id] = len(folder.tree(MODEL_FOLDER).files)
        except RunDirError:
            continue
    return written


async def _log_fact(context: Context, workload: Workload, attempt: Attempt) -> LogFacts | None:
    if not attempt.outcome:
        return None
    stored = await context.store.list_keys("logs", layout.log_prefix(workload.id, attempt.number))
    return LogFacts(
        workload=workload.id,
        attempt=attempt.number,
        began=any(job.started_at for job in attempt.jobs),
        saved=attempt.logs_saved_at is not None,
        ended_s=(now() - attempt.ended_at).total_seconds() if attempt.ended_at else 0.0,
        objects=len(stored),
    )
