"""What the picture of the cluster is made of, as one short text that changes with it: the same for everybody who watches."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import func, select

from portal.db.engine import Sessions
from portal.db.models import ClusterSample, ClusterState, DaemonReport
from portal.services import reports
from portal.services.cluster import ROW_ID


class ClusterMarks:
    """Reads two: of the newest picture, and of the newest sample alone."""

    def __init__(self, maker: Sessions) -> None:
        self._maker = maker

    async def read(self) -> tuple[str, str]:
        """(of everything, of the samples)."""
        query = select(
            select(ClusterState.at).where(ClusterState.id == ROW_ID).scalar_subquery(),
            select(ClusterState.unreachable_since).where(ClusterState.id == ROW_ID).scalar_subquery(),
            select(DaemonReport.at).where(DaemonReport.name == reports.GPUS).scalar_subquery(),
            select(func.max(ClusterSample.id)).scalar_subquery(),
        )
        async with self._maker() as session:
            row = (await session.execute(query)).one()
        return sha256(repr(tuple(row)).encode()).hexdigest()[:16], f"s{row[3]}"
