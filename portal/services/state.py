"""The one writer of a workload's state: the table decides, and the row, its event and its audit row are one change."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Event, Workload, now
from portal.domain.lifecycle import TERMINAL, State, check_transition
from portal.services.audit import Action, Actor, record


async def change(
    session: AsyncSession,
    workload: Workload,
    to: State,
    actor: Actor,
    *,
    phase: str = "",
    failure: dict[str, Any] | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Move `workload` to `to`. Raises portal.domain.lifecycle.IllegalTransition; nothing is written then."""
    before = State(workload.state)
    check_transition(before, to)
    workload.state = to.value
    workload.phase = phase
    workload.unknown_since = None
    moment = now()
    if to is State.QUEUED:
        workload.queued_at = moment
    elif to is State.RUNNING:
        workload.started_at = workload.started_at or moment
    elif to in TERMINAL:
        workload.ended_at = moment
    if failure is not None:
        workload.failure = failure
    facts = {"state": to.value, **(detail or {}), **({"failure": failure} if failure else {})}
    record(
        session,
        actor,
        Action.WORKLOAD_STATE,
        "workload",
        workload.id,
        before={"state": before.value},
        after=facts,
    )
    event(session, workload, "portal", f"state_{to.value}", text=actor.name, data=facts)
    await session.flush()


def event(
    session: AsyncSession,
    workload: Workload,
    source: str,
    kind: str,
    *,
    text: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Add one line to the workload's story; `source` is portal, slurm or runner."""
    session.add(Event(workload_id=workload.id, source=source, kind=kind, text=text, data=data or {}))
