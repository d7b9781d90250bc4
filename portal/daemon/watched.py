"""What the rows say of jobs that Slurm has, by columns: thousands that only wait are compared without being loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, SlurmJob, Workload
from portal.domain.lifecycle import Phase, State
from slurm.records import JobRecord
from slurm.states import PENDING


@dataclass(frozen=True)
class Watched:
    """One Slurm job of an attempt under way, with what its workload says of it."""

    job_id: int
    attempt_id: int
    workload_state: str
    phase: str
    is_unknown: bool
    held: bool
    status: str
    leader_id: int | None
    component_ids: list[int]
    state: str
    reason: str
    slurm_priority: int | None
    estimated_start: datetime | None
    applied: tuple[str, int | None, bool]
    changed_outside: bool

    def just_waits(self, records: Sequence[JobRecord]) -> bool:
        """Whether these components, one moment of Slurm, are a waiting job, as its workload and nobody's change say."""
        if self.status != "submitted" or not records or any(record.state != PENDING for record in records):
            return False
        shown = Phase.HELD if self.held else Phase.SLURM_PENDING
        return (
            (self.workload_state, self.phase, self.is_unknown) == (State.QUEUED, shown, False)
            and not self.changed_outside
            and {(record.qos, record.nice, record.held) for record in records} == {self.applied}
        )

    def news(self, records: Sequence[JobRecord]) -> dict[str, Any]:
        """The row's columns of what Slurm says of a waiting job, with the row's id; empty where they say it already."""
        leader = min(records, key=lambda record: record.het_offset or 0)
        said = {
            "component_ids": sorted(record.job_id for record in records),
            "state": leader.state,
            "reason": leader.reason,
            "slurm_priority": leader.priority,
            "estimated_start": expected_start(records),
        }
        return {"id": self.job_id, **said} if any(getattr(self, name) != value for name, value in said.items()) else {}


def expected_start(records: Sequence[JobRecord]) -> datetime | None:
    """When Slurm thinks that all components of a waiting job can start."""
    starts = [record.estimated_start for record in records if record.estimated_start]
    return datetime.fromtimestamp(max(starts), UTC) if starts else None


async def watched_jobs(session: AsyncSession) -> list[Watched]:
    """All jobs of all attempts that are under way, in the order of their attempts."""
    query = (
        select(
            SlurmJob.id,
            Attempt.id,
            Workload.state,
            Workload.phase,
            Workload.unknown_since,
            Workload.held,
            SlurmJob.status,
            SlurmJob.leader_id,
            SlurmJob.component_ids,
            SlurmJob.state,
            SlurmJob.reason,
            SlurmJob.slurm_priority,
            SlurmJob.estimated_start,
            SlurmJob.applied_qos,
            SlurmJob.applied_nice,
            SlurmJob.applied_held,
            SlurmJob.changed_outside_at,
        )
        .join(Workload, Attempt.workload_id == Workload.id)
        .join(SlurmJob, SlurmJob.attempt_id == Attempt.id)
        .where(Workload.state.in_([State.QUEUED, State.RUNNING]), Attempt.outcome == "")
        .order_by(Attempt.id, SlurmJob.job_index)
    )
    return [
        Watched(
            job_id=row[0],
            attempt_id=row[1],
            workload_state=row[2],
            phase=row[3],
            is_unknown=row[4] is not None,
            held=row[5],
            status=row[6],
            leader_id=row[7],
            component_ids=row[8],
            state=row[9],
            reason=row[10],
            slurm_priority=row[11],
            estimated_start=row[12],
            applied=(row[13], row[14], row[15]),
            changed_outside=row[16] is not None,
        )
        for row in await session.execute(query)
    ]
