"""An admin's changes to the order in which Slurm will take waiting work; the daemon carries them to Slurm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import SlurmJob, Workload
from portal.domain.lifecycle import State
from portal.domain.permissions import Permission
from portal.domain.priority import Level, PriorityScale
from portal.services import state, telling
from portal.services.access import demand, readable_workload, workload_facts
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid
from portal.services.queuelines import HIDDEN_KINDS
from portal.settings import Settings


@dataclass(frozen=True)
class Place:
    """Where a waiting workload is: its level, and the neighbour that tells its place there (None: it is alone)."""

    level: Level
    before: str | None
    after: str | None


async def rank_at_end(session: AsyncSession, settings: Settings, level: Level) -> int:
    """The rank of a newcomer in its level: behind everything that waits there."""
    return rank_behind(settings, await session.scalar(select(last_rank_query(level))))


def last_rank_query(level: Level) -> ScalarSelect[int]:
    """The rank of the last one that waits in a level, as a part of a query."""
    return select(func.max(Workload.queue_rank)).where(*_waits(level)).scalar_subquery()


def rank_behind(settings: Settings, last: int | None) -> int:
    """The rank of a newcomer; `last` is None in an empty level."""
    return PriorityScale.of(settings).rank_at_end([] if last is None else [last])


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
        telling.reprioritised(session, actor, workload, str(before["priority"]))
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
    if PriorityScale.of(settings).is_fixed:
        raise Conflict(
            "order_is_slurms",
            "Here the order in the queue is Slurm's own: the portal has no right to change it.",
            "여기서 대기열의 순서는 Slurm이 정합니다: 포털에는 바꿀 권한이 없습니다.",
        )
    waiting = await _ranks(session, Level(workload.priority))
    ids = [waiting_id for waiting_id, _rank in waiting]
    if workload.id not in ids:
        raise Conflict(
            "no_place",
            f"{workload_id} has no place in a priority level: it is a test, or it has just left the queue.",
            f"{workload_id}은(는) 우선순위 안에 자리가 없습니다: 테스트이거나 방금 대기열을 떠났습니다.",
        )
    start, end = ids.index(workload.id), _target(ids, workload.id, before, after, to_top)
    ranks = [rank for _id, rank in waiting]
    changed = PriorityScale.of(settings).move(ranks, start, end) or _written_again(workload, ranks, start)
    found = await session.scalars(select(Workload).where(Workload.id.in_([ids[position] for position in changed])))
    loaded = {one.id: one for one in found.unique()}
    for position, rank in changed.items():
        moved = loaded[ids[position]]
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
    ids = [waiting_id for waiting_id, _rank in await _ranks(session, level)]
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


async def _ranks(session: AsyncSession, level: Level) -> list[tuple[str, int]]:
    """(id, rank) of what waits in a level, in the order of Slurm; tests have a QOS of their own and are no level."""
    query = select(Workload.id, Workload.queue_rank).where(*_waits(level))
    rows = await session.execute(query.order_by(Workload.queue_rank, Workload.queued_at, Workload.id))
    return [(row[0], row[1]) for row in rows]


def _waits(level: Level) -> list[ColumnElement[bool]]:
    return [
        Workload.state == State.QUEUED,
        Workload.priority == level.value,
        Workload.kind.not_in(HIDDEN_KINDS),
    ]


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


def current_job(workload: Workload) -> SlurmJob | None:
    """The Slurm job that the workload waits for or runs in: the first of the last attempt that has not ended."""
    jobs = workload.attempts[-1].jobs if workload.attempts else []
    return next((job for job in jobs if job.status == "submitted"), None)
