"""The maintenance switch: while it is on nothing new is handed to Slurm; everything else goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Maintenance
from portal.domain.permissions import Permission
from portal.services.access import demand
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid

ROW_ID = 1
REASON_MAX_CHARS = 500
OBJECT = "maintenance"


@dataclass(frozen=True)
class Notice:
    """Since when, by whom and why nothing is handed to Slurm."""

    since: datetime
    by: str
    reason: str

    @property
    def text_ko(self) -> str:
        """For people who wait."""
        return (
            f"점검 중이라 새 작업을 Slurm에 넘기지 않습니다 ({self._moment}부터, {self.by}: {self.reason}). "
            "실행 중인 작업은 계속됩니다"
        )

    @property
    def text_en(self) -> str:
        """For people who wait."""
        return (
            f"Maintenance: nothing new is handed to Slurm (since {self._moment}, {self.by}: {self.reason}). "
            "Running jobs go on"
        )

    @property
    def _moment(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M} UTC"


async def current(session: AsyncSession) -> Notice | None:
    """The notice while the switch is on, else None."""
    row = await session.get(Maintenance, ROW_ID, populate_existing=True)
    return None if row is None else Notice(row.since, row.by, row.reason)


async def begin(session: AsyncSession, actor: Actor, reason: str) -> Notice:
    """Stop hand-over. Raises Forbidden, Invalid (no reason), Conflict (on already: one reason stands at a time)."""
    demand(actor, Permission.MAINTENANCE_SWITCH)
    reason = " ".join(reason.split())
    if not 0 < len(reason) <= REASON_MAX_CHARS:
        raise Invalid(
            "reason",
            f"Give a reason of 1 to {REASON_MAX_CHARS} characters: everybody who waits will read it.",
            f"기다리는 사람이 모두 보게 될 사유를 1~{REASON_MAX_CHARS}자로 쓰세요.",
        )
    running = await current(session)
    if running is not None:
        raise Conflict(
            "maintenance_on",
            f"Maintenance is on already ({running.by}: {running.reason}). Switch it off first: `one maintenance off`.",
            f"이미 점검 중입니다 ({running.by}: {running.reason}). 먼저 끄세요: `one maintenance off`.",
        )
    row = Maintenance(id=ROW_ID, reason=reason, by=actor.name)
    session.add(row)
    await session.flush()
    record(session, actor, Action.MAINTENANCE_ON, OBJECT, str(ROW_ID), after={"reason": reason})
    return Notice(row.since, row.by, row.reason)


async def end(session: AsyncSession, actor: Actor) -> Notice:
    """Let hand-over go on; answers the notice that ended. Raises Forbidden, Conflict (off already)."""
    demand(actor, Permission.MAINTENANCE_SWITCH)
    row = await session.get(Maintenance, ROW_ID)
    if row is None:
        raise Conflict("maintenance_off", "Maintenance is off already.", "이미 점검 중이 아닙니다.")
    ended = Notice(row.since, row.by, row.reason)
    await session.delete(row)
    record(
        session,
        actor,
        Action.MAINTENANCE_OFF,
        OBJECT,
        str(ROW_ID),
        before={"reason": ended.reason, "by": ended.by, "since": ended.since.isoformat(timespec="seconds")},
    )
    return ended
