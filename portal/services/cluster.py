"""What the cluster looks like: read from the newest snapshot row, so that no watcher ever costs a call to Slurm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, ClusterState, SlurmJob, Workload, now
from portal.domain.lifecycle import State
from portal.domain.nodes import shown_state, split
from portal.domain.reconcile import PORTAL_MARK
from portal.services import outside, telling
from portal.settings import Settings
from slurm.inventory import NodeClass, inventory_from
from slurm.records import ClusterVersion, NodeRecord, PartitionRecord, Snapshot

_SNAPSHOT = TypeAdapter(Snapshot)
_NODES = TypeAdapter(tuple[NodeRecord, ...])
_PARTITIONS = TypeAdapter(tuple[PartitionRecord, ...])
_VERSION = TypeAdapter(ClusterVersion)
ROW_ID = 1
SHARES = "shard"

_ALL_IN_SLURM = update(Workload).where(
    Workload.unknown_since.is_(None),
    Workload.state.in_([State.QUEUED.value, State.RUNNING.value]),
    Workload.id.in_(select(Attempt.workload_id).join(SlurmJob).where(SlurmJob.status == "submitted")),
)


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
    shares: dict[str, Amount] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterView:
    """All nodes and the sums over them, of one moment; `shares` are those of split GPUs, by the GPU's label."""

    at: datetime | None
    unreachable_since: datetime | None
    fake_gpus: bool
    simulated: bool
    nodes: tuple[NodeView, ...] = ()
    gpus: dict[str, Amount] = field(default_factory=dict)
    cpus: Amount = field(default_factory=Amount)
    memory_mib: Amount = field(default_factory=Amount)
    shares: dict[str, Amount] = field(default_factory=dict)


async def state_row(session: AsyncSession) -> ClusterState:
    """The one row; made empty when the daemon never wrote it."""
    row = await session.get(ClusterState, ROW_ID)
    return row or ClusterState(id=ROW_ID)


async def snapshot(session: AsyncSession) -> Snapshot | None:
    """The newest snapshot, without jobs; None before the first one."""
    row = await state_row(session)
    return _SNAPSHOT.validate_python({**row.snapshot, "jobs": []}) if row.snapshot else None


async def store(session: AsyncSession, taken: Snapshot, version: ClusterVersion) -> None:
    """Keep a new snapshot; Slurm is reachable. The portal's own jobs have rows of their own; the others are kept apart."""
    await outside.store(session, (job for job in taken.jobs if not job.comment.startswith(PORTAL_MARK)))
    taken = replace(taken, jobs=())
    row = ClusterState(
        id=ROW_ID,
        at=now(),
        unreachable_since=None,
        snapshot=_SNAPSHOT.dump_python(taken, mode="json"),
        version=_VERSION.dump_python(version, mode="json"),
    )
    await session.merge(row)
    await telling.nodes_seen(session, taken.nodes)


async def store_unreachable(session: AsyncSession) -> None:
    """Remember since when Slurm does not answer; the last snapshot stays, and so do the states of what Slurm has: from now
    on they are unknown, until a snapshot tells of each again."""
    row = await session.merge(await state_row(session))
    if row.unreachable_since is None:
        row.unreachable_since = now()
        await session.execute(_ALL_IN_SLURM.values(unknown_since=row.unreachable_since))


async def inventory(session: AsyncSession, settings: Settings) -> tuple[NodeClass, ...]:
    """Node classes of the newest snapshot; empty before the first one. Its jobs, which may be many, stay where they are."""
    parts = (ClusterState.snapshot["nodes"], ClusterState.snapshot["partitions"])
    row = (await session.execute(select(*parts).where(ClusterState.id == ROW_ID))).one_or_none()
    if row is None or row[0] is None:
        return ()
    nodes, partitions = _NODES.validate_python(row[0]), _PARTITIONS.validate_python(row[1])
    return inventory_from(nodes, partitions, settings.slurm.gpu_labels)


async def nodes(session: AsyncSession, settings: Settings) -> ClusterView:
    """Nodes and sums of the newest snapshot; its jobs, which may be many, stay where they are."""
    parts = (ClusterState.at, ClusterState.unreachable_since, ClusterState.snapshot["nodes"])
    row = (await session.execute(select(*parts).where(ClusterState.id == ROW_ID))).one_or_none()
    at, unreachable_since, found = row or (None, None, None)
    view = ClusterView(at, unreachable_since, settings.slurm.fake_gpus, settings.slurm.simulated)
    if found is None:
        return view
    gpus: dict[str, Amount] = defaultdict(Amount)
    shares: dict[str, Amount] = defaultdict(Amount)
    shown = []
    for node in _NODES.validate_python(found):
        view.cpus.add(node, node.cpus, node.cpus_allocated)
        view.memory_mib.add(node, node.memory_mib, node.memory_allocated_mib)
        for label, (total, allocated) in _gpus(node, settings).items():
            gpus[label].add(node, total, allocated)
        for label, (total, allocated) in _shares(node, settings).items():
            shares[label].add(node, total, allocated)
        shown.append(_node_view(node, settings))
    return replace(view, nodes=tuple(shown), gpus=dict(gpus), shares=dict(shares))


def _node_view(node: NodeRecord, settings: Settings) -> NodeView:
    gpus, shares = _amounts(node, _gpus(node, settings)), _amounts(node, _shares(node, settings))
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
        gpus,
        cpus,
        memory,
        shares,
    )


def _amounts(node: NodeRecord, found: dict[str, tuple[int, int]]) -> dict[str, Amount]:
    amounts = {label: Amount() for label in found}
    for label, (total, allocated) in found.items():
        amounts[label].add(node, total, allocated)
    return amounts


def _gpus(node: NodeRecord, settings: Settings) -> dict[str, tuple[int, int]]:
    """Label -> (total, allocated) of a node's GPUs."""
    found = {}
    for name, total in node.gres.items():
        kind, _, gres_type = name.partition(":")
        if kind == "gpu":
            label = settings.slurm.gpu_labels.get(gres_type, gres_type or "GPU")
            found[label] = (total, node.gres_used.get(name, 0))
    return found


def gpus_of_gres(gres: Mapping[str, int], settings: Settings) -> dict[str, int]:
    """Label -> GPUs of what Slurm counts for a job: {"gpu:tesla_v100": 2} -> {"V100": 2}."""
    types = {name.partition(":")[2]: count for name, count in gres.items() if name.partition(":")[0] == "gpu"}
    return {settings.slurm.gpu_labels.get(name, name) or "GPU": count for name, count in types.items()}


def _shares(node: NodeRecord, settings: Settings) -> dict[str, tuple[int, int]]:
    """Label -> (total, used) of the shares of a node's GPUs; Slurm does not tell them apart on a node of several types."""
    total = node.gres.get(SHARES, 0)
    label = next(iter(_gpus(node, settings)), "GPU")
    return {label: (total, node.gres_used.get(SHARES, 0))} if total else {}


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
