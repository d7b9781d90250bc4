"""What the frame of every page tells: free GPUs, whether Slurm answers, how many requests wait; read once for all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

import anyio
from sqlalchemy import func, select

from portal.db.engine import Sessions, transaction
from portal.db.models import Workload
from portal.domain.lifecycle import State
from portal.domain.permissions import ADMIN
from portal.services import cluster
from portal.services.audit import Actor
from portal.settings import Settings

FRESH_S = 2.0


@dataclass(frozen=True)
class FreeGpus:
    """One GPU type: how many are idle of how many."""

    label: str
    idle: int
    total: int


@dataclass(frozen=True)
class Glance:
    """The cluster and the gate in one look; `open_approvals` are those that this person may see."""

    at: datetime | None = None
    unreachable_since: datetime | None = None
    fake_gpus: bool = False
    gpus: tuple[FreeGpus, ...] = ()
    open_approvals: int = 0


class Glances:
    """The newest look, shared by all requests of a process for FRESH_S."""

    def __init__(self, maker: Sessions, settings: Settings) -> None:
        self._maker = maker
        self._settings = settings
        self._lock = anyio.Lock()
        self._read_at = 0.0
        self._whole = Glance()
        self._waiting: dict[int, int] = {}

    async def look(self, actor: Actor) -> Glance:
        """As this person may see it."""
        async with self._lock:
            if not self._read_at or time.monotonic() - self._read_at > FRESH_S:
                await self._read()
                self._read_at = time.monotonic()
        count = sum(self._waiting.values()) if actor.role == ADMIN else self._waiting.get(actor.user_id or 0, 0)
        whole = self._whole
        return Glance(whole.at, whole.unreachable_since, whole.fake_gpus, whole.gpus, count)

    async def _read(self) -> None:
        async with transaction(self._maker) as session:
            row = await cluster.state_row(session)
            if row.at != self._whole.at or row.unreachable_since != self._whole.unreachable_since:
                view = await cluster.nodes(session, self._settings)
                gpus = tuple(FreeGpus(label, found.idle, found.total) for label, found in view.gpus.items())
                self._whole = Glance(view.at, view.unreachable_since, view.fake_gpus, gpus)
            waiting = select(Workload.owner_id, func.count()).where(Workload.state == State.AWAITING_APPROVAL.value)
            rows = await session.execute(waiting.group_by(Workload.owner_id))
            self._waiting = {row[0]: row[1] for row in rows}
