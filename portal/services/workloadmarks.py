"""The marks of watched workloads: a few queries for all of them together, and one look at the files of those that run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import Executable, func, select

from portal.db.engine import Sessions
from portal.db.models import Event, LoopTest, Model, Workload
from portal.domain.lifecycle import State
from portal.services.runwatch import RunWatch

RUNS = frozenset({State.RUNNING, State.SAVING})


class WorkloadMarks:
    """Reads them; `runs` is the process's watch of run directories."""

    def __init__(self, maker: Sessions, runs: RunWatch) -> None:
        self._maker = maker
        self._runs = runs

    async def read(self, ids: Collection[str]) -> Mapping[str, str]:
        """Workload id -> mark, of those that exist."""
        said: dict[str, list[Any]] = defaultdict(list)
        async with self._maker() as session:
            found = list((await session.scalars(select(Workload).where(Workload.id.in_(ids)))).unique())
            for query in _queries(ids):
                for row in await session.execute(query):
                    said[row[0]].append(tuple(row))
        for workload in found:
            said[workload.id].append(_facts(workload))
            if State(workload.state) in RUNS and workload.attempts:
                said[workload.id].append((await self._runs.look(workload, workload.attempts[-1])).mark)
        return {workload.id: sha256(repr(said[workload.id]).encode()).hexdigest()[:16] for workload in found}


def _queries(ids: Collection[str]) -> tuple[Executable, ...]:
    return (
        select(Event.workload_id, func.max(Event.id)).where(Event.workload_id.in_(ids)).group_by(Event.workload_id),
        select(LoopTest.requested_for_id, LoopTest.id, LoopTest.status).where(LoopTest.requested_for_id.in_(ids)),
        select(Model.workload_id, Model.state, Model.size_bytes).where(Model.workload_id.in_(ids)),
    )


def _facts(workload: Workload) -> tuple[Any, ...]:
    jobs = [
        (job.status, job.state, job.reason, job.leader_id, job.estimated_start, job.slurm_priority, job.applied_qos)
        for attempt in workload.attempts
        for job in attempt.jobs
    ]
    attempts = [(one.number, one.outcome, one.logs_saved_at is None, one.report) for one in workload.attempts]
    return workload.revision, workload.unknown_since, attempts, jobs
