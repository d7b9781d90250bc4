"""Slurm's job and node states as explicit sets: what is live, what has ended, what a node can still take.

A word that is in none of them makes the whole state UNKNOWN: a newer Slurm may mean anything by it.

Source: https://slurm.schedmd.com/squeue.html#SECTION_JOB-STATE-CODES and sinfo.html#SECTION_NODE-STATE-CODES (26.05).
The situations in tests/slurm/client/recordings show only some of them; no list of slurmrestd's own is kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slurm.records import JobRecord

PENDING = "PENDING"
RUNNING = "RUNNING"
COMPLETED = "COMPLETED"
CANCELLED = "CANCELLED"
FAILED = "FAILED"
TIMEOUT = "TIMEOUT"
NODE_FAIL = "NODE_FAIL"
OUT_OF_MEMORY = "OUT_OF_MEMORY"
UNKNOWN = "UNKNOWN"
"""Neither live nor ended, as far as we know; also Slurm's own word for a node that it has not heard of yet."""

LIVE = frozenset({PENDING, RUNNING, "SUSPENDED"})
ENDED = frozenset(
    {COMPLETED, CANCELLED, FAILED, TIMEOUT, NODE_FAIL, OUT_OF_MEMORY, "PREEMPTED", "BOOT_FAIL", "DEADLINE"}
)
JOB_BASE_STATES = LIVE | ENDED
JOB_FLAGS = frozenset(
    {
        "COMPLETING",
        "CONFIGURING",
        "EXPEDITING",
        "LAUNCH_FAILED",
        "POWER_UP_NODE",
        "RECONFIG_FAIL",
        "REQUEUED",
        "REQUEUE_FED",
        "REQUEUE_HOLD",
        "RESIZING",
        "RESV_DEL_HOLD",
        "REVOKED",
        "SIGNALING",
        "SPECIAL_EXIT",
        "STAGE_OUT",
        "STOPPED",
    }
)

NODE_BASE_STATES = frozenset(
    {"INVALID", "UNKNOWN", "DOWN", "IDLE", "ALLOCATED", "ERROR", "MIXED", "FUTURE", "EXTERNAL"}
)
NODE_USABLE = frozenset({"IDLE", "ALLOCATED", "MIXED"})
NODE_BLOCKING_FLAGS = frozenset(
    {
        "DRAIN",
        "FAIL",
        "INVALID",
        "INVALID_REG",
        "MAINT",
        "MAINTENANCE",
        "NOT_RESPONDING",
        "POWERING_DOWN",
        "POWERED_DOWN",
        "POWER_DOWN",
        "REBOOT_ISSUED",
        "REBOOT_REQUESTED",
    }
)
NODE_FLAGS = NODE_BLOCKING_FLAGS | frozenset(
    {
        "BLOCKED",
        "CLOUD",
        "COMPLETING",
        "DYNAMIC_FUTURE",
        "DYNAMIC_NORM",
        "PLANNED",
        "POWERING_UP",
        "POWER_DOWN_ASAP",
        "POWER_DOWN_FORCE",
        "POWER_DRAIN",
        "POWER_UP",
        "REBOOT_CANCELED",
        "RESERVED",
        "RESUME",
        "UNDRAIN",
    }
)


def job_state(words: Sequence[str]) -> tuple[str, frozenset[str]]:
    """A job's base state and its modifiers: ["PENDING", "SPECIAL_EXIT"] -> ("PENDING", {"SPECIAL_EXIT"})."""
    return _split(words, JOB_BASE_STATES, JOB_FLAGS)


def node_state(words: Sequence[str]) -> tuple[str, frozenset[str]]:
    """A node's base state and its modifiers: ["MIXED", "DRAIN"] -> ("MIXED", {"DRAIN"})."""
    return _split(words, NODE_BASE_STATES, NODE_FLAGS)


def _split(words: Sequence[str], bases: frozenset[str], flags: frozenset[str]) -> tuple[str, frozenset[str]]:
    """UNKNOWN and all the words, to be shown, unless they are one base state and flags that we know."""
    said = frozenset(word.upper() for word in words)
    found = said & bases
    if len(found) != 1 or not said <= found | flags:
        return UNKNOWN, said - {UNKNOWN}
    (base,) = found
    return base, said - found


def is_live(state: str) -> bool:
    """Whether Slurm may still run it, as it may what is UNKNOWN. Raises ValueError for what is no state of a job."""
    return not has_ended(state)


def has_ended(state: str) -> bool:
    """Whether it is known to be over, well or not. Raises ValueError for what is no state of a job."""
    if state not in JOB_BASE_STATES | {UNKNOWN}:
        raise ValueError(f"unknown job state {state!r}")
    return state in ENDED


def takes_work(state: str, flags: Iterable[str]) -> bool:
    """Whether a node in this state may be given new jobs now."""
    return state in NODE_USABLE and not NODE_BLOCKING_FLAGS.intersection(flags)


def headless(jobs: Iterable[JobRecord]) -> tuple[JobRecord, ...]:
    """Components of hetjobs that lost another one and so can never start, but hold back other jobs.

    Those are live ones whose leader is not live, and waiting leaders of which a component has ended; of an UNKNOWN
    component that is never said. Source: docs/agent.md, "Headless components" (measured on 26.05.5).
    """
    listed = tuple(jobs)
    live = {job.job_id for job in listed if is_live(job.state)}
    lost = {job.leader_id for job in listed if job.job_id not in live}
    return tuple(
        job
        for job in listed
        if job.job_id in live
        and job.state != UNKNOWN
        and (
            job.leader_id not in live
            or (job.state == PENDING and job.job_id == job.leader_id and job.leader_id in lost)
        )
    )
