"""One srun of one step: its words, its process, what its launchers report; and what the groups have left (Python 3.6)."""

import os
import subprocess
import sys
import time
from typing import Any, Dict, List, NamedTuple, Optional

from slurm.inside.runner_files import read_events
from slurm.inside.runner_paths import Job, Step, job_file, launcher_events_file, launcher_file, try_dir

ISOLATED = ("-I", "-S")  # nothing of the user's own Python is loaded into the launcher
RESOURCES = ("cpus", "memory_mib", "gpus", "shards")
LAUNCHER_REASONS = ("time_limit", "not_ready", "port_taken", "out_of_memory")


class Outcome(NamedTuple):
    """How one try ended, by the launcher's clock (`t`, epoch seconds).

    `result` is an event's, or "terminated": Slurm signalled the whole step, and the runner knows whether that was a stop.
    """

    result: str
    reason: str
    exit_code: Optional[int]
    signal: Optional[int]
    t: float


class Booking:
    """What is free in each group, summed over its nodes: a step of n nodes takes n nodes' worth."""

    def __init__(self, groups: List[Dict[str, Any]]) -> None:
        self.free = [{name: group[name] * group["nodes"] for name in RESOURCES} for group in groups]

    def fits(self, step: Step) -> bool:
        """Whether the step's group has room for it now."""
        free = self.free[step["group"]]
        return all(step[name] * step["nodes"] <= free[name] for name in RESOURCES)

    def take(self, step: Step) -> None:
        """Book the step's demand."""
        self._change(step, -1)

    def give_back(self, step: Step) -> None:
        """The step has ended."""
        self._change(step, 1)

    def _change(self, step: Step, sign: int) -> None:
        free = self.free[step["group"]]
        for name in RESOURCES:
            free[name] += sign * step[name] * step["nodes"]


def gres_option(step: Step) -> str:
    """--gres is always given: without it a step takes every GPU and shard of its group. Shards cannot name a type."""
    if step["gpus"]:
        kind = "gpu:" + step["gres_type"] if step["gres_type"] else "gpu"
        return "--gres=%s:%d" % (kind, step["gpus"])
    return "--gres=shard:%d" % step["shards"] if step["shards"] else "--gres=none"


def srun_argv(job: Job, step: Step, number: int, iteration: int, resume: bool) -> List[str]:
    """The words that start one launcher a node; the launcher reads the payload's own words from the job file.

    Source: https://slurm.schedmd.com/srun.html (filename patterns: a percent sign is written twice)
    """
    folder = try_dir(job, iteration, step["id"], number).replace("%", "%%")
    group = ["--het-group=%d" % step["group"]] if len(job["groups"]) > 1 else []
    size = ["--nodes=%d" % step["nodes"], "--ntasks=%d" % step["nodes"], "--ntasks-per-node=1"]
    demand = ["--cpus-per-task=%d" % step["cpus"], "--mem=%dM" % step["memory_mib"], gres_option(step)]
    streams = ["--input=none", "--unbuffered", "--output=%s/stdout.log" % folder, "--error=%s/stderr.log" % folder]
    options = [*group, "--job-name=" + step["id"], "--exact", *size, *demand, "--kill-on-bad-exit=1", *streams]
    launcher = [sys.executable, *ISOLATED, launcher_file(job), job_file(job), step["id"], str(number), str(iteration)]
    return ["srun", *options, *launcher, "1" if resume else "0"]


class StepRun:
    """One srun and the events of its launchers."""

    def __init__(self, job: Job, step: Step, number: int, iteration: int, resume: bool) -> None:
        """Raises OSError when srun itself cannot be started."""
        self.step = step
        self.folder = try_dir(job, iteration, step["id"], number)
        with open(os.path.join(self.folder, "srun.log"), "ab") as log:
            argv = srun_argv(job, step, number, iteration, resume)
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.ranks: List[List[Dict[str, Any]]] = [[] for _ in range(step["nodes"])]

    def read(self) -> None:
        """Look at the launchers' events again."""
        self.ranks = [read_events(launcher_events_file(self.folder, rank)) for rank in range(self.step["nodes"])]

    def _events(self, kind: str) -> List[Dict[str, Any]]:
        return [event for rank in self.ranks for event in rank if event["event"] == kind]

    @property
    def launched(self) -> bool:
        """Whether any launcher has begun; an srun that ends without is Slurm's failure, not the component's."""
        return bool(self._events("started"))

    @property
    def all_launched(self) -> bool:
        """Whether every rank has begun."""
        return len(self._events("started")) == len(self.ranks)

    @property
    def all_ended(self) -> bool:
        """Whether every rank has ended, although srun may not have noticed yet."""
        return len(self._events("ended")) == len(self.ranks)

    @property
    def hosts(self) -> List[str]:
        """Slurm's names of the nodes, in the order of the ranks."""
        return [event["host"] for event in self._events("started")]

    @property
    def ready(self) -> Optional[Dict[str, Any]]:
        """The first rank's ready event."""
        events = self._events("ready")
        return events[0] if events else None

    def outcome(self, returncode: int) -> Outcome:
        """How the try ended: by the launchers' events; srun's own code counts only for a launcher that told nothing."""
        ended = sorted(self._events("ended"), key=lambda event: float(event["t"]))
        bad = [event for event in ended if event["reason"] or event["exit_code"]]
        if bad:
            return _judged(bad[0])
        if self.all_ended:
            return Outcome("completed", "", 0, None, ended[-1]["t"])
        exit_code = returncode if returncode >= 0 else 128 - returncode
        number = exit_code - 128 if exit_code > 128 else None
        return Outcome("terminated", "exit" if number is None else "signal", exit_code, number, time.time())


def _judged(ended: Dict[str, Any]) -> Outcome:
    """A launcher's end that is not a plain success."""
    exit_code, number, reason = ended["exit_code"], ended["signal"], ended["reason"]
    if reason in ("stopped", "terminated"):
        return Outcome(reason, "exit" if number is None else "signal", exit_code, number, ended["t"])
    if reason not in LAUNCHER_REASONS:
        reason = "exit" if number is None else "signal"
    return Outcome("failed", reason, exit_code, number, ended["t"])
