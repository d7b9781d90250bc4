"""Everything that waits, the portal's own and jobs from outside, in one order, of which only what is shown is made into lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portal.domain.lifecycle import State
from portal.domain.permissions import Permission
from portal.services import cluster, outside, queuelines
from portal.services.access import demand
from portal.services.audit import Actor
from portal.services.outside import Key, Outside, Waiting
from portal.services.queueentry import QueueEntry
from portal.settings import Settings

EXTERNAL = "external"
"""The phase of a job from outside."""


@dataclass(frozen=True)
class WholeQueue:
    """`lines` are the portal's own, in order, each with its place among all."""

    lines: Sequence[QueueEntry]
    outside: Outside
    settings: Settings

    def __len__(self) -> int:
        return len(self.lines) + len(self.outside.rows)

    def part(self, start: int, stop: int) -> list[QueueEntry]:
        """The lines from one place to another, counted from 0."""
        own = {line.order - 1: line for line in self.lines if start < line.order <= stop}
        skipped = sum(line.order <= start for line in self.lines)
        part = []
        for place in range(start, min(stop, len(self))):
            line = own.get(place)
            if line is None:
                line = outside_line(self.outside.waiting(place - skipped), self.settings, place + 1)
            else:
                skipped += 1
            part.append(line)
        return part

    @property
    def gpus(self) -> dict[str, int]:
        """What all of it waits for, by GPU type."""
        found = cluster.gpus_of_gres(self.outside.gres, self.settings)
        for line in self.lines:
            for label, count in line.gpus.items():
                found[label] = found.get(label, 0) + count
        return found

    @property
    def oldest(self) -> QueueEntry | None:
        """What has waited longest."""
        found = [line for line in self.lines if line.submitted_at]
        if self.outside.oldest is not None:
            found.append(outside_line(self.outside.oldest, self.settings, 0))
        return min(found, key=lambda line: line.submitted_at.timestamp() if line.submitted_at else 0, default=None)


def slurms_key(line: QueueEntry) -> Key:
    """Slurm's own order; what Slurm does not have yet, or gives no priority, comes last."""
    return line.slurm_priority is None, -(line.slurm_priority or 0), line.slurm_id or 0


KeysOf = Callable[[Sequence[QueueEntry]], Callable[[QueueEntry], Key]]


async def read(
    session: AsyncSession, actor: Actor, settings: Settings, keys_of: KeysOf = lambda _lines: slurms_key
) -> WholeQueue:
    """As it is now; `keys_of` makes, of the portal's own lines, the key of their order. Raises Forbidden."""
    demand(actor, Permission.QUEUE_READ)
    lines = await queuelines.read(session, actor, settings)
    others = await outside.read(session)
    key = keys_of(lines)
    placed = [
        replace(line, order=rank + others.before(key(line)) + 1) for rank, line in enumerate(sorted(lines, key=key))
    ]
    return WholeQueue(placed, others, settings)


async def own_lines(session: AsyncSession, actor: Actor, settings: Settings) -> list[QueueEntry]:
    """The asker's own waiting lines, numbered among themselves. Raises Forbidden."""
    demand(actor, Permission.QUEUE_READ)
    lines = sorted(await queuelines.read(session, actor, settings, mine=True), key=slurms_key)
    return [replace(line, order=order) for order, line in enumerate(lines, 1)]


def outside_line(job: Waiting, settings: Settings, order: int) -> QueueEntry:
    """A job from outside as a line."""
    gpus = cluster.gpus_of_gres(job.gres, settings)
    size = [f"{label} x {count}" for label, count in gpus.items()] or [f"CPU x {job.cpus}"]
    return QueueEntry(
        order=order,
        workload_id=None,
        name=job.name,
        priority=job.qos,
        resources=", ".join([*size, f"{job.memory_mib // 1024}GB"]),
        applicant=job.user,
        state=State.QUEUED.value,
        phase=EXTERNAL,
        submitted_at=_time(job.submitted_at),
        slurm_id=job.job_id,
        slurm_priority=job.priority,
        slurm_reason=job.reason,
        estimated_start=_time(job.estimated_start),
        held=job.held,
        changed_outside_at=None,
        gpus=gpus,
        cpus=job.cpus,
    )


def _time(epoch: int | None) -> datetime | None:
    return datetime.fromtimestamp(epoch, UTC) if epoch else None
