"""What the queue page is made of, as one short text that changes with it."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import func, select

from portal.db.engine import Sessions
from portal.db.models import Attempt, Event, SlurmJob, Workload
from portal.domain.lifecycle import State
from portal.services.clustermarks import ClusterMarks, audience


class QueueMarks:
    """Of the newest reading of Slurm, of what happened to any workload, and of those that wait: what Slurm says, who sees them.

    What Slurm says is written after the newest reading: rows drawn between the two would be the old ones.
    """

    def __init__(self, maker: Sessions) -> None:
        self._maker = maker
        self._cluster = ClusterMarks(maker)

    async def read(self) -> str:
        """The same for everybody who watches."""
        everything, _ = await self._cluster.read()
        waiting = (
            select(
                SlurmJob.id,
                SlurmJob.slurm_priority,
                SlurmJob.reason,
                SlurmJob.estimated_start,
                SlurmJob.changed_outside_at,
                SlurmJob.applied_qos,
                SlurmJob.applied_nice,
                SlurmJob.applied_held,
                SlurmJob.reorder_error,
            )
            .join(Attempt, Attempt.id == SlurmJob.attempt_id)
            .join(Workload, Workload.id == Attempt.workload_id)
            .where(Workload.state == State.QUEUED.value, SlurmJob.status == "submitted")
            .order_by(SlurmJob.id)
        )
        async with self._maker() as session:
            newest = await session.scalar(select(func.max(Event.id)))
            said: list[tuple[object, ...]] = [tuple(row) for row in await session.execute(waiting)]
            said += [tuple(row) for row in await session.execute(audience(State.QUEUED))]
        return f"{everything}-{newest or 0}-{sha256(repr(said).encode()).hexdigest()[:16]}"
