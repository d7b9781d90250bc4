"""The queue as its page shows it: places as they will be, why each waits in plain words, and what the whole queue waits for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Workload
from portal.domain.priority import Level, PriorityScale
from portal.domain.reasons import Reason, explain
from portal.services import cluster, wholequeue, why
from portal.services.audit import Actor
from portal.services.outside import Key
from portal.services.paging import Page
from portal.services.queueentry import QueueEntry
from portal.services.wholequeue import EXTERNAL, WholeQueue
from portal.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """Which lines: one's own, of a GPU type ("cpu": without any), a level, a word, and whether outside jobs too."""

    mine: bool = False
    gpu: str = ""
    priority: str = ""
    q: str = ""
    outside: bool = True

    def fits(self, line: QueueEntry) -> bool:
        """Whether the line is shown."""
        if line.phase == EXTERNAL and not self.outside:
            return False
        if self.mine and not line.own:
            return False
        if self.gpu and not (self.gpu in line.gpus or (self.gpu == "cpu" and not line.gpus)):
            return False
        if self.priority and line.priority != self.priority:
            return False
        known = (line.name, line.applicant, line.workload_id or "", str(line.slurm_id or ""))
        return not self.q or any(self.q.lower() in text.lower() for text in known)


@dataclass(frozen=True)
class Row:
    """One line with its reason. `above` and `below` are the neighbours of its own level, None at the level's ends."""

    line: QueueEntry
    reason: Reason
    above: str | None
    below: str | None

    @property
    def outside(self) -> bool:
        """A job from outside the portal."""
        return self.line.phase == EXTERNAL

    @property
    def group(self) -> str:
        """The level that it stands under; "" for an outside job, "early" before Slurm knows it."""
        if self.outside:
            return ""
        return self.line.priority if self.line.slurm_id is not None else "early"


@dataclass(frozen=True)
class Demand:
    """What waits for one GPU type, and what is there."""

    label: str
    waiting: int
    amount: cluster.Amount


@dataclass(frozen=True)
class QueueView:
    """A page of the queue, and the sums over all of it."""

    rows: Page[Row]
    whole: int
    demands: tuple[Demand, ...]
    oldest: QueueEntry | None
    at: datetime | None
    unreachable_since: datetime | None
    fake_gpus: bool
    groups: Mapping[str, int]


async def view(
    session: AsyncSession, actor: Actor, settings: Settings, wanted: Wanted, number: int, size: int
) -> QueueView:
    """The waiting lines that one asks for. Raises Forbidden."""
    whole = await wholequeue.read(session, actor, settings, lambda lines: place_key(lines, PriorityScale.of(settings)))
    start, stop = (number - 1) * size, number * size
    if wanted == Wanted():
        total, part = len(whole), whole.part(start, stop)
    else:
        fitting = [line for line in _candidates(whole, wanted) if wanted.fits(line)]
        total, part = len(fitting), fitting[start:stop]
    seen = await cluster.nodes(session, settings)
    reasons = await _reasons(session, seen, part)
    neighbours = _neighbours(whole.lines)
    rows = [
        Row(line, reason, *neighbours.get(line.workload_id or "", (None, None)))
        for line, reason in zip(part, reasons, strict=True)
    ]
    wanted_gpus = whole.gpus
    return QueueView(
        rows=Page(rows, total),
        whole=len(whole),
        demands=tuple(Demand(label, wanted_gpus.get(label, 0), amount) for label, amount in seen.gpus.items()),
        oldest=whole.oldest,
        at=seen.at,
        unreachable_since=seen.unreachable_since,
        fake_gpus=seen.fake_gpus,
        groups=_groups([line for line in whole.lines if wanted.fits(line)]),
    )


def _candidates(whole: WholeQueue, wanted: Wanted) -> Sequence[QueueEntry]:
    """Jobs from outside are made into lines only where one of them may fit."""
    return whole.lines if wanted.mine or not wanted.outside else whole.part(0, len(whole))


def _groups(lines: Sequence[QueueEntry]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in lines:
        if line.phase != EXTERNAL:
            group = line.priority if line.slurm_id is not None else "early"
            counts[group] = counts.get(group, 0) + 1
    return counts


def place_key(lines: Sequence[QueueEntry], scale: PriorityScale) -> Callable[[QueueEntry], Key]:
    """Slurm's order; what Slurm has no priority for yet (being moved, or held) where its level and rank will put it."""
    bases = {
        line.priority: line.slurm_priority + line.nice
        for line in lines
        if line.slurm_priority and line.nice is not None and not (line.applying or line.changed_outside_at)
    }
    order = list(scale.qos)

    def key(line: QueueEntry) -> Key:
        if line.slurm_id is None or line.wanted_nice is None or (bool(line.slurm_priority) and not line.applying):
            return wholequeue.slurms_key(line)
        level = Level(line.priority)
        base = bases.get(level)
        if base is None:
            higher = [bases[one] for one in order[: order.index(level)] if one in bases]
            lower = [bases[one] for one in order[order.index(level) + 1 :] if one in bases]
            reach = 2 * scale.nice_base
            base = min(higher) - reach if higher else (max(lower) + reach if lower else 0)
        return False, -(base - (line.wanted_nice or 0)), line.slurm_id

    return key


def _neighbours(lines: Sequence[QueueEntry]) -> dict[str, tuple[str | None, str | None]]:
    levels: dict[str, list[str]] = {}
    for line in lines:
        if line.workload_id is not None and line.phase != EXTERNAL:
            levels.setdefault(line.priority, []).append(line.workload_id)
    return {
        one: (ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None)
        for ids in levels.values()
        for at, one in enumerate(ids)
    }


async def _reasons(session: AsyncSession, seen: cluster.ClusterView, lines: Sequence[QueueEntry]) -> list[Reason]:
    ids = [line.workload_id for line in lines if line.workload_id and line.phase != EXTERNAL]
    found = await session.scalars(select(Workload).where(Workload.id.in_(ids)))
    workloads = {one.id: one for one in found.unique()}
    return [await _reason(session, seen, line, workloads.get(line.workload_id or "")) for line in lines]


async def _reason(
    session: AsyncSession, seen: cluster.ClusterView, line: QueueEntry, workload: Workload | None
) -> Reason:
    if workload is not None and line.slurm_id is None:
        return await why.before_slurm(session, workload)
    code = line.slurm_reason if line.slurm_reason not in ("", "None") else "Priority"
    if line.held and not code.startswith("JobHeld"):
        code = "JobHeldAdmin"
    if workload is None:
        return explain(code, why.gpu_facts(seen, line.gpus, line.order))
    return explain(code, why.facts_of(seen, workload, line.order))
