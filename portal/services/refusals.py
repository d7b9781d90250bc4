"""Refused requests in the audit log, bounded: one row a minute for one person, action and object, with how many came after.

The first leaves its row at once; equal ones within the minute are counted in the database, for all web processes together,
and written as one row when the minute is over. A person who tries many different things gets MOST such rows a minute,
and one more for all the rest.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Refusal, now
from portal.services.audit import Action, Actor, record, shown_name

MINUTE = timedelta(minutes=1)
MOST = 20
OBJECT_CHARS, TYPE_CHARS = 80, 24
REST = "…"


async def note(
    session: AsyncSession, actor: Actor, action: Action, object_type: str, object_id: str, facts: dict[str, Any]
) -> None:
    """Write down, or count, that a known person was refused."""
    if actor.user_id is None:
        return
    object_id = object_id[:OBJECT_CHARS]
    if await _counted(session, _key(actor, action, object_type, object_id)):
        return
    query = select(func.count()).select_from(Refusal).where(Refusal.actor_id == actor.user_id)
    if (await session.scalar(query) or 0) >= MOST:
        object_id, facts = REST, {"why": "many different ones"}
        if await _counted(session, _key(actor, action, object_type, object_id)):
            return
    kept = Refusal(
        key=_key(actor, action, object_type, object_id),
        actor_id=actor.user_id,
        actor=shown_name(actor),
        action=action.value,
        object_type=object_type[:TYPE_CHARS],
        object_id=object_id,
    )
    try:
        async with session.begin_nested():
            session.add(kept)
            await session.flush()
    except IntegrityError:  # the same at the same moment in another process
        await _counted(session, kept.key)
        return
    record(session, actor, action, object_type, object_id, after=facts, result="refused")


async def close_ended(session: AsyncSession) -> None:
    """Write the counts of the minutes that are over; the daemon calls this each round."""
    ended = await session.scalars(select(Refusal).where(Refusal.since <= now() - MINUTE).with_for_update())
    for one in ended:
        if one.count > 1:
            actor = Actor(name=one.actor, user_id=one.actor_id)
            facts = {"more": one.count - 1, "since": one.since.isoformat(timespec="seconds")}
            record(session, actor, Action(one.action), one.object_type, one.object_id, after=facts, result="refused")
        await session.delete(one)


async def _counted(session: AsyncSession, key: str) -> bool:
    query = update(Refusal).where(Refusal.key == key).values(count=Refusal.count + 1)
    return bool((await session.execute(query)).rowcount)  # type: ignore[attr-defined]


def _key(actor: Actor, action: Action, object_type: str, object_id: str) -> str:
    return sha256(f"{actor.user_id} {action} {object_type} {object_id}".encode()).hexdigest()
