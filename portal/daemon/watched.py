"""What the rows say of jobs that Slurm has, read by columns: thousands that only wait are compared without being loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, SlurmJob, Workload
from portal.domain.lifecycle import Phase, State
from slurm.records import JobRecord
from slurm.states import PENDING


@dataclass(frozen=True)
class Watched:
    """One Slurm job of an attempt under way, with what its workload says of it."""

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

    def says(self, records: Sequence[JobRecord]) -> bool:
        """Whether these components, one moment of Slurm, are a waiting job about which nothing is new."""
        if self.status != "submitted" or not records or any(record.state != PENDING for record in records):
            return False
        leader = min(records, key=lambda record: record.het_offset or 0)
        shown = Phase.HELD if self.held else Phase.SLURM_PENDING
        return (
            (self.workload_state, self.phase, self.is_unknown) == (State.QUEUED, shown, False)
            and (self.state, self.reason, self.slurm_priority) == (leader.state, leader.reason, leader.priority)
            and self.component_ids == sorted(record.job_id for record in records)
            and self.estimated_start == expected_start(records)
            and not self.changed_outside
            and {(record.qos, record.nice, record.held) for record in records} == {self.applied}
        )


def expected_start(records: Sequence[JobRecord]) -> datetime | None:
    """When Slurm thinks that all components of a waiting job can start."""
    starts = [record.estimated_start for record in records if record.estimated_start]
    return datetime.fromtimestamp(max(starts), UTC) if starts else None


async def watched_jobs(session: AsyncSession) -> list[Watched]:
    """All jobs of all attempts that are under way, in the order of their attempts."""
    query = (
        select(
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
            attempt_id=row[0],
            workload_state=row[1],
            phase=row[2],
            is_unknown=row[3] is not None,
            held=row[4],
            status=row[5],
            leader_id=row[6],
            component_ids=row[7],
            state=row[8],
            reason=row[9],
            slurm_priority=row[10],
            estimated_start=row[11],
            applied=(row[12], row[13], row[14]),
            changed_outside=row[15] is not None,
        )
        for row in await session.execute(query)
    ]
