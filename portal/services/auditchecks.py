"""Verifications of the audit log: an admin asks, the daemon reads log and S3, and what it found stays to be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import AuditCheck, now
from portal.domain.auditchain import Seal
from portal.domain.permissions import Permission
from portal.services import auditseals
from portal.services.access import demand
from portal.services.audit import Action, Actor, record
from portal.services.auditverify import Verified
from portal.services.errors import NotFound

WANTED, LOOKING, DONE = "wanted", "looking", "done"
KEPT = 400
DAILY = timedelta(days=1)
FORGOTTEN = timedelta(hours=6)
"""A verification that has no end by then was ended with its daemon."""


@dataclass(frozen=True)
class SealState:
    """How far the log is sealed, how many rows wait, and the newest verification that is done (None: none yet)."""

    last: Seal | None
    waiting: int
    check: AuditCheck | None
    under_way: bool


async def ask(session: AsyncSession, actor: Actor) -> AuditCheck:
    """Ask for a verification; one that nobody has begun yet is given again. Raises Forbidden."""
    demand(actor, Permission.AUDIT_READ)
    waiting: AuditCheck | None = await session.scalar(select(AuditCheck).where(AuditCheck.state == WANTED))
    if waiting is not None:
        return waiting
    check = AuditCheck(asked_by_id=actor.user_id)
    session.add(check)
    await session.flush()
    record(session, actor, Action.AUDIT_VERIFY, "audit", str(check.id))
    return check


async def get(session: AsyncSession, actor: Actor, check_id: int) -> AuditCheck:
    """One verification. Raises Forbidden, NotFound."""
    demand(actor, Permission.AUDIT_READ)
    check = await session.get(AuditCheck, check_id)
    if check is None:
        raise NotFound("audit check", str(check_id))
    return check


async def state(session: AsyncSession, actor: Actor) -> SealState:
    """What the audit page says of the seals. Raises Forbidden."""
    demand(actor, Permission.AUDIT_READ)
    last = await auditseals.newest(session)
    waiting = select(func.count()).select_from(auditseals.unsealed(last).subquery())
    done = select(AuditCheck).where(AuditCheck.state == DONE).order_by(AuditCheck.id.desc()).limit(1)
    recent = AuditCheck.asked_at > now() - FORGOTTEN
    open_ones = select(func.count()).select_from(AuditCheck).where(AuditCheck.state != DONE, recent)
    return SealState(
        last,
        await session.scalar(waiting) or 0,
        await session.scalar(done),
        bool(await session.scalar(open_ones)),
    )


async def begin(session: AsyncSession) -> list[AuditCheck]:
    """The daemon takes up what is wanted, each once; it asks itself where nobody did for a day."""
    newest: datetime | None = await session.scalar(select(func.max(AuditCheck.asked_at)))
    if newest is None or now() - newest >= DAILY:
        session.add(AuditCheck())
        await session.flush()
    wanted = list(await session.scalars(select(AuditCheck).where(AuditCheck.state == WANTED).order_by(AuditCheck.id)))
    for check in wanted:
        check.state = LOOKING
    return wanted


async def finish(session: AsyncSession, check_id: int, found: Verified) -> bool:
    """Keep what was found; the oldest make room. Whether it was the daily one, which nobody asked for."""
    check = await session.get_one(AuditCheck, check_id)
    check.state, check.done_at, check.found = DONE, now(), found.as_json()
    await session.execute(delete(AuditCheck).where(AuditCheck.id <= check_id - KEPT))
    return check.asked_by_id is None
