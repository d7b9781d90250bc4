"""Takes audit rows whose time is over, class by class; what they were stays in their seals, and that they went in the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Audit, AuditSeal, AuditSealRow, now
from portal.domain.auditchain import Expiry, Keeping, moment
from portal.services.audit import Action, Actor, record
from portal.settings import Settings

LEAST_KEPT = timedelta(days=90)
"""What the database itself refuses to delete, and what no setting can shorten; an expiry of younger rows counts for nothing."""


@dataclass(frozen=True)
class Expired:
    """Rows of one class that are, or would be, gone: older than `before`."""

    keeping: Keeping
    before: datetime
    rows: int


def cutoffs(settings: Settings, moment_now: datetime) -> dict[Keeping, datetime]:
    """Up to when each class has expired."""
    days = {
        Keeping.CHANGES: settings.audit.keep_changes_days,
        Keeping.RUNS: settings.audit.keep_runs_days,
        Keeping.ACCESS: settings.audit.keep_access_days,
    }
    return {keeping: moment_now - timedelta(days=count) for keeping, count in days.items()}


async def expired(session: AsyncSession, settings: Settings) -> list[Expired]:
    """What `expire` would take now. Only sealed rows go."""
    return await _counted(session, cutoffs(settings, now()))


async def expire(session: AsyncSession, actor: Actor, settings: Settings) -> list[Expired]:
    """Delete what has expired; one row that never expires says what went. The chain stays whole.

    The list of a seal whose rows have all expired goes too: the seal's digest stands for them.
    """
    before = cutoffs(settings, now())
    found = await _counted(session, before)
    if not any(one.rows for one in found):
        return found
    facts = {one.keeping.value: {"before": moment(one.before), "rows": one.rows} for one in found}
    record(session, actor, Action.AUDIT_EXPIRE, "audit", "log", after=facts)
    gone = select(AuditSealRow.row_id).where(_over(before))
    await session.execute(delete(Audit).where(Audit.id.in_(gone)))
    whole = select(AuditSeal.number).where(AuditSeal.newest_at < min(before.values()))
    kept = select(AuditSealRow.seal).where(AuditSealRow.keeping == Keeping.EVER)
    await session.execute(delete(AuditSealRow).where(AuditSealRow.seal.in_(whole), AuditSealRow.seal.not_in(kept)))
    return found


async def expiries(session: AsyncSession) -> tuple[Expiry, ...]:
    """Every expiry that the log tells of."""
    rows = await session.scalars(select(Audit).where(Audit.action == Action.AUDIT_EXPIRE).order_by(Audit.id))
    return tuple(found for row in rows if (found := _expiry(row)) is not None)


def _expiry(row: Audit) -> Expiry | None:
    """None for a row that no expiry of ours wrote."""
    try:
        told = {Keeping(name): datetime.fromisoformat(one["before"]) for name, one in (row.after or {}).items()}
    except (ValueError, LookupError, TypeError):
        return None
    if any(before > row.at - LEAST_KEPT for before in told.values()):
        return None
    return Expiry(row.id, told)


async def _counted(session: AsyncSession, before: Mapping[Keeping, datetime]) -> list[Expired]:
    query = (
        select(AuditSealRow.keeping, func.count())
        .where(_over(before), exists().where(Audit.id == AuditSealRow.row_id))
        .group_by(AuditSealRow.keeping)
    )
    counts = {row[0]: row[1] for row in await session.execute(query)}
    return [Expired(keeping, limit, counts.get(keeping.value, 0)) for keeping, limit in before.items()]


def _over(before: Mapping[Keeping, datetime]) -> ColumnElement[bool]:
    terms: Iterable[ColumnElement[bool]] = (
        and_(AuditSealRow.keeping == keeping.value, AuditSealRow.at < limit) for keeping, limit in before.items()
    )
    return or_(*terms)
