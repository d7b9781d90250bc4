"""Slurm's job and node states as explicit sets: what is live, what has ended, what a node can still take.

Source: https://slurm.schedmd.com/squeue.html#SECTION_JOB-STATE-CODES and sinfo.html#SECTION_NODE-STATE-CODES (26.05).
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

LIVE = frozenset({PENDING, RUNNING, "SUSPENDED"})
ENDED = frozenset(
    {COMPLETED, CANCELLED, FAILED, TIMEOUT, NODE_FAIL, OUT_OF_MEMORY, "PREEMPTED", "BOOT_FAIL", "DEADLINE"}
)
JOB_BASE_STATES = LIVE | ENDED

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


def split_state(words: Sequence[str], bases: Iterable[str]) -> tuple[str, frozenset[str]]:
    """The base state and its modifiers: ["MIXED", "DRAIN"] -> ("MIXED", {"DRAIN"}).

    Raises ValueError when there is no base state, or more than one.
    """
    upper = [word.upper() for word in words]
    found = [word for word in upper if word in frozenset(bases)]
    if len(found) != 1:
        raise ValueError(f"expected one base state in {list(words)!r}")
    return found[0], frozenset(upper) - {found[0]}


def is_live(state: str) -> bool:
    """Whether Slurm may still run it. Raises ValueError for a state that this module does not know."""
    if state not in JOB_BASE_STATES:
        raise ValueError(f"unknown job state {state!r}")
    return state in LIVE


def has_ended(state: str) -> bool:
    """Whether it is over, well or not. Raises ValueError for a state that this module does not know."""
    return not is_live(state)


def takes_work(state: str, flags: Iterable[str]) -> bool:
    """Whether a node in this state may be given new jobs now."""
    return state in NODE_USABLE and not NODE_BLOCKING_FLAGS.intersection(flags)


def headless(jobs: Iterable[JobRecord]) -> tuple[JobRecord, ...]:
    """Components of hetjobs that lost another one and so can never start, but hold back other jobs.

    Those are live ones whose leader is not live, and waiting leaders of which a component has ended.
    Source: docs/agent.md, "Headless components" (measured on 26.05.5).
    """
    listed = tuple(jobs)
    live = {job.job_id for job in listed if is_live(job.state)}
    lost = {job.leader_id for job in listed if job.job_id not in live}
    return tuple(
        job
        for job in listed
        if job.job_id in live
        and (
            job.leader_id not in live
            or (job.state == PENDING and job.job_id == job.leader_id and job.leader_id in lost)
        )
    )
