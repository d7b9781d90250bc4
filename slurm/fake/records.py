"""The simulated cluster's state as the records that every road to Slurm returns."""

from __future__ import annotations

from slurm.fake.cluster import FakeCluster, FakeJob
from slurm.fake.place import FakeNode
from slurm.records import AccountingRow, JobRecord, NodeRecord, PartitionRecord, Snapshot


def snapshot(cluster: FakeCluster) -> Snapshot:
    """Nodes, partitions and the jobs that slurmctld has not purged."""
    partitions = sorted({node.partition for node in cluster.nodes})
    return Snapshot(
        at=cluster.now,
        nodes=tuple(_node(cluster, node) for node in cluster.nodes),
        partitions=tuple(_partition(cluster, name) for name in partitions),
        jobs=tuple(job_record(cluster, job) for job in cluster.visible()),
    )


def job_record(cluster: FakeCluster, job: FakeJob) -> JobRecord:
    """One component as slurmctld lists it."""
    component = job.component
    return JobRecord(
        job_id=job.job_id,
        leader_id=job.leader_id,
        het_offset=job.het_offset,
        name=component.name,
        user=job.owner,
        account=component.account,
        partition=component.partition,
        qos=job.qos,
        nice=job.nice,
        priority=cluster.priority(job),
        state=job.state,
        flags=frozenset(),
        reason=job.reason,
        comment=job.comment,
        held=job.held,
        submitted_at=int(job.submitted_at),
        eligible_at=int(job.submitted_at),
        started_at=_seconds(job.started_at),
        estimated_start=None,
        ended_at=_seconds(job.ended_at),
        time_limit_min=component.time_limit_min,
        nodes=job.nodes,
        node_count=component.nodes,
        cpus=component.cpus * component.nodes,
        memory_mib=component.memory_mib * component.nodes,
        gres=_gres(component.gres, component.nodes),
        dependency=component.dependency if job.reason == "Dependency" else "",
        exit_code=job.exit_code,
        signal=job.signal,
    )


def accounting_row(cluster: FakeCluster, job: FakeJob) -> AccountingRow:
    """One component as slurmdbd remembers it; plain (no offset) when it was cancelled before it ever started."""
    component = job.component
    started = job.started_at if job.started_at is not None else job.ended_at
    tres = {"billing": component.cpus, "cpu": component.cpus * component.nodes, "node": component.nodes}
    tres |= {f"gres/{name.lower()}": count for name, count in _gres(component.gres, component.nodes).items()}
    return AccountingRow(
        job_id=job.job_id,
        leader_id=job.leader_id,
        het_offset=None if job.ended_pending else job.het_offset,
        name=component.name,
        user=job.owner,
        account=component.account,
        qos=job.qos,
        comment=job.comment,
        state=job.state,
        exit_code=job.exit_code,
        signal=job.signal,
        failed_node=job.failed_node,
        submitted_at=int(job.submitted_at),
        started_at=_seconds(job.started_at),
        ended_at=_seconds(job.ended_at),
        elapsed_s=int((job.ended_at or cluster.now) - started) if started is not None else 0,
        alloc_tres=tres if job.nodes else {},
        nodes=job.nodes,
        steps=tuple(job.steps),
    )


def _node(cluster: FakeCluster, node: FakeNode) -> NodeRecord:
    used = cluster.used(node.name)
    down, drained = cluster.down.get(node.name), cluster.drained.get(node.name)
    flags = ({"NOT_RESPONDING"} if down is not None else set()) | ({"DRAIN"} if drained is not None else set())
    busy = "ALLOCATED" if used.cpus >= node.cpus else "MIXED" if used.cpus else "IDLE"
    return NodeRecord(
        name=node.name,
        state="DOWN" if down is not None else busy,
        flags=frozenset(flags),
        reason=down or drained or "",
        reason_user="root" if flags else "",
        reason_at=int(cluster.now) if flags else None,
        partitions=(node.partition,),
        features=node.features,
        cpus=node.cpus,
        cpus_allocated=used.cpus,
        memory_mib=node.memory_mib,
        memory_allocated_mib=used.memory_mib,
        gres=_node_gres(node, node.gpus, node.shards),
        gres_used=_node_gres(node, used.gpus, used.shards),
    )


def _node_gres(node: FakeNode, gpus: int, shards: int) -> dict[str, int]:
    gres = {f"gpu:{node.gpu_type}": gpus} if node.gpu_type else {}
    return gres | ({"shard": shards} if node.shards else {})


def _partition(cluster: FakeCluster, name: str) -> PartitionRecord:
    nodes = tuple(node.name for node in cluster.nodes if node.partition == name)
    return PartitionRecord(name, "UP", None, frozenset(), frozenset(), nodes)


def _gres(text: str, nodes: int) -> dict[str, int]:
    name, _, count = text.rpartition(":")
    return {name: int(count) * nodes} if text else {}


def _seconds(when: float | None) -> int | None:
    return None if when is None else int(when)
