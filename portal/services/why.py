"""Why a workload is where it is, in plain words: before Slurm by the portal, in Slurm by its reason, after it by the failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Image, Workload
from portal.domain.failure import words_of
from portal.domain.lifecycle import Phase, State, label
from portal.domain.reasons import Facts, Reason, ReasonClass, Waiting, explain_before_slurm
from portal.domain.reasons import explain as explain_reason
from portal.services import cluster, maintenance, queue, state, wholequeue
from portal.services.access import readable_workload
from portal.services.audit import Actor
from portal.services.planning import gpus_of_job
from portal.settings import Settings
from portal.spec.graph import components_of
from portal.spec.load import load_resolved

MAINTENANCE = "maintenance"


@dataclass(frozen=True)
class Why:
    """One answer. `position` counts from 1 among what waits; `estimated_start` is Slurm's own guess, None when it has none."""

    kind: str
    code: str
    text_ko: str
    text_en: str
    position: int | None = None
    estimated_start: datetime | None = None


async def explain(session: AsyncSession, actor: Actor, settings: Settings, workload_id: str) -> Why:
    """Why this workload is not running, or what became of it. Raises NotFound."""
    workload = await readable_workload(session, actor, workload_id)
    current = State(workload.state)
    if current is State.QUEUED and not state.is_handed_over(workload):
        notice = await maintenance.current(session)
        if notice is not None:
            return Why(ReasonClass.HOLD.value, MAINTENANCE, notice.text_ko, notice.text_en)
    if current in (State.SUBMITTED, State.AWAITING_APPROVAL) or (current is State.QUEUED and not workload.attempts):
        return _why(await _before_slurm(session, workload))
    if current is State.QUEUED:
        return await _in_slurm(session, actor, settings, workload)
    if workload.failure:
        text_ko, text_en = words_of(workload.failure)
        return Why("ended", str(workload.failure.get("cause", "")), text_ko, text_en)
    text_ko, text_en = label(current, Phase(workload.phase))
    if workload.reject_reason:
        text_ko, text_en = f"{text_ko}: {workload.reject_reason}", f"{text_en}: {workload.reject_reason}"
    return Why("ended" if workload.ended_at else "running", workload.state, text_ko, text_en)


async def _before_slurm(session: AsyncSession, workload: Workload) -> Reason:
    if workload.state == State.SUBMITTED:
        return explain_before_slurm(Waiting.IMAGE)
    if workload.state == State.AWAITING_APPROVAL:
        passed = workload.test is not None and workload.test.status == "passed"
        return explain_before_slurm(Waiting.APPROVAL if passed else Waiting.TEST)
    reason = explain_before_slurm(Waiting.IMAGE)
    troubles = await _image_troubles(session, workload)
    return replace(reason, text_ko=reason.text_ko + troubles, text_en=reason.text_en + troubles)


async def _image_troubles(session: AsyncSession, workload: Workload) -> str:
    """What keeps the images that a queued workload waits for; empty when nothing does."""
    spec = load_resolved(workload.resolved or workload.spec)
    digests = {component.image.digest for _path, _task, component in components_of(spec)}
    rows = await session.scalars(select(Image).where(Image.digest.in_(digests), Image.error != ""))
    return "".join(f" ({image.reference}: {image.error})" for image in rows)


async def _in_slurm(session: AsyncSession, actor: Actor, settings: Settings, workload: Workload) -> Why:
    job = queue.current_job(workload)
    whole = await wholequeue.read(session, actor, settings)
    position = next((line.order for line in whole.lines if line.workload_id == workload.id), None)
    code = job.reason if job and job.reason and job.reason != "None" else "Priority"
    reason = explain_reason(code, await _facts(session, settings, workload, position))
    return _why(reason, position, job.estimated_start if job else None)


async def _facts(session: AsyncSession, settings: Settings, workload: Workload, position: int | None) -> Facts:
    return facts_of(await cluster.nodes(session, settings), workload, position)


def facts_of(view: cluster.ClusterView, workload: Workload, position: int | None) -> Facts:
    """What the sentence can name: the scarcest GPU type of the plan and how many of it are idle, and the account."""
    wanted: dict[str, int] = {}
    for job in workload.attempts[-1].plan.get("jobs", []) if workload.attempts else []:
        for gpu_type, count in gpus_of_job(job).items():
            wanted[gpu_type] = wanted.get(gpu_type, 0) + count
    return gpu_facts(view, wanted, position, workload.owner.slurm_account)


def gpu_facts(
    view: cluster.ClusterView, wanted: Mapping[str, int], position: int | None, account: str | None = None
) -> Facts:
    """The same for anything that waits for GPUs (label -> count)."""
    idle = {label: view.gpus[label].idle if label in view.gpus else 0 for label in wanted}
    scarce = max(wanted, key=lambda name: wanted[name] - idle[name], default=None)
    return Facts(
        ahead=None if position is None else position - 1,
        needed_ko=f"{scarce} {wanted[scarce]}기" if scarce else None,
        needed_en=f"{wanted[scarce]} {scarce}" if scarce else None,
        idle=idle[scarce] if scarce else None,
        account=account,
    )


async def before_slurm(session: AsyncSession, workload: Workload) -> Reason:
    """Why a workload that Slurm does not have yet waits; the maintenance switch comes first."""
    notice = await maintenance.current(session) if workload.state == State.QUEUED else None
    if notice is not None:
        return Reason(ReasonClass.HOLD, MAINTENANCE, notice.text_ko, notice.text_en)
    return await _before_slurm(session, workload)


def _why(reason: Reason, position: int | None = None, estimated_start: datetime | None = None) -> Why:
    return Why(reason.kind.value, reason.code, reason.text_ko, reason.text_en, position, estimated_start)
