"""The one way into the table of workloads: a checked request becomes a row, its event and its audit row, once a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from portal.db.models import App, User, Workload
from portal.domain.lifecycle import Phase, State
from portal.domain.priority import Level
from portal.domain.resources_text import gpu_types
from portal.services import queue, state
from portal.services.approvalrule import reasons_for
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict
from portal.services.ids import new_workload_id
from portal.services.quota import one_at_a_time, refuse_too_many, waiting_query
from portal.settings import Settings
from portal.spec.models import AppSpec


@dataclass(frozen=True)
class Entry:
    """A request that was checked. `document` is what was asked, `spec` the same as a value."""

    spec: AppSpec
    document: dict[str, Any]
    kind: str
    app_id: str
    app_version: str
    owner: User
    time_limit_min: int
    options: dict[str, Any]
    name: str
    note: str = ""
    idempotency_key: str | None = None
    rerun_of: str | None = None
    action: Action = Action.WORKLOAD_SUBMIT
    facts: dict[str, Any] = field(default_factory=dict)


async def enter(session: AsyncSession, actor: Actor, settings: Settings, entry: Entry) -> Workload:
    """Write the row; the same idempotency key answers the workload that it made. Raises TooMany, Conflict."""
    await one_at_a_time(session, entry.owner)
    if (earlier := await earlier_one(session, actor, entry.idempotency_key)) is not None:
        return earlier
    await _demand_open(session, entry.app_id)
    known = select(waiting_query(entry.owner.id), queue.last_rank_query(Level.NORMAL))
    waiting, last_rank = (await session.execute(known)).one()
    refuse_too_many(settings, waiting)
    reasons = await reasons_for(session, settings, entry.spec)
    workload = Workload(
        id=new_workload_id(),
        name=entry.name,
        kind=entry.kind,
        app_id=entry.app_id,
        app_version=entry.app_version,
        owner_id=entry.owner.id,
        state=State.SUBMITTED.value,
        phase=Phase.CHECKING.value,
        needs_approval=bool(reasons),
        approval_reasons=[reason.as_json() for reason in reasons],
        spec=entry.document,
        gpu_types=gpu_types(entry.spec),
        options=entry.options,
        time_limit_min=entry.time_limit_min,
        priority=Level.NORMAL.value,
        queue_rank=queue.rank_behind(settings, last_rank),
        note=entry.note,
        idempotency_key=entry.idempotency_key,
        rerun_of=entry.rerun_of,
    )
    if not await _insert(session, workload):
        return await _winner(session, actor, entry)
    facts = {
        "app": entry.app_id,
        "version": entry.app_version,
        "kind": entry.kind,
        "needs_approval": bool(reasons),
        **entry.facts,
    }
    record(session, actor, entry.action, "workload", workload.id, after=facts)
    state.event(session, workload, "portal", "state_submitted", text=actor.name, data=facts)
    await session.flush()
    # What a new row belongs to is known: asking the database again would cost as much as writing it.
    set_committed_value(workload, "owner", entry.owner)
    set_committed_value(workload, "app", await session.get_one(App, entry.app_id))
    for name in ("tests", "attempts"):
        set_committed_value(workload, name, [])
    return workload


async def _demand_open(session: AsyncSession, app_id: str) -> None:
    """An App that was put away takes no requests. Raises Conflict."""
    app = await session.get_one(App, app_id)
    if app.archived_at is not None:
        raise Conflict(
            "app_archived",
            f"{app_id} is archived. Take it back from the archive on its page first.",
            f"{app_id}은(는) 보관된 App입니다. App 페이지에서 보관을 해제한 뒤 다시 요청하세요.",
        )


async def mapped_owner(session: AsyncSession, actor: Actor) -> User:
    """The asker, who must have a Unix user and a Slurm account. Raises Conflict."""
    user = await session.get(User, actor.user_id) if actor.user_id is not None else None
    if user is None or not user.unix_user or not user.slurm_account:
        raise Conflict(
            "not_mapped",
            "Your Slurm account is not linked. Ask an administrator (`portal-admin map`).",
            "Slurm 계정이 연결되지 않아 제출할 수 없습니다. 관리자에게 요청하세요.",
        )
    return user


async def earlier_one(session: AsyncSession, actor: Actor, key: str | None) -> Workload | None:
    """The workload that this key of the asker has made already."""
    if not key:
        return None
    query = select(Workload).where(Workload.owner_id == actor.user_id, Workload.idempotency_key == key)
    found: Workload | None = await session.scalar(query)
    return found


async def _insert(session: AsyncSession, workload: Workload) -> bool:
    """Write the row; False when another request with the same idempotency key was first."""
    if workload.idempotency_key is None:
        session.add(workload)
        await session.flush()
        return True
    try:
        async with session.begin_nested():
            session.add(workload)
            await session.flush()
    except IntegrityError:
        return False
    return True


async def _winner(session: AsyncSession, actor: Actor, entry: Entry) -> Workload:
    earlier = await earlier_one(session, actor, entry.idempotency_key)
    if earlier is None:
        raise Conflict("changed_meanwhile", "Something changed meanwhile. Try again.", "다시 시도하세요.")
    return earlier
