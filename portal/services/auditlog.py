"""The audit log read: who did what to what, newest first, a page after a row; and all of it as a file, itself audited."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, String, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.engine import Sessions
from portal.db.models import Audit
from portal.domain.permissions import Permission
from portal.services.access import demand
from portal.services.audit import Action, Actor, record
from portal.services.errors import NotFound
from portal.services.paging import contains

PAGE = 100
BATCH = 500
RESULTS = ("ok", "refused", "failed")


@dataclass(frozen=True)
class Wanted:
    """Which rows; empty means all. `start` and `end` bound the time (end excluded), `object` is an id or `type:id`."""

    start: datetime | None = None
    end: datetime | None = None
    actor: str = ""
    action: str = ""
    object: str = ""
    result: str = ""
    q: str = ""


@dataclass(frozen=True)
class LogPage:
    """Rows in the order newest first; `older` and `newer` are the ids to go on from, None at the ends."""

    rows: tuple[Audit, ...]
    older: int | None
    newer: int | None
    oldest_at: datetime | None


async def page(
    session: AsyncSession, actor: Actor, wanted: Wanted, *, before: int | None = None, after: int | None = None
) -> LogPage:
    """The newest rows, those before row `before`, or those just after row `after`. Raises Forbidden."""
    demand(actor, Permission.AUDIT_READ)
    query = select(Audit).where(*_conditions(wanted))
    if after is not None:
        query = query.where(Audit.id > after).order_by(Audit.id.asc())
    else:
        query = query.order_by(Audit.id.desc())
        query = query.where(Audit.id < before) if before is not None else query
    found = list(await session.scalars(query.limit(PAGE + 1)))
    more, rows = len(found) > PAGE, found[:PAGE]
    if after is not None:
        rows.reverse()
    forward, back = (more, True) if after is None else (True, more)
    has_newer = back and (after is not None or before is not None)
    return LogPage(
        tuple(rows),
        older=rows[-1].id if rows and forward else None,
        newer=rows[0].id if rows and has_newer else None,
        oldest_at=await session.scalar(select(func.min(Audit.at))),
    )


async def get(session: AsyncSession, actor: Actor, row_id: int) -> Audit:
    """One row whole. Raises Forbidden, NotFound."""
    demand(actor, Permission.AUDIT_READ)
    row = await session.get(Audit, row_id)
    if row is None:
        raise NotFound("audit", str(row_id))
    return row


async def begin_export(session: AsyncSession, actor: Actor, wanted: Wanted, form: str) -> int:
    """Write down that the log goes out as a file; the id of the last row that belongs to it. Raises Forbidden."""
    demand(actor, Permission.AUDIT_READ)
    last = await session.scalar(select(func.max(Audit.id))) or 0
    asked = {name: value for name, value in asdict(wanted).items() if value}
    facts = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asked.items()}
    record(session, actor, Action.AUDIT_EXPORT, "audit", form, after={"format": form, "filter": facts})
    return last


async def exported(maker: Sessions, wanted: Wanted, last: int) -> AsyncGenerator[list[Audit], None]:
    """The rows up to id `last`, oldest first, some hundreds at a time: a log of years is never in memory."""
    seen = 0
    while True:
        async with maker() as session:
            query = select(Audit).where(*_conditions(wanted), Audit.id > seen, Audit.id <= last)
            rows = list(await session.scalars(query.order_by(Audit.id).limit(BATCH)))
        if not rows:
            return
        yield rows
        seen = rows[-1].id


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.start is not None:
        found.append(Audit.at >= wanted.start)
    if wanted.end is not None:
        found.append(Audit.at < wanted.end)
    if wanted.actor:
        found.append(contains(Audit.actor, wanted.actor))
    if wanted.action:
        found.append(Audit.action == wanted.action)
    if wanted.object:
        kind, colon, name = wanted.object.partition(":")
        found += [Audit.object_type == kind, Audit.object_id == name] if colon else [Audit.object_id == wanted.object]
    if wanted.result:
        found.append(Audit.result == wanted.result)
    if wanted.q:
        texts = (cast(Audit.before, String), cast(Audit.after, String))
        places = (Audit.actor, Audit.action, Audit.object_id, Audit.request_id, Audit.address, Audit.backend)
        found.append(
            or_(*(contains(p, wanted.q) for p in places), *(t.icontains(wanted.q, autoescape=True) for t in texts))
        )
    return found
