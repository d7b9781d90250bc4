"""What a played job does and when: the runner's events of a whole job, worked out from the job alone.

The same job has the same story every time, so a simulation that was stopped in the middle goes on where it was. Steps start as
the real runner starts them: when their predecessors allow it and their group has room (`slurm.inside.runner_steps.Booking`).

    for moment in story(job, speed=10.0): moment.at, moment.event, moment.data      # seconds after the job's start
    story(job, speed=10.0, cut=Cut(12.5, "cancelled"))                              # the same until it was told to end
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slurm.inside.runner_paths import Job, Step
from slurm.inside.runner_steps import Booking

LAUNCH_S = 0.5
STOP_S = 0.5
READY_S = 1.0
STEP_S = (30.0, 90.0)
"""How long a step would take at speed 1, from the shortest to the longest."""
TEST_SHARE = 0.2
"""A test run takes this part of that."""
TALKS = 20
"""How often a step says something while it runs."""
FAILS_AFTER = 0.6
EXIT_CODE = 1
BEHAVIOUR = "simulate"
"""The component parameter that makes a played step misbehave: "fail" (exit code 1) or "fall" (its rewards fall)."""
STOPPED = "stopped_after_failure"


@dataclass(frozen=True)
class Cut:
    """The runner was signalled `at` seconds after the job's start, because of "cancelled" or "time_limit"."""

    at: float
    reason: str


@dataclass(frozen=True)
class Moment:
    """One event of the runner (docs/architecture.md, "Events") without its hosts; or "talk": a step that runs says something."""

    at: float
    event: str
    data: Mapping[str, Any]


def story(job: Job, *, speed: float, cut: Cut | None = None) -> tuple[Moment, ...]:
    """The whole job, in order of time; the last moment is `runner_ended`."""
    told = _Story(job, speed, cut)
    told.tell("runner_started", het_size=job["het_size"])
    good = 0
    for iteration in range(1, job["iterations"] + 1):
        began = told.now
        ok = _Pass(told, iteration).run()
        good += ok
        if job["iterations"] > 1:
            told.tell("iteration_ended", iteration=iteration, ok=ok, seconds=round(told.now - began, 3))
        if told.is_cut:
            break
    told.now += LAUNCH_S
    failure = min(told.failures, key=lambda found: float(found["t"]), default=None)
    told.tell("runner_ended", ok=good == job["iterations"], first_failure=failure)
    return tuple(sorted(told.moments, key=lambda moment: moment.at))


def behaviour(step: Step) -> str:
    """How a played step is asked to misbehave, "" for not at all."""
    return str(step["params"].get(BEHAVIOUR, ""))


@dataclass
class _Story:
    """What all passes of one job have in common."""

    job: Job
    speed: float
    cut: Cut | None
    now: float = 0.0
    is_cut: bool = False
    moments: list[Moment] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, event: str, **data: Any) -> None:
        self.moments.append(Moment(self.now, event, data))

    def tell_later(self, at: float, event: str, **data: Any) -> None:
        self.moments.append(Moment(at, event, data))

    def seconds_of(self, step: Step, number: int) -> float:
        """How long a try takes; the seed is the step's name in this workload."""
        dice = random.Random(f"{self.job['workload']} {step['id']} {number}")
        share = TEST_SHARE if self.job["is_test"] else 1.0
        return dice.uniform(*STEP_S) * share / self.speed


@dataclass
class _Part:
    """One step in one pass. `until` is None for a service, which runs as long as it is needed."""

    step: Step
    number: int = 0
    began: float | None = None
    until: float | None = None
    ready_at: float | None = None
    result: str = ""

    @property
    def id(self) -> str:
        return str(self.step["id"])

    @property
    def runs(self) -> bool:
        return self.began is not None and not self.result


class _Pass:
    """One pass through the graph, from moment to moment."""

    def __init__(self, told: _Story, iteration: int) -> None:
        self._told = told
        self._iteration = iteration
        self._parts = {step["id"]: _Part(step) for step in told.job["steps"]}
        self._booking = Booking(told.job["groups"])
        self._released: set[int] = set()
        self._stopping = False

    def run(self) -> bool:
        """Play until every step has a result; True when all completed."""
        told = self._told
        while not all(part.result for part in self._parts.values()):
            self._start()
            dues = [when for part in self._parts.values() for when in self._dues(part)]
            due = min(dues, default=told.now)
            if told.cut is not None and not told.is_cut and due > told.cut.at:
                told.now, told.is_cut = max(told.now, told.cut.at), True
                self._stop(told.cut.reason)
                continue
            told.now = max(told.now, due)
            ended = self._ended()
            self._settle()
            if not dues and self._ended() == ended:
                self._refuse_the_first_that_waits()
        return all(part.result == "completed" for part in self._parts.values())

    def _dues(self, part: _Part) -> list[float]:
        """When something happens to a running part."""
        if not part.runs:
            return []
        ready = [] if part.ready_at is None or part.ready_at <= self._told.now else [part.ready_at]
        return ready if part.until is None else [*ready, part.until]

    def _start(self) -> None:
        for part in self._parts.values():
            waits = part.began is None and not part.result
            if waits and not self._stopping and self._may_start(part) and self._booking.fits(part.step):
                self._booking.take(part.step)
                self._begin(part)

    def _may_start(self, part: _Part) -> bool:
        return all(self._lets_start(self._parts[edge["step"]], edge["when"]) for edge in part.step["after"])

    def _lets_start(self, before: _Part, when: str) -> bool:
        if when == "finished" or before.result:
            return before.result == "completed"
        if when == "begun":
            return before.began is not None
        return before.began is not None and (before.ready_at is None or before.ready_at <= self._told.now)

    def _begin(self, part: _Part) -> None:
        told, step = self._told, part.step
        part.number += 1
        part.began = told.now
        told.tell("step_started", **self._key(part), group=step["group"])
        if step["ready"]:
            part.ready_at = told.now + READY_S / told.speed
            told.tell_later(part.ready_at, "step_ready", **self._key(part))
        seconds = told.seconds_of(step, part.number)
        fails = behaviour(step) == "fail"
        part.until = None if step["service"] and not fails else told.now + seconds * (FAILS_AFTER if fails else 1.0)
        for talk in range(1, TALKS):
            told.tell_later(told.now + seconds * talk / TALKS, "talk", **self._key(part), talk=talk)

    def _settle(self) -> None:
        """End what is due now, then the services that nobody needs any more."""
        for part in self._parts.values():
            if part.runs and part.until is not None and part.until <= self._told.now:
                self._finish(part)
        for part in self._parts.values():
            if part.runs and part.step["service"] and all(other.result for other in self._served(part)):
                self._end(part, "completed", "", 0)
        if self._iteration == self._told.job["iterations"] and not self._stopping:
            self._release_groups()

    def _served(self, service: _Part) -> list[_Part]:
        """Whom a service is for: those that run beside it, or every part that is no service."""
        edges = [(other, edge) for other in self._parts.values() for edge in other.step["after"]]
        clients = [other for other, edge in edges if edge["step"] == service.id and edge["when"] == "started"]
        return clients or [part for part in self._parts.values() if not part.step["service"]]

    def _ended(self) -> set[str]:
        return {part.id for part in self._parts.values() if part.result}

    def _refuse_the_first_that_waits(self) -> None:
        """Only services are left running, and none of the rest can start: the real runner calls it a launch failure."""
        part = next(part for part in self._parts.values() if part.began is None and not part.result)
        self._end(part, "launch_failure", "launch", None)
        self._fail(part, None, "launch")

    def _fail(self, part: _Part, exit_code: int | None, reason: str) -> None:
        where = {**self._key(part), "t": self._told.now}
        self._told.failures.append({**where, "exit_code": exit_code, "signal": None, "reason": reason})
        self._stop(STOPPED)

    def _finish(self, part: _Part) -> None:
        if behaviour(part.step) != "fail":
            self._end(part, "completed", "", 0)
            return
        self._end(part, "failed", "exit", EXIT_CODE)
        if part.number <= part.step["retries"]:
            part.began, part.result = None, ""
            return
        self._fail(part, EXIT_CODE, "exit")

    def _stop(self, word: str) -> None:
        """Stop what runs, skip what waits."""
        self._stopping = True
        self._told.tell("stopping", reason="step_failed" if word == STOPPED else word)
        behind = self._behind({part.id for part in self._parts.values() if part.result in ("failed", "launch_failure")})
        for part in self._parts.values():
            if part.began is None and not part.result:
                reason = "dependency_failed" if part.id in behind else word
                self._end(part, "stopped" if part.number else "skipped", reason, None)
        self._told.now += STOP_S
        for part in self._parts.values():
            if part.runs:
                self._end(part, "stopped", word, None)

    def _behind(self, ids: set[str]) -> set[str]:
        """Every step that waits, directly or not, for one of these."""
        found: set[str] = set()
        frontier = set(ids)
        while frontier:
            edges = [(part.id, edge) for part in self._parts.values() for edge in part.step["after"]]
            frontier = {name for name, edge in edges if edge["step"] in frontier and edge["when"] != "begun"} - found
            found |= frontier
        return found

    def _end(self, part: _Part, result: str, reason: str, exit_code: int | None) -> None:
        told = self._told
        if part.began is not None:
            self._booking.give_back(part.step)
        part.result = result
        # What it would have said later, it does not say any more.
        told.moments = [moment for moment in told.moments if not self._is_later(moment, part)]
        told.tell("step_ended", **self._key(part), result=result, reason=reason, exit_code=exit_code, signal=None)

    def _is_later(self, moment: Moment, part: _Part) -> bool:
        return moment.at > self._told.now and (moment.data.get("step"), moment.data.get("iteration")) == (
            part.id,
            self._iteration,
        )

    def _key(self, part: _Part) -> dict[str, Any]:
        return {"step": part.id, "try": part.number, "iteration": self._iteration}

    def _release_groups(self) -> None:
        """Give back what is done while another group has work; group 0 stays to the end, as in the real runner."""
        busy = {part.step["group"] for part in self._parts.values() if not part.result}
        for index, group in enumerate(self._told.job["groups"]):
            done = bool(group["released_after"]) and self._ended().issuperset(group["released_after"])
            if index and done and busy and index not in busy and index not in self._released:
                self._released.add(index)
                self._told.tell("group_released", group=index)
