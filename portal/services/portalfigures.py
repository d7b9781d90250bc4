"""The portal in figures, for /metrics: counted in the database, so that a scrape never costs Slurm a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, Workload, now
from portal.domain.lifecycle import State
from portal.services import cluster, gpuuse, health, reports
from portal.settings import Settings

DAEMON_FRESH = timedelta(minutes=2)
"""Older figures of the daemon are left out: their series should end, not stand still."""
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Figure:
    """One gauge: its name, what it means, and a value for each set of labels."""

    name: str
    says: str
    values: tuple[tuple[Labels, float], ...]


async def figures(session: AsyncSession, settings: Settings) -> tuple[Figure, ...]:
    """Everything that is counted."""
    return (*await _work(session), *await _cluster(session, settings))


async def daemon_text(session: AsyncSession) -> str:
    """The leading daemon's own figures as Prometheus' text; "" where it has told none lately."""
    found = await reports.read(session, reports.FIGURES, DAEMON_FRESH)
    return str(found[1]["text"]) if found else ""


async def _work(session: AsyncSession) -> Iterable[Figure]:
    states = dict((await session.execute(select(Workload.state, func.count()).group_by(Workload.state))).all())
    outcomes = await session.execute(select(Attempt.outcome, func.count()).group_by(Attempt.outcome))
    oldest = await session.scalar(
        select(func.min(Workload.submitted_at)).where(Workload.state == State.AWAITING_APPROVAL.value)
    )
    backlog = await health.backlog(session)
    return (
        Figure(
            "one_workloads",
            "Workloads by state",
            tuple(({"state": one}, states.get(one, 0)) for one in map(str, State)),
        ),
        Figure(
            "one_attempts",
            "Attempts by how they ended",
            tuple(({"outcome": row[0] or "open"}, row[1]) for row in outcomes),
        ),
        Figure(
            "one_backlog",
            "What waits for the daemon",
            (
                ({"what": "submit"}, backlog.to_submit),
                ({"what": "save"}, backlog.to_save),
                ({"what": "convert"}, backlog.converting),
            ),
        ),
        Figure("one_approval_oldest_seconds", "Age of the oldest request for approval", (({}, _age(oldest) or 0),)),
    )


async def _cluster(session: AsyncSession, settings: Settings) -> Iterable[Figure]:
    view = await cluster.nodes(session, settings)
    told = await gpuuse.newest(session, settings)
    states: dict[str, int] = {}
    for node in view.nodes:
        states[node.state] = states.get(node.state, 0) + 1
    gpus = tuple(
        ({"type": label, "state": state}, float(getattr(amount, state)))
        for label, amount in view.gpus.items()
        for state in ("total", "allocated", "idle", "unavailable")
    )
    found = [
        Figure(
            "one_slurm_unreachable", "1 while Slurm does not answer", (({}, float(view.unreachable_since is not None)),)
        ),
        Figure("one_nodes", "Nodes by state", tuple(({"state": state}, count) for state, count in states.items())),
        Figure("one_gpus", "GPUs by type and state, of the newest snapshot", gpus),
    ]
    if (age := _age(view.at)) is not None:
        found.append(Figure("one_snapshot_age_seconds", "Age of the picture that every page shows", (({}, age),)))
    if told is not None:
        used = tuple(({"type": label}, float(use.busy)) for label, use in gpuuse.by_type(view, told).items())
        found.append(Figure("one_gpus_in_use", "GPUs in use, where all of a node's are measured", used))
    return found


def _age(moment: datetime | None) -> float | None:
    return None if moment is None else max((now() - moment).total_seconds(), 0.0)
