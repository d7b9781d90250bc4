"""Plays what happens inside the allocations: every started job gets a fate, writes its events and ends in its own time."""

from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from portal.services.planning import plan_of
from slurm.fake.cluster import FakeCluster, FakeJob
from slurm.states import RUNNING

Key = tuple[str, int, int]
RISING = [10.0, 12.0, 15.0, 14.0, 20.0, 25.0, 26.0, 30.0, 33.0, 40.0]


class Fate(StrEnum):
    """How a job's batch script ends when nothing comes between."""

    GOOD = "good"
    GOOD_WITHOUT_MODEL = "good without model"
    STEP_FAILS = "step fails"
    SILENT_ZERO = "exits 0 without a word"
    SILENT_ONE = "exits 1 without a word"
    NONSENSE = "exits 0 with broken events"
    SAYS_OK_EXITS_ONE = "says ok but exits 1"
    HANGS = "runs into its time limit"
    DEAF = "runs into its time limit and hears no signal"


GOOD = frozenset({Fate.GOOD, Fate.GOOD_WITHOUT_MODEL})
NEVER_ENDS = frozenset({Fate.HANGS, Fate.DEAF})
WEIGHTS = {Fate.GOOD: 60, Fate.GOOD_WITHOUT_MODEL: 4, Fate.STEP_FAILS: 10, Fate.HANGS: 5, Fate.DEAF: 3}


def key_of(job: FakeJob) -> Key:
    """(workload, attempt, job index) from the comment `one:W-ABC234:a1:j0:0123456789abcdef`."""
    _, workload, attempt, index, _ = job.comment.split(":")
    return workload, int(attempt[1:]), int(index[1:])


@dataclass
class Runners:
    """The runners of all jobs of a cluster. `truth` is how a job's script really ended, for those that did by themselves."""

    cluster: FakeCluster
    database: Path
    rng: random.Random
    good_only: bool = False
    fates: dict[int, Fate] = field(default_factory=dict)
    ends: dict[int, float] = field(default_factory=dict)
    truth: dict[Key, Fate] = field(default_factory=dict)
    models: dict[Key, dict[str, bytes]] = field(default_factory=dict)
    stopped: set[Key] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.cluster.on_start = self._on_start
        self.cluster.on_signal = self._on_signal

    def advance(self, seconds: float) -> None:
        """Turn Slurm's clock; scripts end on their way."""
        until = self.cluster.now + seconds
        while True:
            due = min(((at, leader) for leader, at in self.ends.items() if at <= until), default=None)
            if due is None:
                break
            self.cluster.advance(max(0.0, due[0] - self.cluster.now))
            if self.ends.pop(due[1], None) is not None:
                self._end(self.cluster.jobs[due[1]])
        self.cluster.advance(max(0.0, until - self.cluster.now))

    def _on_start(self, leader: FakeJob) -> None:
        others = [fate for fate in Fate if fate not in WEIGHTS]
        weights = [*WEIGHTS.values(), *(3 for _ in others)]
        (fate,) = self.rng.choices([*WEIGHTS, *others], weights)
        fate = Fate.GOOD if self.good_only else fate
        self.fates[leader.job_id] = fate
        if fate not in NEVER_ENDS:
            self.ends[leader.job_id] = self.cluster.now + self.rng.choice([1, 20, 90, 250])
        _Story(self, leader).begin()

    def _on_signal(self, leader: FakeJob, signal: str) -> None:
        """The runner stops its steps and ends non-zero; a deaf one goes on."""
        if self.fates.get(leader.job_id) is Fate.DEAF or leader.state != RUNNING:
            return
        self.ends.pop(leader.job_id, None)
        self.stopped.add(key_of(leader))
        _Story(self, leader).stopped("cancelled" if signal == "USR1" else "time_limit")
        self.cluster.end_after(leader.job_id, 1.0, exit_code=1)

    def _end(self, leader: FakeJob) -> None:
        if leader.state != RUNNING:
            return
        fate = self.fates[leader.job_id]
        key = key_of(leader)
        self.truth[key] = fate
        self.models[key] = _Story(self, leader).end(fate)
        code = 1 if fate in (Fate.STEP_FAILS, Fate.SILENT_ONE, Fate.SAYS_OK_EXITS_ONE) else 0
        self.cluster.end(leader.job_id, code)


class _Story:
    """The files of one job, written as its runner would."""

    def __init__(self, runners: Runners, leader: FakeJob) -> None:
        workload, attempt, self.index = key_of(leader)
        self.mark = f"{workload} a{attempt} j{self.index}"
        with sqlite3.connect(runners.database) as rows:
            query = (
                "SELECT a.run_dir, a.plan, w.options, w.kind FROM attempts a JOIN workloads w ON w.id = a.workload_id"
                " WHERE w.id = ? AND a.number = ?"
            )
            run_dir, plan, options, kind = rows.execute(query, (workload, attempt)).fetchone()
        rows.close()
        self.folder = Path(run_dir)
        self.iterations = json.loads(options).get("iterations", 1)
        self.is_test = kind == "test"
        groups = plan_of(json.loads(plan)).jobs[self.index].groups
        self.size = len(groups)
        self.steps = [step for group in groups for step in group.steps]
        self.path = self.folder / f"events.{self.index}.jsonl"
        self.rising = runners.rng.random() < 0.8

    def begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write({"event": "runner_started", "het_size": self.size, "host": "gpu1"})
        self._write({"event": "step_started", "step": self.steps[0], "try": 1, "iteration": 1, **self._place()})

    def stopped(self, reason: str) -> None:
        self._write({"event": "stopping", "reason": reason})
        self._step_ended(self.steps[0], 1, "stopped", None, "cancelled" if reason == "cancelled" else "time_limit")
        self._write({"event": "runner_ended", "ok": False, "first_failure": None})

    def end(self, fate: Fate) -> dict[str, bytes]:
        """Events of that end; the model's files by path."""
        if fate in (Fate.SILENT_ZERO, Fate.SILENT_ONE):
            return {}
        if fate is Fate.NONSENSE:
            self.path.write_bytes(b"\xff\xfe{]\n{}\n[1]\n")
            return {}
        fails = self.steps[-1] if fate is Fate.STEP_FAILS else ""
        for iteration in range(1, self.iterations + 1):
            for step in self.steps:
                self._run_step(step, iteration, step == fails)
            ends = {"iteration": iteration, "ok": not fails, "seconds": 0.3}
            self._write({"event": "iteration_ended", **ends})
        first = {"step": fails, "try": 1, "t": 1.0, "exit_code": 9, "signal": None, "reason": "exit"}
        failure = {**first, "last_lines": ["boom"]} if fails else None
        self._write({"event": "runner_ended", "ok": not fails, "first_failure": failure})
        return self._model() if fate is Fate.GOOD else {}

    def _run_step(self, step: str, iteration: int, fails: bool) -> None:
        if (step, iteration) != (self.steps[0], 1):
            self._write({"event": "step_started", "step": step, "try": 1, "iteration": iteration, **self._place()})
        folder = self.folder / "steps" / step / "t1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stdout.log").write_text(f"{step} says 안녕\n")
        used = ({"t": at, "cpu_s": at, "rss_mib": 300.0, "gpus": None} for at in (0.0, 10.0))
        (folder / "usage.0.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in used))
        if self.is_test and step == self.steps[-1] and iteration == 1:
            rewards = RISING if self.rising else RISING[::-1]
            points = [{"episode": number, "reward": reward} for number, reward in enumerate(rewards, 1)]
            (folder.parent / "metrics.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
        self._step_ended(
            step, iteration, "failed" if fails else "completed", 9 if fails else 0, "exit" if fails else ""
        )

    def _step_ended(self, step: str, iteration: int, result: str, exit_code: int | None, reason: str) -> None:
        ends: dict[str, Any] = {"result": result, "exit_code": exit_code, "signal": None, "reason": reason}
        self._write({"event": "step_ended", "step": step, "try": 1, "iteration": iteration, **ends})

    def _model(self) -> dict[str, bytes]:
        folder = self.folder / "model"
        folder.mkdir(exist_ok=True)
        name, data = f"weights-{self.index}.safetensors", self.mark.encode()
        (folder / name).write_bytes(data)
        return {name: data}

    def _place(self) -> dict[str, Any]:
        return {"group": 0, "hosts": ["gpu1"]}

    def _write(self, line: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"t": 1.0, **line}) + "\n")
