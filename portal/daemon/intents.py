"""A queued workload whose images are ready becomes a plan and one intent row a Slurm job, each with a random nonce."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from containers.image import ImageConfig
from portal.compile import (
    AnalysedRun,
    CompiledRun,
    CompileError,
    ImageUnusable,
    JobMark,
    RunnableImage,
    RunRequest,
    compile_run,
    test_run_of,
)
from portal.daemon.context import Context
from portal.daemon.images import digests_of
from portal.daemon.operators import folder_of
from portal.db.models import Analysis, Attempt, Image, SlurmJob, Workload, now
from portal.domain.lifecycle import Decision, Phase, State
from portal.domain.priority import PriorityScale
from portal.rundir import Refused
from portal.services import analyses, planning, state
from portal.services.audit import DAEMON
from portal.services.ids import new_nonce
from portal.services.reruns import RESUME_FROM
from portal.services.scripts import kept
from portal.services.site import site_policy
from portal.spec.load import load_resolved
from slurm.errors import PlanError
from slurm.inventory import NodeClass


@dataclass(frozen=True)
class Begun:
    """A workload whose attempt has its intents. `is_new`: they were written just now, so no job can carry their names yet."""

    workload: Workload
    attempt: Attempt
    run: CompiledRun
    is_new: bool


async def runnable(session: AsyncSession, digests: Collection[str]) -> dict[str, RunnableImage | None]:
    """What a batch runs, each looked at once; None while it is missing (an evicted one is wanted again)."""
    found: dict[str, RunnableImage | None] = {}
    for image in await session.scalars(select(Image).where(Image.digest.in_(digests))):
        if image.sif_path is not None and not Path(image.sif_path).exists():
            image.state, image.sif_path = "wanted", None
        found[image.digest] = None
        if image.state == "ready" and image.sif_path is not None:
            image.used_at = now()
            found[image.digest] = RunnableImage(image.sif_path, ImageConfig.from_json(image.config or {}))
    return found


async def begin(
    session: AsyncSession,
    context: Context,
    workload: Workload,
    known: Mapping[str, RunnableImage | None],
    inventory: tuple[NodeClass, ...],
    usual_s: Mapping[str, float],
) -> Begun | None:
    """Write the attempt and its intents, or go on with those of an interrupted hand-over.

    `known`: its images, if they are there (`runnable`); `usual_s`: how long each component usually runs
    (`planning.usual_durations`).
    None while images are missing, and where it cannot be: the workload has failed then, with the reason.
    """
    images = {digest: image for digest in digests_of(workload) if (image := known[digest]) is not None}
    if len(images) < len(digests_of(workload)):
        workload.phase = Phase.PREPARING.value
        return None
    if not _gate_is_open(workload):
        failure = {"cause": "refused", "message": "not approved for exactly this spec hash"}
        await state.change(session, workload, State.FAILED, DAEMON, failure=failure)
        return None
    analysed = None
    if workload.kind == analyses.KIND:
        analysed = await _analysed(session, context, workload)
        if analysed is None:
            return None
    interrupted = state.begun_attempt(workload)
    run = await _compiled(session, context, workload, images, inventory, usual_s, analysed)
    if run is None:
        return None
    if interrupted is not None:
        return Begun(workload, interrupted, run, is_new=False)
    return Begun(workload, _attempt(session, workload, run), run, is_new=True)


def _gate_is_open(workload: Workload) -> bool:
    """The last look: over the threshold, only exactly the approved hash runs."""
    approved = workload.decision == Decision.APPROVED and workload.approved_hash == workload.spec_hash
    return approved or not workload.needs_approval


async def _compiled(
    session: AsyncSession,
    context: Context,
    workload: Workload,
    images: dict[str, RunnableImage],
    inventory: tuple[NodeClass, ...],
    usual_s: Mapping[str, float],
    analysed: AnalysedRun | None,
) -> CompiledRun | None:
    """The compiled run; None when it cannot be: the workload has failed then, with the reason."""
    request = _request(context, workload, usual_s, analysed)
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


def _request(
    context: Context, workload: Workload, usual_s: Mapping[str, float], analysed: AnalysedRun | None
) -> RunRequest:
    spec = load_resolved(workload.resolved or {})
    begun = state.begun_attempt(workload)
    scale = PriorityScale.of(context.settings)
    options = workload.options
    return RunRequest(
        workload=workload.id,
        attempt=begun.number if begun else len(workload.attempts) + 1,
        spec=spec,
        owner=workload.owner.unix_user or "",
        account=workload.owner.slurm_account or "",
        place=scale.at_submit(workload.priority, workload.queue_rank, workload.kind),
        time_limit_min=workload.time_limit_min,
        form=options.get("form", "auto"),
        smallest=options.get("smallest", False),
        held=workload.held,
        resume=len(workload.attempts) > (1 if begun else 0),
        resume_from=options.get(RESUME_FROM),
        test=test_run_of(workload.options) if workload.kind == "test" else None,
        analysed=analysed,
        expected_s=planning.durations_of(spec, usual_s),
    )


async def _analysed(session: AsyncSession, context: Context, run: Workload) -> AnalysedRun | None:
    """The run that an analysis looks at. None while its Operator is not laid down, and where the run's folder is gone.

    The analysis has failed then.
    """
    analysis = await session.get_one(Analysis, run.id)
    workload = analysis.workload
    attempt = next(one for one in workload.attempts if one.number == analysis.attempt)
    if analysis.placed_at is None:
        run.phase = Phase.PREPARING.value
        return None
    try:
        has_outputs = bool(context.rundir(attempt.run_dir, workload.owner.unix_user or "").names("steps"))
    except Refused:
        has_outputs = False
    if not has_outputs:
        failure = {"cause": "run_gone", "workload": workload.id}
        await state.change(session, run, State.FAILED, DAEMON, failure=failure)
        return None
    folder = str(folder_of(context.settings, analysis.place))
    return AnalysedRun(workload.id, attempt.run_dir, load_resolved(workload.resolved or {}), folder)


def _attempt(session: AsyncSession, workload: Workload, run: CompiledRun) -> Attempt:
    """A new attempt with one intent a job."""
    number = len(workload.attempts) + 1
    attempt = Attempt(
        workload_id=workload.id, number=number, run_dir=run.run_dir, plan=planning.plan_document(run.plan)
    )
    for job in run.jobs:
        nonce = new_nonce()
        mark = JobMark(workload.app_id, workload.id, number, job.index, nonce)
        attempt.jobs.append(
            SlurmJob(
                job_index=job.index,
                nonce=nonce,
                name=mark.name,
                after_jobs=list(job.after_jobs),
                status="intent",
                state="",
                script=kept(job.script),
            )
        )
    session.add(attempt)
    workload.phase = Phase.SLURM_PENDING.value
    return attempt
