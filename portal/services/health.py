"""Is the house in order: the newest checkup's parts and since when each is so, what waits, and what does not agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from portal.db.models import Checkup, Image, Workload
from portal.domain.findings import Code, Finding
from portal.domain.lifecycle import Phase, State
from portal.domain.permissions import Permission
from portal.services import cluster, doctor
from portal.services.access import demand
from portal.services.audit import Actor

_BEFORE_SLURM = (Phase.NONE.value, Phase.CHECKING.value, Phase.PREPARING.value)
_PARTS = (Code.PART_FAILED, Code.PRIORITY_SCHEME)


@dataclass(frozen=True)
class PartLine:
    """One part as the newest checkup saw it; `since` is the oldest of the checkups in a row that saw the same."""

    name: str
    ok: bool
    says: str
    since: datetime | None


@dataclass(frozen=True)
class Backlog:
    """What waits for the daemon: hand-overs, results to save, images being converted."""

    to_submit: int
    to_save: int
    converting: int


@dataclass(frozen=True)
class Health:
    """`checked_at` None: never looked. `looking`: a checkup was asked for and is not done."""

    parts: tuple[PartLine, ...]
    checked_at: datetime | None
    looking: bool
    unreachable_since: datetime | None
    picture_at: datetime | None
    backlog: Backlog

    @property
    def red(self) -> bool:
        """Whether anything is wrong."""
        return self.unreachable_since is not None or any(not part.ok for part in self.parts)


@dataclass(frozen=True)
class Mismatches:
    """What the newest comparison of portal, Slurm, accounting and S3 found; `compared` counts what was looked at."""

    checked_at: datetime | None
    looking: bool
    findings: tuple[Finding, ...]
    compared: Mapping[str, int]


async def look(session: AsyncSession, actor: Actor) -> Health:
    """The parts and the backlog. Raises Forbidden."""
    demand(actor, Permission.CLUSTER_CHECK)
    done = await _done(session)
    row = await cluster.state_row(session)
    return Health(
        parts=_parts(done),
        checked_at=done[0].done_at if done else None,
        looking=await _looking(session),
        unreachable_since=row.unreachable_since,
        picture_at=row.at,
        backlog=await backlog(session),
    )


async def mismatches(session: AsyncSession, actor: Actor) -> Mismatches:
    """What does not agree. Raises Forbidden."""
    demand(actor, Permission.CLUSTER_CHECK)
    compared = next((one for one in await _done(session) if one.reconcile), None)
    looking = await _looking(session)
    if compared is None:
        return Mismatches(None, looking, (), {})
    found = tuple(finding for finding in doctor.findings_of(compared) if finding.code not in _PARTS)
    return Mismatches(compared.done_at, looking, found, compared.compared or {})


async def _done(session: AsyncSession) -> Sequence[Checkup]:
    """The checkups that are done, newest first; only some are kept."""
    query = select(Checkup).where(Checkup.state == doctor.DONE).order_by(Checkup.id.desc())
    return (await session.scalars(query.limit(doctor.KEPT))).all()


async def _looking(session: AsyncSession) -> bool:
    return bool(await session.scalar(select(Checkup.id).where(Checkup.state != doctor.DONE).limit(1)))


def _parts(done: Sequence[Checkup]) -> tuple[PartLine, ...]:
    if not done:
        return ()
    history = [({part["name"]: part["ok"] for part in checkup.parts}, checkup.done_at) for checkup in done]
    lines = []
    for part in done[0].parts:
        since = None
        for states, at in history:
            if states.get(part["name"]) != part["ok"]:
                break
            since = at
        lines.append(PartLine(part["name"], part["ok"], part["says"], since))
    return tuple(sorted(lines, key=lambda line: line.ok))


async def backlog(session: AsyncSession) -> Backlog:
    """What waits for the daemon now."""
    waits = (Workload.state == State.QUEUED.value) & Workload.phase.in_(_BEFORE_SLURM)
    return Backlog(
        to_submit=await _count(session, Workload.id, waits),
        to_save=await _count(session, Workload.id, Workload.state == State.SAVING.value),
        converting=await _count(session, Image.digest, Image.state == "converting"),
    )


async def _count(session: AsyncSession, column: InstrumentedAttribute[str], condition: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count(column)).where(condition)) or 0
