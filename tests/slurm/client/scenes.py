"""Situations of a real cluster, made with Slurm's own commands and taken apart again: the recorder's new ones.

Every scene is a generator: it brings the cluster into a situation, yields what to ask of it, and goes on once that was
asked in every REST version. Run as root on a host of the lab that has nothing else to do.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from slurm.agent.restcalls import SlurmRest

OWNER, ACCOUNT = "kim", "lab"
RECORD = "one-record"
"""Name of the QOS, the account, the reservation and the jobs that scenes make."""
NODE, PARTITION, ALL_GPUS = "gpu3", "v100", "gpu:tesla_v100:8"
PATIENCE_S = 60
LONG_PATIENCE_S = 200
"""A time limit of a minute, and slurmctld's own grace after it."""
COMMAND_TIMEOUT_S = 30
RUNS = "sleep 600"
PLAIN = ("--parsable", f"--job-name={RECORD}", "--time=5", "--mem=64", "--output=/dev/null", "--chdir=/tmp")


@dataclass(frozen=True)
class Shot:
    """What to ask, and of a long answer the objects to keep: job ids or names; empty for all."""

    situation: str
    ask: Callable[[SlurmRest], Any]
    keep: frozenset[int | str] = frozenset()


Scene = Callable[[], Iterator[Shot]]


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Poll, for a recording needs a state that Slurm reaches in its own time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patience_s:g} s: {what}")
        time.sleep(0.2)


def run(*command: str, check: bool = True) -> str:
    """A command's output."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    if check and ran.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {ran.returncode}: {ran.stdout}{ran.stderr}")
    return ran.stdout.strip()


def sbatch(*options: str, wrap: str = RUNS, account: str = ACCOUNT) -> int:
    """A job of the owner's; its number."""
    clean = ("runuser", "-u", OWNER, "--", "env", "-i", "--chdir=/", "PATH=/usr/bin:/bin")
    words = ("sbatch", *PLAIN, f"--partition={PARTITION}", f"--account={account}", *options, f"--wrap={wrap}")
    return int(run(*clean, *words))


def reason(job: int) -> str:
    """Why it waits."""
    return run("squeue", "--noheader", f"--jobs={job}", "--format=%r", check=False)


def state(job: int) -> str:
    """Its state in slurmctld, that of the first component of a hetjob, "" once it is gone."""
    return run("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T", check=False).partition("\n")[0]


def waits(job: int, why: str) -> None:
    """Until Slurm says why it waits."""
    try:
        until(lambda: reason(job).startswith(why), why)
    except TimeoutError as error:
        raise TimeoutError(f"job {job}: {why} was expected, Slurm says {reason(job)!r}") from error


def is_in(job: int, word: str, patience_s: float = PATIENCE_S) -> None:
    """Until it has this state."""
    until(lambda: state(job) == word, f"job {job} is {word}", patience_s)


def row_is(job: int, word: str) -> None:
    """Until accounting has this state."""
    sacct = ("sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job}", "--format=state")
    until(lambda: run(*sacct).split(" ")[0] == word, f"accounting has {word} of job {job}")


@contextmanager
def jobs(*numbers: int) -> Iterator[None]:
    """Jobs that are gone afterwards."""
    try:
        yield
    finally:
        run("scancel", *map(str, numbers), check=False)
        gone = ("squeue", "--noheader", f"--name={RECORD}", f"--user={OWNER}", "--states=R,CG,S", "--format=%i")
        mine = set(map(str, numbers))
        until(lambda: not mine & set(run(*gone).split()), "the scene's jobs are gone")


def node(*words: str) -> None:
    """Change the scene's node."""
    run("scontrol", "update", f"nodename={NODE}", *words)


def node_shows(word: str) -> None:
    """Until the node's state has this word."""
    until(lambda: word in run("scontrol", "show", "node", NODE), f"{NODE} is {word}", LONG_PATIENCE_S)


def node_is_back() -> None:
    """Whatever was done to the node is undone."""
    node(f"nodeaddr={NODE}")
    # Refused where slurmd registered in the meantime (ReturnToService=2): then nothing is left to undo.
    run("scontrol", "update", f"nodename={NODE}", "state=resume", check=False)
    show = ("sinfo", "--noheader", f"--nodes={NODE}", "--format=%T")
    until(lambda: run(*show) == "idle", f"{NODE} is idle again", LONG_PATIENCE_S)


@contextmanager
def partition(name: str, changed: str, restored: str) -> Iterator[None]:
    """A partition that is changed for a while."""
    run("scontrol", "update", f"partitionname={name}", changed)
    try:
        yield
    finally:
        run("scontrol", "update", f"partitionname={name}", restored)


def one(situation: str, job: int) -> Shot:
    """Ask slurmctld for one job."""
    return Shot(situation, lambda calls: calls.components(job))


def row(situation: str, *numbers: int) -> Shot:
    """Ask accounting."""
    return Shot(situation, lambda calls: calls.accounting(numbers))


def nodes(situation: str) -> Shot:
    """Ask for the scene's node."""
    return Shot(situation, lambda calls: calls.nodes(), frozenset({NODE}))


# --- waiting ---------------------------------------------------------------------------------------------------------


def held() -> Iterator[Shot]:
    """By its owner, by an admin, until a time."""
    user, admin, later = sbatch("--hold"), sbatch("--begin=now+1hour"), sbatch("--begin=now+1hour")
    with jobs(user, admin, later):
        run("scontrol", "hold", str(admin))
        for job, why, situation in (
            (user, "JobHeldUser", "pending-held-by-user"),
            (admin, "JobHeldAdmin", "pending-held-by-admin"),
            (later, "BeginTime", "pending-begin-time"),
        ):
            waits(job, why)
            yield one(situation, job)


def depending() -> Iterator[Shot]:
    """On a job that waits, and on one that failed."""
    first = sbatch("--hold", wrap="exit 1")
    second = sbatch(f"--dependency=afterok:{first}")
    with jobs(first, second):
        waits(second, "Dependency")
        yield one("pending-dependency", second)
        run("scontrol", "release", str(first))
        waits(second, "DependencyNeverSatisfied")
        yield one("pending-dependency-never-satisfied", second)


def crowded() -> Iterator[Shot]:
    """All GPUs are taken: the first in the queue waits for them, the second for its turn."""
    holder = sbatch(f"--gres={ALL_GPUS}")
    with jobs(holder):
        is_in(holder, "RUNNING")
        yield nodes("nodes-full")
        first, second = sbatch(f"--gres={ALL_GPUS}"), sbatch(f"--gres={ALL_GPUS}")
        with jobs(first, second):
            waits(first, "Resources")
            yield one("pending-resources", first)
            waits(second, "Priority")
            yield one("pending-priority", second)
            run("scontrol", "update", f"jobid={first}", f"excnodelist={NODE}")
            waits(first, "BadConstraints")
            yield one("pending-bad-constraints", first)


def reserved() -> Iterator[Shot]:
    """A reservation that has not begun, one that has, and one for maintenance."""
    make = ("scontrol", "create", "reservation", f"reservationname={RECORD}", f"nodes={NODE}", "duration=30")
    gone = ("scontrol", "delete", f"reservationname={RECORD}")
    run(*make, "starttime=now+1hour", f"users={OWNER}")
    try:
        job = sbatch(f"--reservation={RECORD}")
        with jobs(job):
            waits(job, "Reservation")
            yield one("pending-reservation", job)
    finally:
        run(*gone)
    for situation, flags in (("nodes-reserved", ()), ("nodes-maintenance", ("flags=maint",))):
        run(*make, "starttime=now", "users=root", *flags)
        try:
            node_shows("MAINTENANCE" if flags else "RESERVED")
            yield nodes(situation)
            job = sbatch(f"--nodelist={NODE}")
            with jobs(job):
                waits(job, "ReqNodeNotAvail")
                yield one(f"pending-{situation}", job)
        finally:
            run(*gone)


def closed() -> Iterator[Shot]:
    """The partition takes nothing, or not this; a job is let go while it is down, for later it would be refused."""
    job = sbatch("--hold")
    with (
        jobs(job),
        partition(PARTITION, "state=down", "state=up"),
        partition(PARTITION, "maxtime=1", "maxtime=7-00:00:00"),
    ):
        run("scontrol", "release", str(job))
        for word in ("down", "inactive"):
            run("scontrol", "update", f"partitionname={PARTITION}", f"state={word}")
            waits(job, f"Partition{word.title()}")
            yield one(f"pending-partition-{word}", job)
            yield Shot(f"partitions-{word}", lambda calls: calls.partitions(), frozenset({PARTITION}))
        run("scontrol", "update", f"partitionname={PARTITION}", "state=up")
        waits(job, "PartitionTimeLimit")
        yield one("pending-partition-time-limit", job)
    wide = sbatch("--hold", "--partition=a100", "--nodes=2")
    with jobs(wide), partition("a100", "state=down", "state=up"), partition("a100", "maxnodes=1", "maxnodes=unlimited"):
        run("scontrol", "release", str(wide))
        run("scontrol", "update", "partitionname=a100", "state=up")
        waits(wide, "PartitionNodeLimit")
        yield one("pending-partition-node-limit", wide)


# --- limits ----------------------------------------------------------------------------------------------------------

QOS_LIMITS = (
    ("MaxJobsPerUser=1", "QOSMaxJobsPerUserLimit"),
    ("MaxTRESPerUser=gres/gpu=1", "QOSMaxGRESPerUser"),
    ("GrpTRES=gres/gpu=1", "QOSGrpGRES"),
    ("MaxTRESPerJob=gres/gpu=1", "QOSMaxGRESPerJob"),
    ("GrpJobs=1", "QOSGrpJobsLimit"),
    ("GrpTRES=cpu=1", "QOSGrpCpuLimit"),
    ("MaxWall=1", "QOSMaxWallDurationPerJobLimit"),
)
ACCOUNT_LIMITS = (
    ("MaxJobs=1", "AssocMaxJobsLimit"),
    ("GrpJobs=1", "AssocGrpJobsLimit"),
    ("GrpTRES=gres/gpu=1", "AssocGrpGRES"),
    ("MaxTRESPerJob=gres/gpu=1", "AssocMaxGRESPerJob"),
    ("GrpTRES=mem=100", "AssocGrpMemLimit"),
    ("MaxWall=1", "AssocMaxWallDurationPerJobLimit"),
)
TWO_GPUS = "--gres=gpu:tesla_v100:2"


def sacctmgr(*words: str, check: bool = True) -> None:
    """Change the accounting database without a question."""
    run("sacctmgr", "--immediate", *words, check=check)


def limited() -> Iterator[Shot]:
    """By a limit of the QOS, and by one of the account: a job that runs, and one that may not."""
    sacctmgr("add", "qos", RECORD)
    sacctmgr("modify", "user", OWNER, "where", f"account={ACCOUNT}", "set", f"qos+={RECORD}")
    try:
        for limit, why in QOS_LIMITS:
            yield from _beyond("qos", limit, why, f"--qos={RECORD}", account=ACCOUNT)
    finally:
        sacctmgr("modify", "user", OWNER, "where", f"account={ACCOUNT}", "set", f"qos-={RECORD}", check=False)
        sacctmgr("delete", "qos", RECORD)
    sacctmgr("add", "account", RECORD)
    sacctmgr("add", "user", OWNER, f"account={RECORD}", "qos=one-normal")
    try:
        for limit, why in ACCOUNT_LIMITS:
            yield from _beyond("account", limit, why, "--qos=one-normal", account=RECORD)
    finally:
        sacctmgr("delete", "user", OWNER, f"account={RECORD}")
        sacctmgr("delete", "account", RECORD)


def _beyond(kind: str, limit: str, why: str, option: str, *, account: str) -> Iterator[Shot]:
    name = limit.rpartition("=")[0]
    sacctmgr("modify", kind, RECORD, "set", limit)
    first = sbatch(option, "--gres=gpu:tesla_v100:1", "--time=1", account=account)
    second = sbatch(option, TWO_GPUS, account=account)
    with jobs(first, second):
        is_in(first, "RUNNING")
        waits(second, why)
        yield one(f"pending-{why}", second)
    sacctmgr("modify", kind, RECORD, "set", f"{name}=-1")


# --- running and ended -----------------------------------------------------------------------------------------------


def shared() -> Iterator[Shot]:
    """Shares of a GPU, beside a whole one."""
    job, whole = sbatch("--gres=shard:2"), sbatch("--gres=gpu:tesla_v100:1")
    with jobs(job, whole):
        is_in(job, "RUNNING")
        is_in(whole, "RUNNING")
        yield one("job-shards", job)
        yield nodes("nodes-shards")


def runs_again(job: int) -> bool:
    """Whether it runs; asked for each time, for what still completes cannot be released."""
    run("scontrol", "update", f"jobid={job}", "starttime=now", check=False)
    run("scontrol", "release", str(job), check=False)
    return state(job) == "RUNNING"


def disturbed() -> Iterator[Shot]:
    """Suspended, and started again by an admin in each of the three ways."""
    job = sbatch("--requeue")
    with jobs(job):
        is_in(job, "RUNNING")
        run("scontrol", "suspend", str(job))
        is_in(job, "SUSPENDED")
        yield one("job-suspended", job)
        run("scontrol", "resume", str(job))
        for situation, words in (
            ("job-requeued", ("requeue",)),
            ("job-requeue-hold", ("requeuehold",)),
            ("job-special-exit", ("requeuehold", "state=specialexit")),
        ):
            until(lambda: runs_again(job), "it runs again", LONG_PATIENCE_S)
            run("scontrol", *words, str(job))
            until(lambda: state(job) not in ("RUNNING", "COMPLETING"), "it was put back")
            yield one(situation, job)
        yield row("accounting-requeued", job)


def ended() -> Iterator[Shot]:
    """Each in its own way; the time limit is a minute."""
    slow = sbatch("--time=1")
    endings = {"failed": sbatch(wrap="exit 3"), "signalled": sbatch(wrap="kill -9 $$"), "cancelled": sbatch()}
    with jobs(slow, *endings.values()):
        is_in(endings["cancelled"], "RUNNING")
        run("scancel", str(endings["cancelled"]))
        for ending, job in endings.items():
            word = "CANCELLED" if ending == "cancelled" else "FAILED"
            is_in(job, word)
            row_is(job, word)
            yield one(f"job-{ending}", job)
            yield row(f"accounting-{ending}-plain", job)
        is_in(slow, "TIMEOUT", LONG_PATIENCE_S)
        row_is(slow, "TIMEOUT")
        yield one("job-timeout", slow)
        yield row("accounting-timeout", slow)


def fallen() -> Iterator[Shot]:
    """The node is drained under a job, goes down with it, and is not heard of any more."""
    try:
        job = sbatch("--no-requeue")
        with jobs(job):
            is_in(job, "RUNNING")
            node("state=drain", f"reason={RECORD}")
            yield nodes("nodes-draining")
            node("state=resume")
            node("state=down", f"reason={RECORD}")
            yield nodes("nodes-down")  # at once: where ReturnToService is 2 it comes back by itself
            is_in(job, "NODE_FAIL")
            row_is(job, "NODE_FAIL")
            yield one("job-node-fail", job)
            yield row("accounting-node-fail", job)
        node_is_back()
        node("state=drain", f"reason={RECORD}")
        until(lambda: "NOT_RESPONDING" not in run("scontrol", "show", "node", NODE), f"{NODE} answers")
        yield nodes("nodes-drained")
        job = sbatch(f"--nodelist={NODE}")
        with jobs(job):
            waits(job, "ReqNodeNotAvail")
            yield one("pending-node-not-available", job)
        node("state=resume")
        node("nodeaddr=svc")  # where no slurmd listens
        node_shows("NOT_RESPONDING")
        node_shows("DOWN")
        yield nodes("nodes-not-responding")
    finally:
        node_is_back()


SCENES: tuple[Scene, ...] = (held, depending, crowded, reserved, closed, limited, shared, disturbed, ended, fallen)
