"""The order in which Slurm will take waiting work, and an admin's changes to it; the daemon carries them to Slurm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import SlurmJob, Workload
from portal.domain.lifecycle import State
from portal.domain.permissions import Permission, may
from portal.domain.priority import Level, PriorityScale
from portal.domain.resources_text import largest, resources_text
from portal.services import cluster, state
from portal.services.access import demand, person_of, readable_workload, workload_facts
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid
from portal.services.planning import gpus_of_plan
from portal.services.site import site_policy
from portal.settings import Settings
from portal.spec.load import load_resolved
from slurm.records import JobRecord
from slurm.states import PENDING

HIDDEN_KINDS = frozenset({"test"})


@dataclass(frozen=True)
class QueueEntry:
    """One waiting line. `workload_id` is None for a job from outside the portal; a private one keeps its name to itself."""

    order: int
    workload_id: str | None
    name: str
    priority: str
    resources: str
    applicant: str
    state: str
    phase: str
    submitted_at: datetime | None
    slurm_id: int | None
    slurm_priority: int | None
    slurm_reason: str
    estimated_start: datetime | None
    held: bool
    changed_outside_at: datetime | None
    private: bool = False
    gpus: Mapping[str, int] = field(default_factory=dict)
    """What it waits for by GPU type; of an outside job as Slurm counts it."""
    cpus: int | None = None
    """CPUs of the component that `resources` names."""
    nice: int | None = None
    wanted_nice: int | None = None
    """What the portal last wrote and what it wants now; None for an outside job."""
    applying: bool = False
    """Asked for in the portal, and not yet in Slurm."""
    not_changed: str = ""
    """Why Slurm refused the place that was asked for."""


@dataclass(frozen=True)
class Place:
    """Where a waiting workload is: its level, and the neighbour that tells its place there (None: it is alone)."""

    level: Level
    before: str | None
    after: str | None


async def rank_at_end(session: AsyncSession, settings: Settings, level: Level) -> int:
    """The rank of a newcomer in its level: behind everything that waits there."""
    last = await session.scalar(select(func.max(Workload.queue_rank)).where(*_waits(level)))
    return PriorityScale.of(settings).rank_at_end([] if last is None else [last])


async def entries(session: AsyncSession, actor: Actor, settings: Settings, *, mine: bool = False) -> list[QueueEntry]:
    """Everything that waits, in Slurm's own order, jobs from outside included; what Slurm does not have yet comes last."""
    demand(actor, Permission.QUEUE_READ)
    waiting = [workload for workload in await _waiting(session) if workload.kind not in HIDDEN_KINDS]
    if mine:
        waiting = [workload for workload in waiting if workload.owner_id == actor.user_id]
    lines = [_line(actor, settings, workload) for workload in waiting]
    if not mine:
        lines += [_outside(job, settings) for job in await _outside_jobs(session)]
    lines.sort(key=lambda line: (line.slurm_priority is None, -(line.slurm_priority or 0), line.slurm_id or 0))
    return [replace(line, order=order) for order, line in enumerate(lines, 1)]


async def set_priority(
    session: AsyncSession, actor: Actor, settings: Settings, workload_id: str, level: Level
) -> Workload:
    """Put a waiting workload at the end of another level. Raises NotFound, Forbidden, Conflict."""
    workload = await _changeable(session, actor, workload_id, Permission.WORKLOAD_PRIORITISE)
    if workload.priority != level:
        before = _place(workload)
        workload.queue_rank = await rank_at_end(session, settings, level)
        workload.priority = level.value
        _changed(session, actor, Action.WORKLOAD_PRIORITY, workload, before)
    return workload


async def move(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    workload_id: str,
    *,
    before: str | None = None,
    after: str | None = None,
    to_top: bool = False,
) -> Workload:
    """Give a waiting workload another place in its level: before or after another one, or first.

    Raises NotFound, Forbidden, Conflict, Invalid (not exactly one place, or a neighbour of another level).
    """
    workload = await _changeable(session, actor, workload_id, Permission.WORKLOAD_PRIORITISE)
    level = await _waiting(session, Level(workload.priority))
    ids = [waiting.id for waiting in level]
    if workload.id not in ids:
        raise Conflict(
            "no_place",
            f"{workload_id} has no place in a priority level: it is a test, or it has just left the queue.",
            f"{workload_id}은(는) 우선순위 안에 자리가 없습니다: 테스트이거나 방금 대기열을 떠났습니다.",
        )
    start, end = ids.index(workload.id), _target(ids, workload.id, before, after, to_top)
    ranks = [waiting.queue_rank for waiting in level]
    changed = PriorityScale.of(settings).move(ranks, start, end) or _written_again(workload, ranks, start)
    for position, rank in changed.items():
        moved = level[position]
        place = _place(moved)
        moved.queue_rank = rank
        _changed(session, actor, Action.WORKLOAD_MOVE, moved, place)
    return workload


def _written_again(workload: Workload, ranks: list[int], at: int) -> dict[int, int]:
    """The place that the portal means already, where scontrol made another one: a step down, so that it is written.

    Those right behind it give way, so that the order stays what it is; equal ranks are in the order of their age.
    """
    job = current_job(workload)
    if job is None or job.changed_outside_at is None:
        return {}
    lowest = ranks[at] + 1
    changed = {at: lowest}
    for position in range(at + 1, len(ranks)):
        if ranks[position] > lowest:
            break
        lowest += 1
        changed[position] = lowest
    return changed


async def place_of(session: AsyncSession, actor: Actor, workload_id: str) -> Place:
    """Where it is now, to come back to. Raises NotFound, Forbidden, Conflict."""
    workload = await _changeable(session, actor, workload_id, Permission.WORKLOAD_PRIORITISE)
    level = Level(workload.priority)
    ids = [waiting.id for waiting in await _waiting(session, level)]
    at = ids.index(workload.id) if workload.id in ids else len(ids)
    if at + 1 < len(ids):
        return Place(level, before=ids[at + 1], after=None)
    return Place(level, before=None, after=ids[at - 1] if at and len(ids) > 1 else None)


async def hold(session: AsyncSession, actor: Actor, workload_id: str, *, held: bool) -> Workload:
    """Hold or release a waiting workload. Raises NotFound, Forbidden, Conflict."""
    workload = await _changeable(session, actor, workload_id, Permission.WORKLOAD_HOLD)
    if workload.held != held:
        place = _place(workload)
        workload.held = held
        _changed(session, actor, Action.WORKLOAD_HOLD if held else Action.WORKLOAD_RELEASE, workload, place)
    return workload


async def _waiting(session: AsyncSession, level: Level | None = None) -> list[Workload]:
    """Queued workloads in the order of Slurm: level, rank, age; tests have a QOS of their own and are no level."""
    query = select(Workload).where(*_waits(level))
    found = await session.scalars(query.order_by(Workload.queue_rank, Workload.queued_at, Workload.id))
    return list(found.unique())


def _waits(level: Level | None) -> list[ColumnElement[bool]]:
    waits = [Workload.state == State.QUEUED]
    if level is not None:
        waits += [Workload.priority == level.value, Workload.kind.not_in(HIDDEN_KINDS)]
    return waits


async def _changeable(session: AsyncSession, actor: Actor, workload_id: str, permission: Permission) -> Workload:
    workload = await readable_workload(session, actor, workload_id)
    if actor.role == "admin" and workload.state != State.QUEUED:
        raise Conflict(
            "not_queued",
            f"{workload_id} does not wait in the queue (it is {workload.state}); running work is never touched.",
            f"{workload_id}은(는) 대기 중이 아닙니다 (지금: {workload.state}). 실행 중인 작업은 바꾸지 않습니다.",
        )
    demand(actor, permission, workload_facts(workload))
    return workload


def _target(ids: list[str], moved: str, before: str | None, after: str | None, to_top: bool) -> int:
    if sum((before is not None, after is not None, to_top)) != 1:
        raise Invalid(
            "place", "Give one place: before, after, or to the top.", "before, after, top 중 하나를 고르세요."
        )
    others = [name for name in ids if name != moved]
    if to_top:
        return 0
    neighbour = before or after or ""
    if neighbour not in others:
        raise Invalid(
            "neighbour",
            f"{neighbour} does not wait in the same priority level.",
            f"{neighbour}은(는) 같은 우선순위에서 대기하지 않습니다.",
        )
    return others.index(neighbour) + (0 if before else 1)


def _place(workload: Workload) -> dict[str, Any]:
    return {"priority": workload.priority, "rank": workload.queue_rank, "held": workload.held}


def _changed(
    session: AsyncSession, actor: Actor, action: Action, workload: Workload, before: Mapping[str, Any]
) -> None:
    after = _place(workload)
    record(session, actor, action, "workload", workload.id, before=dict(before), after=after)
    state.event(session, workload, "portal", action.value.replace(".", "_"), text=actor.name, data=after)


def _line(actor: Actor, settings: Settings, workload: Workload) -> QueueEntry:
    job = current_job(workload)
    spec = load_resolved(workload.resolved or workload.spec)
    wanted = PriorityScale.of(settings).slurm_values(workload.priority, workload.queue_rank, workload.kind)
    private = not may(person_of(actor), Permission.WORKLOAD_READ, workload_facts(workload))
    return QueueEntry(
        order=0,
        workload_id=None if private else workload.id,
        name="" if private else workload.name,
        priority=workload.priority,
        resources=resources_text(spec),
        applicant=workload.owner.display_name,
        state=workload.state,
        phase=workload.phase,
        submitted_at=workload.submitted_at,
        slurm_id=job.leader_id if job else None,
        slurm_priority=job.slurm_priority if job else None,
        slurm_reason=job.reason if job else "",
        estimated_start=job.estimated_start if job else None,
        held=workload.held,
        changed_outside_at=job.changed_outside_at if job else None,
        private=private,
        gpus=gpus_of_plan(workload.attempts[-1].plan if workload.attempts else {}),
        cpus=site_policy(settings).cpus.cpus(largest(spec).resources),
        nice=job.applied_nice if job else None,
        wanted_nice=wanted[1],
        applying=job is not None and (job.applied_qos, job.applied_nice, job.applied_held) != (*wanted, workload.held),
        not_changed=job.reorder_error if job else "",
    )


def current_job(workload: Workload) -> SlurmJob | None:
    """The Slurm job that the workload waits for or runs in: the first of the last attempt that has not ended."""
    jobs = workload.attempts[-1].jobs if workload.attempts else []
    return next((job for job in jobs if job.status == "submitted"), None)


async def _outside_jobs(session: AsyncSession) -> Iterable[JobRecord]:
    taken = await cluster.snapshot(session, with_jobs=True)
    jobs = taken.jobs if taken else ()
    return [job for job in jobs if job.state == PENDING and job.job_id == job.leader_id]


def _outside(job: JobRecord, settings: Settings) -> QueueEntry:
    types = {name.partition(":")[2]: count for name, count in job.gres.items() if name.startswith("gpu")}
    gpus = {settings.slurm.gpu_labels.get(name, name) or "GPU": count for name, count in types.items()}
    size = [f"{label} x {count}" for label, count in gpus.items()] or [f"CPU x {job.cpus}"]
    return QueueEntry(
        order=0,
        workload_id=None,
        name=job.name,
        priority=job.qos,
        resources=", ".join([*size, f"{job.memory_mib // 1024}GB"]),
        applicant=job.user,
        state=State.QUEUED.value,
        phase="external",
        submitted_at=_time(job.submitted_at),
        slurm_id=job.job_id,
        slurm_priority=job.priority,
        slurm_reason=job.reason,
        estimated_start=_time(job.estimated_start),
        held=job.held,
        changed_outside_at=None,
        gpus=gpus,
        cpus=job.cpus,
    )


def _time(epoch: int | None) -> datetime | None:
    return datetime.fromtimestamp(epoch, UTC) if epoch else None
