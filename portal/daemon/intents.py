"""A queued workload whose images are ready becomes a plan and one intent row a Slurm job, each with a random nonce."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
)
from portal.daemon.context import Context
from portal.daemon.images import digests_of
from portal.db.models import Attempt, Image, SlurmJob, Workload, now
from portal.domain.approval import StepSize
from portal.domain.lifecycle import Decision, Phase, State
from portal.domain.priority import PriorityScale
from portal.services import planning, state
from portal.services.audit import DAEMON
from portal.services.ids import new_nonce
from portal.services.reruns import RESUME_FROM
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


async def begin(
    session: AsyncSession, context: Context, workload: Workload, inventory: tuple[NodeClass, ...]
) -> Begun | None:
    """Write the attempt and its intents, or go on with those of an interrupted hand-over.

    None while images are missing, and where it cannot be: the workload has failed then, with the reason.
    """
    images = await _runnable(session, workload)
    if images is None:
        workload.phase = Phase.PREPARING.value
        return None
    if not _gate_is_open(workload):
        failure = {"cause": "refused", "message": "not approved for exactly this spec hash"}
        await state.change(session, workload, State.FAILED, DAEMON, failure=failure)
        return None
    interrupted = state.begun_attempt(workload)
    run = await _compiled(session, context, workload, images, inventory)
    if run is None:
        return None
    if interrupted is not None:
        return Begun(workload, interrupted, run, is_new=False)
    return Begun(workload, _attempt(session, workload, run), run, is_new=True)


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
            )
        )
    session.add(attempt)
    workload.phase = Phase.SLURM_PENDING.value
    return attempt
