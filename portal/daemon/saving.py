"""The last station: logs of every ended attempt, models and results of Operators go to S3."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import lazyload

from portal.daemon.analysing import save_analysis
from portal.daemon.context import Context
from portal.daemon.filecopy import copy_files
from portal.daemon.logcopy import copy_logs
from portal.daemon.rounds import each
from portal.db.engine import reading, transaction
from portal.db.models import Attempt, DurationSample, LoopTest, Model, Workload, now
from portal.domain.lifecycle import State
from portal.domain.metrics import summary
from portal.rundir import Listing, Refused, RunDir, RunDirError
from portal.services import analyses, efficiency, state
from portal.services.audit import DAEMON, Action, record
from portal.services.models import SAVE_FAILED, SAVING, STORED
from portal.services.site import site_policy
from portal.spec.graph import components_of
from portal.spec.load import load_resolved
from portal.spec.models import AppSpec
from portal.store import layout
from portal.store.manifest import Lineage, manifest

MODEL_FOLDER = "model"
CLOCKS_DIFFER_S = 60
MAKES_MODEL = frozenset({"rl", "general"})
ALONE = (lazyload(Workload.tests), lazyload(Workload.attempts))
"""Reads a workload's own row where the rest of it is not looked at."""


async def save_ended(context: Context) -> None:
    """Save what ended; what S3 does not take now is tried again in the next round."""
    async with reading(context.sessions) as session:
        ended = select(Attempt.id).where(Attempt.outcome != "", Attempt.logs_saved_at.is_(None)).order_by(Attempt.id)
        attempts = list(await session.scalars(ended))
        saving = list(await session.scalars(select(Workload.id).where(Workload.state == State.SAVING)))
    await each(context, attempts, _save_logs)
    await each(context, saving, _save_results)


async def _save_logs(context: Context, attempt_id: int) -> None:
    async with reading(context.sessions) as session:
        query = select(Attempt, Workload).join(Workload).where(Attempt.id == attempt_id).options(*ALONE)
        attempt, workload = (await session.execute(query)).one()
    refused = await copy_logs(context, workload, attempt)
    if workload.kind == "test":
        await _save_test(context, workload)
    used = _used(context, workload, attempt)
    async with transaction(context.sessions) as session:
        saved = update(Attempt).where(Attempt.id == attempt_id)
        await session.execute(saved.values(usage=used, logs_saved_at=now()))
        data = {"attempt": attempt.number, "refused": refused}
        state.event(session, workload, "portal", "logs_saved", data=data)


def _used(context: Context, workload: Workload, attempt: Attempt) -> dict[str, Any] | None:
    """What its steps asked for and used; None where the run directory cannot be read."""
    try:
        folder = context.rundir(attempt.run_dir, workload.owner.unix_user or "")
    except RunDirError:
        return None
    return efficiency.measure(folder, workload, attempt, site_policy(context.settings).cpus)


async def _save_test(context: Context, run: Workload) -> None:
    """The judged result of a test run, beside the logs that it was judged by."""
    async with reading(context.sessions) as session:
        test = await session.scalar(select(LoopTest).where(LoopTest.run_id == run.id))
    if test is not None:
        document = {"status": test.status, "episodes": test.episodes, "results": test.results, "size": test.size}
        await context.store.put_json("tests", layout.test_result(test.spec_hash, run.id), document)


async def _save_results(context: Context, workload_id: str) -> None:
    async with reading(context.sessions) as session:
        workload = await session.get_one(Workload, workload_id)
        attempt = workload.attempts[-1]
    if attempt.logs_saved_at is None:
        return
    if workload.kind in MAKES_MODEL:
        await save_model(context, workload, attempt)
    elif workload.kind == analyses.KIND:
        await save_analysis(context, workload, attempt)
    wanted = () if analyses.OPTION in workload.options else ALONE
    async with transaction(context.sessions) as session:
        workload = await session.get_one(Workload, workload_id, options=wanted)
        _remember_durations(session, workload, attempt)
        await state.write(session, workload, State.COMPLETED, DAEMON)
        await analyses.start_asked(session, DAEMON, context.settings, workload)


async def save_model(context: Context, workload: Workload, attempt: Attempt) -> None:
    """Store the files of /one/model, then the manifest; a repeated call goes on with the same version.

    What is refused is named: a folder past its caps makes no model, a file that is refused is not part of it.
    """
    rundir = context.rundir(attempt.run_dir, workload.owner.unix_user or "")
    try:
        listing = rundir.tree(MODEL_FOLDER)
    except Refused as error:
        listing = Listing((), (error,))
    refused = [str(problem) for problem in listing.refused]
    if not listing.files:
        await _no_model(context, workload, refused)
        return
    model = await _model_row(context, workload)
    if model.state != SAVING:
        return
    stored = await copy_files(context, rundir, MODEL_FOLDER, listing, ("models", model.prefix), refused)
    if not stored:
        await _no_model(context, workload, refused, model.id)
        return
    lineage = _lineage(workload, attempt, rundir)
    document = manifest(model.name, model.version, stored, refused, lineage, now())
    await context.store.put_json("models", model.prefix + layout.MANIFEST, document)
    async with transaction(context.sessions) as session:
        model = await session.get_one(Model, model.id)
        model.state, model.manifest, model.size_bytes = STORED, document, document["size_bytes"]
        after = {"uri": f"s3://{model.bucket}/{model.prefix}", "files": len(stored), "refused": refused}
        record(session, DAEMON, Action.MODEL_SAVE, "model", f"{model.app_id}/v{model.version}", after=after)
        state.event(session, workload, "portal", "model_saved", data=after)


async def _no_model(context: Context, workload: Workload, refused: list[str], model_id: int | None = None) -> None:
    """Nothing could be stored: say so, also on the row of a model that was begun."""
    async with transaction(context.sessions) as session:
        state.event(session, workload, "portal", "no_model", data={"refused": refused})
        if model_id is not None:
            model = await session.get_one(Model, model_id)
            model.state, model.error = SAVE_FAILED, "; ".join(refused)


async def _model_row(context: Context, workload: Workload) -> Model:
    """The workload's model row: the one of an interrupted earlier try, or the App's next version."""
    async with transaction(context.sessions) as session:
        found: Model | None = await session.scalar(select(Model).where(Model.workload_id == workload.id))
        if found is not None:
            return found
        newest = await session.scalar(select(func.max(Model.version)).where(Model.app_id == workload.app_id))
        version = (newest or 0) + 1
        model = Model(
            app_id=workload.app_id,
            version=version,
            name=f"{workload.name}-final",
            workload_id=workload.id,
            bucket=f"{context.settings.s3.bucket_prefix}models",
            prefix=layout.model_prefix(workload.app_id, version),
        )
        session.add(model)
        return model


def _lineage(workload: Workload, attempt: Attempt, rundir: RunDir) -> Lineage:
    document = workload.resolved or {}
    spec = load_resolved(document)
    images = {
        f"{task.task_id}/{component.id}": f"{component.image.reference}@{component.image.digest}"
        for _path, task, component in components_of(spec)
    }
    return Lineage(
        app_id=workload.app_id,
        app_version=workload.app_version,
        workload=workload.id,
        attempt=attempt.number,
        spec_hash=workload.spec_hash or "",
        owner=workload.owner.username,
        unix_user=workload.owner.unix_user or "",
        images=images,
        slurm_jobs={str(job.leader_id): job.component_ids for job in attempt.jobs},
        training_config=document.get("training_config"),
        data_path=spec.storage.path if spec.storage else None,
        metrics=_metrics(spec, rundir),
        plan_form=str(attempt.plan.get("form", "")),
        rerun_of=workload.rerun_of,
    )


def _metrics(spec: AppSpec, rundir: RunDir) -> dict[str, object]:
    """Step id -> summary of its self-reported metrics; steps that wrote none are absent, a refused file is named."""
    found: dict[str, object] = {}
    for _path, task, component in components_of(spec):
        step = f"{task.task_id}/{component.id}"
        try:
            said = summary(rundir.json_lines(f"steps/{step}/metrics.jsonl"))
        except Refused as error:
            found[step] = {"refused": str(error)}
            continue
        if said.lines or said.lines_not_json:
            found[step] = said.as_json()
    return found


def _remember_durations(session: AsyncSession, workload: Workload, attempt: Attempt) -> None:
    """What each component took becomes the expectation of the next plan; tests are shorter and do not count.

    Expectations are everybody's: times that the runner cannot have measured, by Slurm's clock, are not taken over.
    """
    if workload.kind not in MAKES_MODEL:
        return
    ran = [(job.ended_at - job.started_at).total_seconds() for job in attempt.jobs if job.started_at and job.ended_at]
    longest = max(ran, default=0.0) + CLOCKS_DIFFER_S
    spec = load_resolved(workload.resolved or {})
    steps = (attempt.report or {}).get("steps", {})
    for _path, task, component in components_of(spec):
        seconds = steps.get(f"{task.task_id}/{component.id}", {}).get("seconds")
        if seconds is not None and seconds <= longest:
            digest = component.image.digest or ""
            session.add(DurationSample(component_id=component.component_id, digest=digest, seconds=seconds))
