"""Station three: a queued workload whose images are ready becomes Slurm jobs, each handed over at most once.

The plan and an intent row with a random nonce are written first; the nonce is in the job's name. Before every submission the
name is looked for in Slurm, so a crash between "Slurm took it" and "the row says so" is found and adopted, never repeated.
"""

from __future__ import annotations

import functools
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from containers.image import ImageConfig
from portal.compile import (
    CompiledRun,
    CompileError,
    ImageUnusable,
    JobMark,
    RunnableImage,
    RunRequest,
    TestRun,
    compile_run,
    for_hand_over,
)
from portal.daemon.context import Context
from portal.daemon.images import digests_of
from portal.daemon.rounds import each
from portal.db.engine import transaction
from portal.db.models import Attempt, Image, SlurmJob, Workload, now
from portal.domain.approval import StepSize
from portal.domain.lifecycle import Decision, Phase, State
from portal.domain.priority import Place, PriorityScale
from portal.services import cluster, maintenance, planning, state
from portal.services.audit import DAEMON, Action, record
from portal.services.ids import new_nonce
from portal.services.reruns import RESUME_FROM
from portal.services.site import site_policy
from portal.spec.load import load_resolved
from slurm.errors import PlanError, SlurmRefused
from slurm.ids import component_ids
from slurm.inventory import NodeClass


async def hand_over(context: Context) -> None:
    """One round over queued workloads, the oldest first."""
    async with context.sessions() as session:
        query = select(Workload).where(Workload.state == State.QUEUED, Workload.cancel_requested_at.is_(None))
        queued = list((await session.scalars(query.order_by(Workload.queued_at, Workload.id))).unique())
        inventory = await cluster.inventory(session, context.settings)
        stopped = await maintenance.current(session)
    if not inventory or stopped:
        return
    ready = [workload.id for workload in queued if not state.is_handed_over(workload)]
    await each(context, ready, functools.partial(_hand_over_one, inventory=inventory))


async def _hand_over_one(context: Context, workload_id: str, *, inventory: tuple[NodeClass, ...]) -> None:
    async with transaction(context.sessions) as session:
        if await maintenance.current(session):  # switched on in the middle of a long round
            return
        workload = await session.get_one(Workload, workload_id)
        images = await _runnable(session, workload)
        if images is None:
            workload.phase = Phase.PREPARING.value
            return
        if not _gate_is_open(workload):
            failure = {"cause": "refused", "message": "not approved for exactly this spec hash"}
            await state.change(session, workload, State.FAILED, DAEMON, failure=failure)
            return
        run = await _compiled(session, context, workload, images, inventory)
        if run is None:
            return
        attempt = await _attempt(session, workload, run)
    for job in attempt.jobs:
        if job.status == "intent" and not await _submit(context, workload_id, attempt.id, job.id, run):
            return


def _gate_is_open(workload: Workload) -> bool:
    """The last look: over the threshold, only exactly the approved hash runs."""
    approved = workload.decision == Decision.APPROVED and workload.approved_hash == workload.spec_hash
    return approved or not workload.needs_approval


async def _runnable(session: AsyncSession, workload: Workload) -> dict[str, RunnableImage] | None:
    """The workload's converted images; None while any is missing (evicted ones are wanted again)."""
    found = {}
    complete = True
    for digest in digests_of(workload):
        image = await session.get_one(Image, digest)
        if image.sif_path is not None and not Path(image.sif_path).exists():
            image.state, image.sif_path = "wanted", None
        if image.state != "ready" or image.sif_path is None:
            complete = False
            continue
        image.used_at = now()
        found[digest] = RunnableImage(image.sif_path, ImageConfig.from_json(image.config or {}))
    return found if complete else None


async def _compiled(
    session: AsyncSession,
    context: Context,
    workload: Workload,
    images: dict[str, RunnableImage],
    inventory: tuple[NodeClass, ...],
) -> CompiledRun | None:
    """The compiled run; None when it cannot be: the workload has failed then, with the reason."""
    request = await _request(session, context, workload)
    begun = state.begun_attempt(workload)
    plan = planning.plan_of(begun.plan) if begun is not None else None
    try:
        return compile_run(request, inventory, images, site_policy(context.settings), plan=plan)
    except PlanError as error:
        words = {
            "message_ko": "; ".join(found.message_ko for found in error.problems),
            "message_en": "; ".join(found.message_en for found in error.problems),
        }
        await state.change(session, workload, State.FAILED, DAEMON, failure={"cause": "no_plan", **words})
    except ImageUnusable as error:
        failure = {"cause": "image", "step": error.step, "image": error.image, "message": str(error)}
        await state.change(session, workload, State.FAILED, DAEMON, failure=failure)
    except CompileError as error:
        failure = {"cause": "no_plan", "message_ko": str(error), "message_en": str(error)}
        await state.change(session, workload, State.FAILED, DAEMON, failure=failure)
    return None


async def _request(session: AsyncSession, context: Context, workload: Workload) -> RunRequest:
    spec = load_resolved(workload.resolved or {})
    begun = state.begun_attempt(workload)
    scale = PriorityScale.of(context.settings)
    qos, nice = scale.slurm_values(workload.priority, workload.queue_rank, workload.kind)
    options = workload.options
    return RunRequest(
        workload=workload.id,
        attempt=begun.number if begun else len(workload.attempts) + 1,
        spec=spec,
        owner=workload.owner.unix_user or "",
        account=workload.owner.slurm_account or "",
        place=Place(qos, nice),
        time_limit_min=workload.time_limit_min,
        form=options.get("form", "auto"),
        smallest=options.get("smallest", False),
        held=workload.held,
        resume=len(workload.attempts) > (1 if begun else 0),
        resume_from=options.get(RESUME_FROM),
        test=_test_run(workload) if workload.kind == "test" else None,
        expected_s=await planning.expected_durations(session, spec),
    )


def _test_run(workload: Workload) -> TestRun:
    options = workload.options
    return TestRun(
        sizes={step: StepSize(**size) for step, size in options["sizes"].items()},
        episodes=options.get("episodes"),
        iterations=options.get("iterations", 1),
        params=options.get("params", {}),
    )


async def _attempt(session: AsyncSession, workload: Workload, run: CompiledRun) -> Attempt:
    """The attempt with one intent a job; an interrupted one goes on."""
    begun = state.begun_attempt(workload)
    if begun is not None:
        return begun
    number = len(workload.attempts) + 1
    attempt = Attempt(
        workload_id=workload.id, number=number, run_dir=run.run_dir, plan=planning.plan_document(run.plan)
    )
    for job in run.jobs:
        nonce = new_nonce()
        mark = JobMark(workload.app_id, workload.id, number, job.index, nonce)
        attempt.jobs.append(SlurmJob(job_index=job.index, nonce=nonce, name=mark.name, after_jobs=list(job.after_jobs)))
    session.add(attempt)
    workload.phase = Phase.SLURM_PENDING.value
    await session.flush()
    await session.refresh(attempt, ["jobs"])
    return attempt


async def _submit(context: Context, workload_id: str, attempt_id: int, job_id: int, run: CompiledRun) -> bool:
    """Hand one job over unless Slurm has it; False when the workload cannot go on."""
    async with context.sessions() as session:
        workload = await session.get_one(Workload, workload_id)
        attempt = await session.get_one(Attempt, attempt_id)
        job = next(job for job in attempt.jobs if job.id == job_id)
        before = {job.job_index: job for job in attempt.jobs}
    owner = workload.owner
    compiled = run.jobs[job.job_index]
    mark = JobMark(workload.app_id, workload.id, attempt.number, job.job_index, job.nonce)
    needed = [before[index] for index in job.after_jobs]
    waits_for = [one.leader_id for one in needed if one.leader_id is not None and one.state != "COMPLETED"]
    submission = for_hand_over(compiled.submission, mark, predecessors=waits_for)
    try:
        found = await context.slurm.find(user=submission.owner, account=owner.slurm_account or "", name=job.name)
        if len(found) > 1:
            await _mismatch(context, workload_id, job_id, found)
            return False
        size = len(submission.components)
        ids = component_ids(found[0], size) if found else await context.slurm.submit(submission)
    except SlurmRefused as error:
        await _refused(context, workload_id, job_id, error)
        return False
    await _handed_over(context, workload_id, job_id, ids, run, adopted=bool(found))
    return True


async def _handed_over(
    context: Context, workload_id: str, job_id: int, ids: tuple[int, ...], run: CompiledRun, *, adopted: bool
) -> None:
    async with transaction(context.sessions) as session:
        job = await session.get_one(SlurmJob, job_id)
        workload = await session.get_one(Workload, workload_id)
        if job.status != "intent":  # another daemon, which led meanwhile, was first
            return
        first = run.jobs[job.job_index].submission.components[0]
        job.status, job.leader_id, job.component_ids, job.submitted_at = "submitted", ids[0], list(ids), now()
        if not adopted:  # where an adopted one stands is not known: it is told its place again
            job.applied_qos, job.applied_nice, job.applied_held = first.qos, first.nice, first.hold
        facts = {"slurm_job": list(ids), "job_index": job.job_index, "name": job.name, "adopted": adopted}
        record(session, DAEMON, Action.JOB_SUBMIT, "workload", workload_id, after=facts, backend="POST /job/submit")
        state.event(session, workload, "slurm", "job_submitted", data=facts)


async def _refused(context: Context, workload_id: str, job_id: int, error: SlurmRefused) -> None:
    """Slurm's no is final for this request: the workload fails with Slurm's words; what was handed over is cancelled."""
    async with transaction(context.sessions) as session:
        job = await session.get_one(SlurmJob, job_id)
        workload = await session.get_one(Workload, workload_id)
        if job.status != "intent":
            return
        job.status, job.reason = "never_submitted", str(error)[:200]
        handed_over = any(one.status == "submitted" for one in workload.attempts[-1].jobs)
        for other in workload.attempts[-1].jobs:
            if other.status == "intent":
                other.status = "never_submitted"
        facts = {"code": error.code, "message": str(error)}
        record(session, DAEMON, Action.JOB_SUBMIT, "workload", workload_id, after=facts, result="refused")
        failure = {"cause": "refused", **facts}
        if handed_over:
            workload.failure, workload.cancel_requested_at = failure, now()
        else:
            workload.attempts[-1].outcome, workload.attempts[-1].ended_at = "refused", now()
            await state.change(session, workload, State.FAILED, DAEMON, failure=failure)


async def _mismatch(context: Context, workload_id: str, job_id: int, found: tuple[int, ...]) -> None:
    """Two Slurm jobs with one nonce: never adopted; a person must look."""
    async with transaction(context.sessions) as session:
        job = await session.get_one(SlurmJob, job_id)
        workload = await session.get_one(Workload, workload_id)
        job.status, job.reason = "mismatch", f"several Slurm jobs carry this name: {list(found)}"
        state.event(session, workload, "slurm", "mismatch", data={"slurm_jobs": list(found), "name": job.name})
