"""What the picture of the cluster is made of, as one short text that changes with it: the same for everybody who watches."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Select, func, select

from portal.db.engine import Sessions
from portal.db.models import App, ClusterSample, ClusterState, DaemonReport, Workload
from portal.domain.lifecycle import State
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
            seen_by = [tuple(one) for one in await session.execute(audience(State.RUNNING, State.SAVING))]
        return sha256(repr((tuple(row), seen_by)).encode()).hexdigest()[:16], f"s{row[3]}"


def audience(*states: State) -> Select[str, str, str | None]:
    """Of every workload in these states who may see it: what was drawn before an App became private is drawn anew."""
    return (
        select(Workload.id, App.visibility, App.editor_ids)
        .join(App, App.id == Workload.app_id)
        .where(Workload.state.in_([state.value for state in states]))
        .order_by(Workload.id)
    )
