"""Reads Slurm through PySlurm: the only module that imports it (GPL-2.0-only, an optional extra, the agent alone).

PySlurm holds Python's global lock during every call, so a slow controller stops the whole process; a worker thread would
not help. The import itself ends the process when slurm.conf cannot be read: `roads.native_obstacle` asks before.
`Job.get_resource_layout_per_node` crashes on 26.05 and is never called.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any

from slurm import states
from slurm.agent.interest import of_interest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.shapes import counted, dependency, hosts
from slurm.errors import SlurmRefused, SlurmUnreachable
from slurm.records import JobRecord, NodeRecord, PartitionRecord, Snapshot

# libslurm would use such a token instead of this process' own identity, and keep it for ever.
os.environ.pop("SLURM_JWT", None)

import pyslurm

EVERYBODY = frozenset({"ALL"})


class NativeReader:
    """Reads as the agent's own Unix user, by munge; `calls` answers what PySlurm hides."""

    name = "native"

    def __init__(self, calls: SlurmRest) -> None:
        self._calls = calls

    def snapshot(self) -> Snapshot:
        """Three calls; `at` is when the first was made. Raises SlurmUnreachable, SlurmRefused, ProtocolError."""
        at = time.time()
        nodes = tuple(_node(node) for node in _load(pyslurm.Nodes))
        partitions = tuple(_partition(partition) for partition in _load(pyslurm.Partitions))
        jobs = of_interest(
            _load(pyslurm.Jobs),
            name=lambda job: job.name or "",
            waits=lambda job: job.state == states.PENDING,
            priority=lambda job: job.priority or 0,
        )
        return Snapshot(at, nodes, partitions, self._records(jobs))

    def jobs(self) -> tuple[JobRecord, ...]:
        """One call, and one to slurmrestd for each job that PySlurm calls COMPLETING (or the like) only."""
        return self._records(_load(pyslurm.Jobs))

    def _records(self, jobs: Iterable[Any]) -> tuple[JobRecord, ...]:
        return tuple(record for job in jobs if (record := self._job(job)) is not None)

    def note(self, controller: str) -> str:
        """Which PySlurm reads which controller: it is made for one Slurm, and works on the next (docs/agent.md)."""
        return f"PySlurm {pyslurm.__version__}, controller {controller}"

    def _job(self, job: Any) -> JobRecord | None:
        if job.state in states.JOB_BASE_STATES:
            return _record(job)
        # Slurm's text for a job with a flag names the flag alone: COMPLETING hides how the job ended.
        known = {record.job_id: record for record in self._calls.components(job.heterogeneous_id or job.id)}
        return known.get(job.id)


def _load(kind: Any) -> Iterable[Any]:
    try:
        found: Iterable[Any] = kind.load().values()
    except pyslurm.RPCError as error:
        number = getattr(error, "errno", None)
        if number in (None, *REFUSALS):
            raise SlurmRefused(str(error), code=number) from error
        raise SlurmUnreachable(f"Slurm does not answer PySlurm: {error}") from error
    return found


REFUSALS = (2002,)
"""Access denied (PrivateData); every other failure of a read says that nothing is known."""


def _node(node: Any) -> NodeRecord:
    state, flags = _split(node.state)
    return NodeRecord(
        name=node.name,
        state=state,
        flags=flags,
        reason=node.reason or "",
        reason_user=node.reason_user or "",
        reason_at=node.reason_time,
        partitions=tuple(node.partitions),
        features=frozenset(node.active_features),
        cpus=node.total_cpus,
        cpus_allocated=node.allocated_cpus or 0,
        memory_mib=node.real_memory,
        memory_allocated_mib=node.allocated_memory or 0,
        gres=(gres := counted(node.configured_gres.items())),
        gres_used=_used(gres, counted(node.allocated_gres.items())),
    )


def _used(configured: dict[str, int], allocated: dict[str, int]) -> dict[str, int]:
    """What is allocated under the names of what is configured: {"gpu": 2, "gpu:a100": 2} -> {"gpu:A100": 2}.

    PySlurm reads it from the node's AllocTRES. There Slurm 26.05.5 writes types in lower case, and leaves out a type that
    AccountingStorageTRES does not list: of a node with one type the count without type is that type's.
    """
    names = {name.lower(): name for name in configured}
    found = {names.get(name.lower(), name): count for name, count in allocated.items()}
    typed = [name for name in configured if name.startswith("gpu:")]
    if len(typed) == 1 and "gpu" in found and "gpu" not in configured:
        found.setdefault(typed[0], found["gpu"])
    return {name: count for name, count in found.items() if name in configured}


def _split(text: str) -> tuple[str, frozenset[str]]:
    """Of "IDLE+DRAIN"; a trailing "*" of older Slurms is "not responding"."""
    return states.node_state(text.rstrip("*").split("+") + (["NOT_RESPONDING"] if text.endswith("*") else []))


def _partition(partition: Any) -> PartitionRecord:
    return PartitionRecord(
        name=partition.name,
        state=partition.state,
        max_time_min=partition.max_time if isinstance(partition.max_time, int) else None,
        allow_accounts=frozenset(partition.allowed_accounts) - EVERYBODY,
        allow_qos=frozenset(partition.allowed_qos) - EVERYBODY,
        nodes=hosts(partition.nodes or ""),
    )


def _record(job: Any) -> JobRecord:
    waiting, over = job.state == states.PENDING, states.has_ended(job.state)
    hetjob, node_count, signal = job.heterogeneous_id, job.num_nodes or 1, job.exit_code_signal or None
    return JobRecord(
        job_id=job.id,
        leader_id=hetjob or job.id,
        het_offset=(job.heterogeneous_offset or 0) if hetjob else None,
        name=job.name or "",
        user=job.user_name or str(job.user_id),
        account=job.account or "",
        partition=job.partition or "",
        qos=job.qos or "",
        nice=job.nice or 0,
        priority=job.priority or 0,
        state=job.state,
        flags=frozenset(),
        reason=job.state_reason or "",
        comment=job.comment or "",
        held=waiting and not job.priority,
        submitted_at=job.submit_time,
        eligible_at=job.eligible_time,
        started_at=None if waiting else job.start_time,
        estimated_start=job.start_time if waiting else None,
        ended_at=job.end_time if over else None,
        time_limit_min=job.time_limit if isinstance(job.time_limit, int) else None,
        nodes=hosts(job.allocated_nodes or ""),
        node_count=node_count,
        cpus=job.cpus or 0,
        memory_mib=job.memory or 0,
        gres={name: count * node_count for name, count in counted(job.gres_per_node.items()).items()},
        dependency=_dependency(job.dependencies),
        exit_code=job.exit_code if over and not signal else None,
        signal=signal if over else None,
    )


def _dependency(found: dict[str, Any] | None) -> str:
    """ "afterok:12" of {"afterok": ["12(unfulfilled)"], "afterany": [], ..., "satisfy": "all"}."""
    lists = {kind: ids for kind, ids in (found or {}).items() if isinstance(ids, list) and ids}
    return dependency(",".join(f"{kind}:{':'.join(map(str, ids))}" for kind, ids in lists.items()))
