"""What Slurm says, as values, the same from every road: nodes, partitions, jobs and accounting rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NodeRecord:
    """One node. `state` is Slurm's base state in upper case, `flags` its modifiers ("DRAIN", "NOT_RESPONDING", ...).

    `gres` and `gres_used` count by "name:type" ("gpu:A100": 8) or "name" ("shard": 32).
    """

    name: str
    state: str
    flags: frozenset[str]
    reason: str
    reason_user: str
    reason_at: int | None
    partitions: tuple[str, ...]
    features: frozenset[str]
    cpus: int
    cpus_allocated: int
    memory_mib: int
    memory_allocated_mib: int
    gres: dict[str, int] = field(default_factory=dict)
    gres_used: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PartitionRecord:
    """One partition. Empty `allow_*` means everybody; `max_time_min` None means unlimited."""

    name: str
    state: str
    max_time_min: int | None
    allow_accounts: frozenset[str]
    allow_qos: frozenset[str]
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class JobRecord:
    """One component of a live job (a plain job is its own leader: `leader_id == job_id`, `het_offset` None).

    Times are epoch seconds, None when unknown or unset. `estimated_start` is Slurm's own backfill guess. `exit_code` is
    None when a `signal` ended it. How a job ended is decided by accounting: slurmctld shows the exit code 1 that it sets
    itself (refused, node failed) as signal 1.
    """

    job_id: int
    leader_id: int
    het_offset: int | None
    name: str
    user: str
    account: str
    partition: str
    qos: str
    nice: int
    priority: int
    state: str
    flags: frozenset[str]
    reason: str
    comment: str
    held: bool
    submitted_at: int | None
    eligible_at: int | None
    started_at: int | None
    estimated_start: int | None
    ended_at: int | None
    time_limit_min: int | None
    nodes: tuple[str, ...]
    node_count: int
    cpus: int
    memory_mib: int
    gres: dict[str, int]
    dependency: str
    exit_code: int | None
    signal: int | None


@dataclass(frozen=True)
class StepRow:
    """One step's accounting row.

    `step_id` is its numeric id ("13.0" is a step of component 13, "12.batch"), `name` what srun called it.
    """

    step_id: str
    name: str
    state: str
    exit_code: int | None
    signal: int | None
    started_at: int | None
    ended_at: int | None
    max_rss_mib: int | None


@dataclass(frozen=True)
class AccountingRow:
    """One component of a job in accounting, with its steps.

    A hetjob cancelled while pending has plain rows there: `het_offset` None on every component. `alloc_tres` is by
    Slurm's own lower-case names ("gres/gpu:a100": 4, "mem" in MiB).
    """

    job_id: int
    leader_id: int
    het_offset: int | None
    name: str
    user: str
    account: str
    qos: str
    comment: str
    state: str
    exit_code: int | None
    signal: int | None
    failed_node: str
    submitted_at: int | None
    started_at: int | None
    ended_at: int | None
    elapsed_s: int
    alloc_tres: dict[str, int]
    nodes: tuple[str, ...]
    steps: tuple[StepRow, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """The whole cluster at one moment (`at`, epoch seconds): one reading serves every page."""

    at: float
    nodes: tuple[NodeRecord, ...]
    partitions: tuple[PartitionRecord, ...]
    jobs: tuple[JobRecord, ...]


@dataclass(frozen=True)
class Association:
    """What a user may use together: an account, the QOS that go with it (`default_qos` "" when there is none).

    `partition` is "" when it holds in all of them; `is_default` marks the account that counts when none is named.
    """

    account: str
    partition: str
    qos: tuple[str, ...]
    default_qos: str
    is_default: bool


@dataclass(frozen=True)
class Standing:
    """What keeps a user from submitting to an account: in plain English ("" for nothing), and the QOS that it lacks."""

    missing: str = ""
    lacks_qos: tuple[str, ...] = ()

    @classmethod
    def of(cls, user: str, account: str, held: Sequence[Collection[str]], wanted: Sequence[str]) -> Standing:
        """From the QOS of each of the user's associations with the account, for somebody who wants these QOS."""
        if not held:
            return cls(f"Slurm has no association of user {user} with account {account}")
        lacks = tuple(qos for qos in wanted if not any(qos in one for one in held))
        words = f"the association of user {user} with account {account} lacks the QOS {', '.join(lacks)}"
        return cls(words if lacks else "", lacks)


@dataclass(frozen=True)
class PrioritySetup:
    """How Slurm weighs jobs: `weights` of slurm.conf by factor ("QOS": 3000000000, "Age": 0), `qos` every QOS's priority."""

    weights: dict[str, int]
    qos: dict[str, int]


@dataclass(frozen=True)
class ClusterVersion:
    """What answers: Slurm's version ("26.05.5"), the road in use ("native" or "rest") and why, the REST version.

    `problems` are checks that failed, in plain English with the cure. `unknown_keys` counts, since the agent started, the
    objects that had a key which no Slurm that we know says: {"job/name_of_the_key": 12}; they were read as if without it.
    """

    slurm: str
    road: str
    road_reason: str
    rest: str
    problems: tuple[str, ...] = ()
    unknown_keys: dict[str, int] = field(default_factory=dict)
