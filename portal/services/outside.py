"""Jobs from outside the portal as the newest reading of Slurm has them, written compactly and only when they changed.

There may be tens of thousands. The web process reads them once after each change, keeps them in Slurm's order, and makes
of them only the lines that a page shows.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import DaemonReport, now
from portal.services import reports
from slurm.records import JobRecord
from slurm.states import PENDING, RUNNING

OUTSIDE, MARK = "outside", "outside_mark"
_EVER = timedelta(days=36500)
Key = tuple[bool, float, int]
"""Place in the queue: what Slurm has no priority for last, then by priority, then by age."""


@dataclass(frozen=True)
class Waiting:
    """One waiting job (of a hetjob its leader); times in epoch seconds, `gres` as Slurm counts it."""

    job_id: int
    priority: int
    name: str
    user: str
    qos: str
    reason: str
    gres: dict[str, int]
    cpus: int
    memory_mib: int
    submitted_at: int | None
    estimated_start: int | None
    held: bool

    @property
    def key(self) -> Key:
        """Its place."""
        return False, -self.priority, self.job_id


@dataclass(frozen=True)
class Running:
    """One running component and the nodes that it has."""

    job_id: int
    name: str
    user: str
    gres: dict[str, int]
    nodes: list[str]
    started_at: int | None


@dataclass(frozen=True)
class Outside:
    """All of them, as rows: `Waiting(*rows[n])` makes the nth of the queue. `gres` sums over those that wait."""

    read_at: datetime | None = None
    rows: Sequence[Sequence[Any]] = ()
    keys: Sequence[Key] = ()
    running: Sequence[Sequence[Any]] = ()
    gres: dict[str, int] = field(default_factory=dict)
    oldest: Waiting | None = None

    def waiting(self, number: int) -> Waiting:
        """The nth, from 0."""
        return Waiting(*self.rows[number])

    def before(self, key: Key) -> int:
        """How many of them come before this place."""
        return bisect_left(self.keys, key)

    def on_node(self, name: str) -> list[Running]:
        """Those that run there."""
        return [one for row in self.running if name in (one := Running(*row)).nodes]


async def store(session: AsyncSession, jobs: Iterable[JobRecord]) -> None:
    """Keep those that wait and run; nothing is written while nothing changes."""
    listed = list(jobs)
    waiting = sorted(
        (_waiting(job) for job in listed if job.state == PENDING and job.job_id == job.leader_id),
        key=lambda one: one.key,
    )
    running = [_running(job) for job in listed if job.state == RUNNING]
    content = {"waiting": [list(vars(one).values()) for one in waiting], "running": running}
    mark = sha256(json.dumps(content).encode()).hexdigest()
    before = await reports.read(session, MARK, _EVER)
    if before is not None and before[1].get("sha256") == mark:
        return
    # Not merged: that would read the old content first.
    changed = {"at": now(), "content": content}
    done = await session.execute(update(DaemonReport).where(DaemonReport.name == OUTSIDE).values(**changed))
    if done.rowcount == 0:  # type: ignore[attr-defined]
        await session.execute(insert(DaemonReport).values(name=OUTSIDE, **changed))
    await reports.write(session, MARK, {"sha256": mark})


def _waiting(job: JobRecord) -> Waiting:
    return Waiting(
        job.job_id,
        job.priority,
        job.name,
        job.user,
        job.qos,
        job.reason,
        job.gres,
        job.cpus,
        job.memory_mib,
        job.submitted_at,
        job.estimated_start,
        job.held,
    )


def _running(job: JobRecord) -> list[Any]:
    return [job.job_id, job.name, job.user, job.gres, list(job.nodes), job.started_at]


_READ: WeakKeyDictionary[Engine, Outside] = WeakKeyDictionary()
"""What this process has read last, by database."""


async def read(session: AsyncSession) -> Outside:
    """The newest; the content is fetched only when it is another one than this process has."""
    written_at = await session.scalar(select(DaemonReport.at).where(DaemonReport.name == OUTSIDE))
    if written_at is None:
        return Outside()
    engine = session.get_bind()
    known = _READ.get(engine) if isinstance(engine, Engine) else None
    if known is not None and known.read_at == written_at:
        return known
    content = await session.scalar(select(DaemonReport.content).where(DaemonReport.name == OUTSIDE))
    found = _outside(written_at, content or {})
    if isinstance(engine, Engine):
        _READ[engine] = found
    return found


def _outside(written_at: datetime, content: dict[str, Any]) -> Outside:
    rows = content.get("waiting", [])
    gres: dict[str, int] = {}
    for row in rows:
        for name, count in row[6].items():
            gres[name] = gres.get(name, 0) + count
    oldest = min((row for row in rows if row[9]), key=lambda row: row[9], default=None)
    return Outside(
        read_at=written_at,
        rows=rows,
        keys=[(False, -row[1], row[0]) for row in rows],
        running=content.get("running", []),
        gres=gres,
        oldest=Waiting(*oldest) if oldest else None,
    )
