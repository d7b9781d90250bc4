"""slurmrestd's nodes, partitions, jobs and accounting rows as records."""

from __future__ import annotations

from typing import Any

from slurm import states
from slurm.agent.shapes import (
    boolean,
    csv,
    dependency,
    field,
    gres,
    hosts,
    integer,
    moment,
    optional,
    records,
    text,
    words,
)
from slurm.errors import ProtocolError
from slurm.records import AccountingRow, Association, JobRecord, NodeRecord, PartitionRecord, StepRow

BYTES_PER_MIB = 1024 * 1024


def nodes(answer: Any) -> tuple[NodeRecord, ...]:
    """Of GET /slurm/V/nodes/."""
    return tuple(_node(record) for record in records(answer, "nodes"))


def partitions(answer: Any) -> tuple[PartitionRecord, ...]:
    """Of GET /slurm/V/partitions/."""
    return tuple(_partition(record) for record in records(answer, "partitions"))


def jobs(answer: Any) -> tuple[JobRecord, ...]:
    """Of GET /slurm/V/jobs/ or /slurm/V/job/ID: one record a component."""
    return tuple(_job(record) for record in records(answer, "jobs"))


def accounting(answer: Any) -> tuple[AccountingRow, ...]:
    """Of GET /slurmdb/V/jobs/ or /slurmdb/V/job/ID: one row a component."""
    return tuple(_row(record) for record in records(answer, "jobs"))


def associations(answer: Any, user: str) -> tuple[Association, ...]:
    """This user's, of GET /slurmdb/V/associations/."""
    return tuple(
        Association(
            account=text(one, "account"),
            partition=text(one, "partition"),
            qos=words(one, "qos"),
            default_qos=text(one, "default/qos"),
            is_default=boolean(one, "is_default"),
        )
        for one in records(answer, "associations")
        if text(one, "user") == user
    )


def qos_priorities(answer: Any) -> dict[str, int]:
    """Of GET /slurmdb/V/qos/; a QOS whose priority is not set has 0."""
    return {text(one, "name"): optional(one, "priority") or 0 for one in records(answer, "qos")}


def slurm_version(answer: Any) -> str:
    """ "26.05.5" of any answer's meta."""
    return text(answer, "meta/slurm/release")


def a_controller_responds(answer: Any) -> bool:
    """Whether GET /slurm/V/ping/ reached any controller: `{"pings": [{"hostname": "ctl", "responding": true, ...}]}`."""
    return any(field(one, "responding") is True for one in records(answer, "pings"))


def _node(record: Any) -> NodeRecord:
    state, flags = states.node_state(words(record, "state"))
    return NodeRecord(
        name=text(record, "name"),
        state=state,
        flags=flags,
        reason=text(record, "reason"),
        reason_user=text(record, "reason_set_by_user"),
        reason_at=moment(record, "reason_changed_at"),
        partitions=words(record, "partitions"),
        features=frozenset(words(record, "active_features")),
        cpus=integer(record, "cpus"),
        cpus_allocated=integer(record, "alloc_cpus"),
        memory_mib=integer(record, "real_memory"),
        memory_allocated_mib=integer(record, "alloc_memory"),
        gres=gres(text(record, "gres")),
        gres_used=gres(text(record, "gres_used")),
    )


def _partition(record: Any) -> PartitionRecord:
    state = words(record, "partition/state")
    if len(state) != 1:
        raise ProtocolError(f"partition/state: expected one state in {list(state)!r}")
    return PartitionRecord(
        name=text(record, "name"),
        state=state[0],
        max_time_min=optional(record, "maximums/time"),
        allow_accounts=csv(text(record, "accounts/allowed")),
        allow_qos=csv(text(record, "qos/allowed")),
        nodes=hosts(text(record, "nodes/configured")),
    )


def _job(record: Any) -> JobRecord:
    job_id = integer(record, "job_id")
    state, flags = states.job_state(words(record, "job_state"))
    leader_id = optional(record, "het_job_id") or job_id
    start, waiting, over = moment(record, "start_time"), state == states.PENDING, states.has_ended(state)
    node_count, cpus = optional(record, "node_count") or 1, optional(record, "cpus") or 0
    exit_code, signal = _exit(record, "exit_code") if over else (None, None)
    priority = optional(record, "priority") or 0
    return JobRecord(
        job_id=job_id,
        leader_id=leader_id,
        het_offset=optional(record, "het_job_offset") if optional(record, "het_job_id") else None,
        name=text(record, "name"),
        user=text(record, "user_name"),
        account=text(record, "account"),
        partition=text(record, "partition"),
        qos=text(record, "qos"),
        nice=integer(record, "nice"),
        priority=priority,
        state=state,
        flags=flags,
        reason=text(record, "state_reason"),
        comment=text(record, "comment"),
        held=waiting and priority == 0,
        submitted_at=moment(record, "submit_time"),
        eligible_at=moment(record, "eligible_time"),
        started_at=None if waiting else start,
        estimated_start=start if waiting else None,
        ended_at=moment(record, "end_time") if over else None,
        time_limit_min=optional(record, "time_limit"),
        nodes=hosts(text(record, "nodes")),
        node_count=node_count,
        cpus=cpus,
        memory_mib=_memory(record, node_count, cpus),
        gres={name: count * node_count for name, count in gres(text(record, "tres_per_node")).items()},
        dependency=dependency(text(record, "dependency")),
        exit_code=exit_code,
        signal=signal,
    )


def _memory(record: Any, node_count: int, cpus: int) -> int:
    per_node, per_cpu = optional(record, "memory_per_node"), optional(record, "memory_per_cpu")
    return per_node * node_count if per_node is not None else (per_cpu or 0) * cpus


def _exit(record: Any, path: str) -> tuple[int | None, int | None]:
    """(exit code, signal), signal None when there was none."""
    return optional(record, f"{path}/return_code"), optional(record, f"{path}/signal/id") or None


def _row(record: Any) -> AccountingRow:
    job_id = integer(record, "job_id")
    leader_id = integer(record, "het/job_id") or job_id
    state, _ = states.job_state(words(record, "state/current"))
    exit_code, signal = _exit(record, "exit_code")
    return AccountingRow(
        job_id=job_id,
        leader_id=leader_id,
        het_offset=optional(record, "het/job_offset") if integer(record, "het/job_id") else None,
        name=text(record, "name"),
        user=text(record, "user"),
        account=text(record, "account"),
        qos=text(record, "qos"),
        comment=text(record, "comment/job"),
        state=state,
        exit_code=exit_code,
        signal=signal,
        failed_node=text(record, "failed_node"),
        submitted_at=moment(record, "time/submission"),
        started_at=moment(record, "time/start"),
        ended_at=moment(record, "time/end"),
        elapsed_s=integer(record, "time/elapsed"),
        alloc_tres=_tres(record, "tres/allocated"),
        nodes=hosts(text(record, "nodes")),
        steps=tuple(_step(step) for step in records(record, "steps")),
    )


def _step(record: Any) -> StepRow:
    state, _ = states.job_state(words(record, "state"))
    exit_code, signal = _exit(record, "exit_code")
    memory = {text(one, "type"): integer(one, "count") for one in records(record, "tres/requested/max")}
    return StepRow(
        step_id=text(record, "step/id"),
        name=text(record, "step/name"),
        state=state,
        exit_code=exit_code,
        signal=signal,
        started_at=optional(record, "time/start") or None,
        ended_at=optional(record, "time/end") or None,
        max_rss_mib=memory["mem"] // BYTES_PER_MIB if "mem" in memory else None,
    )


def _tres(record: Any, path: str) -> dict[str, int]:
    """[{"type": "gres", "name": "gpu:a100", "count": 4}, {"type": "cpu", "name": "", ...}] -> {"gres/gpu:a100": 4, ...}.

    A negative count (energy: -2) is unset.
    """
    found = {}
    for one in records(record, path):
        name = text(one, "name")
        found[f"{text(one, 'type')}/{name}" if name else text(one, "type")] = integer(one, "count")
    return {name: count for name, count in found.items() if count >= 0}
