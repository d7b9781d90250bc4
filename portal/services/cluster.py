"""What the cluster looks like: read from the newest snapshot row, so that no watcher ever costs a call to Slurm."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import ClusterState, Workload, now
from portal.domain.nodes import shown_state, split
from portal.domain.reconcile import PORTAL_MARK
from portal.settings import Settings
from slurm.inventory import NodeClass, inventory_from
from slurm.records import ClusterVersion, NodeRecord, PartitionRecord, Snapshot

_SNAPSHOT = TypeAdapter(Snapshot)
_NODES = TypeAdapter(tuple[NodeRecord, ...])
_PARTITIONS = TypeAdapter(tuple[PartitionRecord, ...])
_VERSION = TypeAdapter(ClusterVersion)
ROW_ID = 1


@dataclass
class Amount:
    """One resource; total = allocated + idle + unavailable. `used` is None: not measured."""

    total: int = 0
    allocated: int = 0
    idle: int = 0
    unavailable: int = 0
    used: int | None = None

    def add(self, node: NodeRecord, total: int, allocated: int) -> None:
        """Count one node's share."""
        idle, unavailable = split(node, total, allocated)
        self.total += total
        self.allocated += total - idle - unavailable
        self.idle += idle
        self.unavailable += unavailable


@dataclass(frozen=True)
class NodeView:
    """One node as pages and `one nodes` show it; memory in MiB."""

    name: str
    state: str
    slurm_state: str
    reason: str
    reason_user: str
    reason_at: int | None
    partitions: tuple[str, ...]
    gpus: dict[str, Amount]
    cpus: Amount
    memory_mib: Amount


@dataclass(frozen=True)
class ClusterView:
    """All nodes and the sums over them, of one moment."""

    at: datetime | None
    unreachable_since: datetime | None
    fake_gpus: bool
    simulated: bool
    nodes: tuple[NodeView, ...] = ()
    gpus: dict[str, Amount] = field(default_factory=dict)
    cpus: Amount = field(default_factory=Amount)
    memory_mib: Amount = field(default_factory=Amount)


async def state_row(session: AsyncSession) -> ClusterState:
    """The one row; made empty when the daemon never wrote it."""
    row = await session.get(ClusterState, ROW_ID)
    return row or ClusterState(id=ROW_ID)


async def snapshot(session: AsyncSession, *, with_jobs: bool = False) -> Snapshot | None:
    """The newest snapshot, on request with the jobs from outside the portal; None before the first one."""
    row = await state_row(session)
    if not row.snapshot:
        return None
    return _SNAPSHOT.validate_python(row.snapshot if with_jobs else {**row.snapshot, "jobs": []})


async def store(session: AsyncSession, taken: Snapshot, version: ClusterVersion) -> None:
    """Keep a new snapshot; Slurm is reachable. The portal's own jobs have rows of their own, so only the others are kept."""
    outside = tuple(job for job in taken.jobs if not job.comment.startswith(PORTAL_MARK))
    taken = replace(taken, jobs=outside)
    row = ClusterState(
        id=ROW_ID,
        at=now(),
        unreachable_since=None,
        snapshot=_SNAPSHOT.dump_python(taken, mode="json"),
        version=_VERSION.dump_python(version, mode="json"),
    )
    await session.merge(row)


async def store_unreachable(session: AsyncSession) -> None:
    """Remember since when Slurm does not answer; the last snapshot stays."""
    row = await session.merge(await state_row(session))
    row.unreachable_since = row.unreachable_since or now()


async def inventory(session: AsyncSession, settings: Settings) -> tuple[NodeClass, ...]:
    """Node classes of the newest snapshot; empty before the first one. Its jobs, which may be many, stay where they are."""
    parts = (ClusterState.snapshot["nodes"], ClusterState.snapshot["partitions"])
    row = (await session.execute(select(*parts).where(ClusterState.id == ROW_ID))).one_or_none()
    if row is None or row[0] is None:
        return ()
    nodes, partitions = _NODES.validate_python(row[0]), _PARTITIONS.validate_python(row[1])
    return inventory_from(nodes, partitions, settings.slurm.gpu_labels)


async def nodes(session: AsyncSession, settings: Settings) -> ClusterView:
    """Nodes and sums of the newest snapshot."""
    row = await state_row(session)
    taken = await snapshot(session)
    view = ClusterView(row.at, row.unreachable_since, settings.slurm.fake_gpus, settings.slurm.simulated)
    if taken is None:
        return view
    gpus: dict[str, Amount] = defaultdict(Amount)
    shown = []
    for node in taken.nodes:
        view.cpus.add(node, node.cpus, node.cpus_allocated)
        view.memory_mib.add(node, node.memory_mib, node.memory_allocated_mib)
        for label, (total, allocated) in _gpus(node, settings).items():
            gpus[label].add(node, total, allocated)
        shown.append(_node_view(node, settings))
    return replace(view, nodes=tuple(shown), gpus=dict(gpus))


def _node_view(node: NodeRecord, settings: Settings) -> NodeView:
    gpus: dict[str, Amount] = defaultdict(Amount)
    for label, (total, allocated) in _gpus(node, settings).items():
        gpus[label].add(node, total, allocated)
    cpus, memory = Amount(), Amount()
    cpus.add(node, node.cpus, node.cpus_allocated)
    memory.add(node, node.memory_mib, node.memory_allocated_mib)
    raw = "+".join([node.state, *sorted(node.flags)])
    return NodeView(
        node.name,
        shown_state(node),
        raw,
        node.reason,
        node.reason_user,
        node.reason_at,
        node.partitions,
        dict(gpus),
        cpus,
        memory,
    )


def _gpus(node: NodeRecord, settings: Settings) -> dict[str, tuple[int, int]]:
    """Label -> (total, allocated) of a node's GPUs."""
    found = {}
    for name, total in node.gres.items():
        kind, _, gres_type = name.partition(":")
        if kind == "gpu":
            label = settings.slurm.gpu_labels.get(gres_type, gres_type or "GPU")
            found[label] = (total, node.gres_used.get(name, 0))
    return found


async def status(session: AsyncSession, settings: Settings) -> dict[str, Any]:
    """What `one status` and the health checks show: Slurm's version and road, freshness, workloads by state."""
    row = await state_row(session)
    version = _VERSION.validate_python(row.version) if row.version else None
    counts = await session.execute(select(Workload.state, func.count()).group_by(Workload.state))
    return {
        "slurm": _VERSION.dump_python(version, mode="json") if version else None,
        "snapshot_at": row.at,
        "unreachable_since": row.unreachable_since,
        "fake_gpus": settings.slurm.fake_gpus,
        "simulated": settings.slurm.simulated,
        "workloads": dict(counts.all()),
    }
