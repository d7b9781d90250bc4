"""From the event lines that runners wrote to a RunReport.

Strict: a line that is malformed or contradicts an earlier one is left out, counted and named (`RunReport.faults`);
nothing is guessed from it. The lines are described in docs/architecture.md, "Events".

    report = read_run([["TASK-001/A"]], {0: lines})      # lines: parsed JSON objects, {} for a line that was none
    report.steps["TASK-001/A"].state, report.first_failure, report.faults, report.as_json()
    succeeded(report, [("COMPLETED", 0, 0)])             # with Slurm's word for component 0 of every job
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from portal.domain.runreport import (
    Failure,
    Fault,
    IterationEnd,
    RunnerReport,
    RunReport,
    StepReport,
    StepState,
    succeeded,
)

__all__ = ["Line", "StepState", "read_run", "succeeded"]
Line = Mapping[str, Any]

_RESULTS = {
    "completed": StepState.COMPLETED,
    "failed": StepState.FAILED,
    "stopped": StepState.CANCELLED,
    "skipped": StepState.SKIPPED,
    "launch_failure": StepState.FAILED,
}
_NEEDS_A_START = frozenset({"completed", "failed"})
_STOPPING = frozenset({"cancelled", "time_limit", "step_failed"})
MAX_FAULTS = 50
"""Unusable lines of one job that a report names; what is beyond is counted."""
_LAST_LINES, _TEXT_CHARS, _MAX_HOSTS = 50, 2000, 1024
_MAX_INTEGER = 2**31 - 1
_MAX_TIME = 2**33
"""Epoch seconds of the year 2242: clocks of nodes may be wrong, but a time must stay one for every program that reads it."""


def read_run(
    steps: Sequence[Collection[str]],
    events: Mapping[int, Iterable[Line]],
    *,
    no_later_than: float = _MAX_TIME,
    refused: Sequence[str] = (),
) -> RunReport:
    """What the events of a run say.

    `steps[i]` are the step ids of job i; `events[i]` the parsed lines of its runner, in order (absent: none yet). A line
    that was no JSON is given as an empty mapping, so that it is counted. A line from after `no_later_than` (epoch
    seconds) cannot be used. `refused` are the files that could not be read at all.
    """
    readers = [_Reader(job, ids, no_later_than) for job, ids in enumerate(steps)]
    for reader in readers:
        reader.read(events.get(reader.job, ()))
    failures = [reader.failure for reader in readers if reader.failure is not None]
    return RunReport(
        steps={step: report for reader in readers for step, report in reader.latest().items()},
        runners={reader.job: reader.runner() for reader in readers},
        iterations=tuple(end for reader in readers for end in reader.iterations),
        first_failure=min(failures, key=lambda failure: failure.t, default=None),
        faults=tuple(fault for reader in readers for fault in reader.faults),
        refused=tuple(refused),
    )


class _Unusable(ValueError):
    """This line cannot be used; the text says why."""


@dataclass
class _Reader:
    """The events of one job, line by line."""

    job: int
    ids: Collection[str]
    no_later_than: float
    steps: dict[tuple[int, str], StepReport] = field(default_factory=dict)
    iterations: list[IterationEnd] = field(default_factory=list)
    failure: Failure | None = None
    faults: list[Fault] = field(default_factory=list)
    unusable: int = 0
    started: float | None = None
    ended: float | None = None
    ok: bool | None = None
    stopping: str = ""
    released: list[int] = field(default_factory=list)

    def read(self, lines: Iterable[Line]) -> None:
        """Take every line that can be used."""
        handlers = {
            "runner_started": self._runner_started,
            "step_started": self._step_started,
            "step_ready": self._step_ready,
            "step_ended": self._step_ended,
            "iteration_ended": self._iteration_ended,
            "group_released": self._group_released,
            "stopping": self._stopping,
            "runner_ended": self._runner_ended,
        }
        for number, line in enumerate(lines, 1):
            try:
                name = line.get("event") if isinstance(line, Mapping) else None
                handler = handlers.get(name) if isinstance(name, str) else None
                if handler is None:
                    raise _Unusable("not an event line" if name is None else f"unknown event {name!r:.80}")
                if self.ended is not None:
                    raise _Unusable(f"{name} after runner_ended")
                if self.started is None and name != "runner_started":
                    raise _Unusable(f"{name} before runner_started")
                handler(line, self._time(line))
            except _Unusable as exc:
                self._fault(number, str(exc))

    def _time(self, line: Line) -> float:
        t = _number(line, "t")
        if t > self.no_later_than:
            raise _Unusable(f"t is {t - self.no_later_than:.0f} s too far in the future")
        return t

    def _fault(self, number: int, why: str) -> None:
        self.unusable += 1
        if self.unusable <= MAX_FAULTS:
            self.faults.append(Fault(self.job, number, why))
        else:
            more = f"the last of {self.unusable - MAX_FAULTS} more that cannot be used: {why}"
            self.faults[MAX_FAULTS:] = [Fault(self.job, number, more)]

    def latest(self) -> dict[str, StepReport]:
        """The job's steps in the last iteration that any of them has begun."""
        last = max((iteration for iteration, _ in self.steps), default=1)
        return {step: self.steps.get((last, step), StepReport(job=self.job)) for step in self.ids}

    def runner(self) -> RunnerReport:
        """The runner's own story."""
        return RunnerReport(self.started, self.ended, self.ok, self.stopping, tuple(self.released))

    def _runner_started(self, line: Line, t: float) -> None:
        if self.started is not None:
            raise _Unusable("runner_started twice")
        self.started = t

    def _step_started(self, line: Line, t: float) -> None:
        key, number, before = self._step(line)
        if number <= before.number:
            raise _Unusable(f"{key[1]} started try {number} after try {before.number}")
        if before.state not in (StepState.WAITING, StepState.FAILED):
            raise _Unusable(f"{key[1]} started while {before.state}")
        hosts = line.get("hosts")
        if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
            raise _Unusable("hosts is not a list of names")
        group = _integer(line, "group")
        names = tuple(_plain(host) for host in hosts[:_MAX_HOSTS])
        self.steps[key] = StepReport(StepState.RUNNING, number, self.job, group, names, started=t)

    def _step_ready(self, line: Line, t: float) -> None:
        key, _, before = self._step(line, needs_try=False)
        if before.state is not StepState.RUNNING:
            raise _Unusable(f"{key[1]} ready while {before.state}")
        self.steps[key] = replace(before, ready=True)

    def _step_ended(self, line: Line, t: float) -> None:
        key, number, before = self._step(line)
        result = line.get("result")
        if not isinstance(result, str) or result not in _RESULTS:
            raise _Unusable(f"unknown result {result!r:.80}")
        running = before.state is StepState.RUNNING
        again = before.state is StepState.FAILED and number > before.number
        if not running and not again and before.state is not StepState.WAITING:
            raise _Unusable(f"{key[1]} ended twice")
        if running and number != before.number:
            raise _Unusable(f"{key[1]} ended try {number} while try {before.number} runs")
        if not running and result in _NEEDS_A_START:
            raise _Unusable(f"{key[1]} {result} without a start")
        if running and before.started is not None and t < before.started:
            raise _Unusable(f"{key[1]} ended before it started")
        self.steps[key] = replace(
            before if running else StepReport(job=self.job),
            state=_RESULTS[result],
            number=number,
            ended=t,
            reason=_text(line, "reason"),
            exit_code=_maybe_integer(line, "exit_code"),
            signal=_maybe_integer(line, "signal"),
        )

    def _iteration_ended(self, line: Line, t: float) -> None:
        number = _integer(line, "iteration")
        if number != len(self.iterations) + 1:
            raise _Unusable(f"iteration {number} ended after {len(self.iterations)}")
        self.iterations.append(IterationEnd(number, _boolean(line, "ok"), _number(line, "seconds")))

    def _group_released(self, line: Line, t: float) -> None:
        group = _integer(line, "group")
        if group in self.released:
            raise _Unusable(f"group {group} released twice")
        self.released.append(group)

    def _stopping(self, line: Line, t: float) -> None:
        reason = _text(line, "reason")
        if reason not in _STOPPING:
            raise _Unusable(f"unknown reason to stop {reason!r:.80}")
        self.stopping = reason

    def _runner_ended(self, line: Line, t: float) -> None:
        ok, failure = _boolean(line, "ok"), line.get("first_failure")
        self.failure = None if failure is None else self._failure(failure)
        if ok and self.failure is not None:
            raise _Unusable("runner_ended with ok and a failure")
        self.ok, self.ended = ok, t

    def _failure(self, value: Any) -> Failure:
        if not isinstance(value, Mapping) or value.get("step") not in self.ids:
            raise _Unusable("first_failure names no step of this job")
        lines = value.get("last_lines")
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise _Unusable("last_lines is not a list of texts")
        return Failure(
            step=str(value["step"]),
            number=_integer(value, "try"),
            t=_number(value, "t"),
            exit_code=_maybe_integer(value, "exit_code"),
            signal=_maybe_integer(value, "signal"),
            reason=_text(value, "reason"),
            last_lines=tuple(_plain(text) for text in lines[-_LAST_LINES:]),
        )

    def _step(self, line: Line, *, needs_try: bool = True) -> tuple[tuple[int, str], int, StepReport]:
        step = line.get("step")
        if not isinstance(step, str) or step not in self.ids:
            raise _Unusable(f"unknown step {step!r:.80}")
        key = (_integer(line, "iteration"), step)
        return key, _integer(line, "try") if needs_try else 0, self.steps.get(key, StepReport(job=self.job))


def _number(line: Line, name: str) -> float:
    """Seconds: of the clock or how long something took."""
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
        raise _Unusable(f"{name} is not a number")
    if not 0 <= value <= _MAX_TIME:
        raise _Unusable(f"{name} is not a time")
    return float(value)


def _is_finite(value: float) -> bool:
    """An integer always is, and math.isfinite has no answer to one of 400 digits."""
    return isinstance(value, int) or math.isfinite(value)


def _integer(line: Line, name: str) -> int:
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_INTEGER:
        raise _Unusable(f"{name} is not a whole number")
    return value


def _maybe_integer(line: Line, name: str) -> int | None:
    return None if line.get(name) is None else _integer(line, name)


def _boolean(line: Line, name: str) -> bool:
    value = line.get(name)
    if not isinstance(value, bool):
        raise _Unusable(f"{name} is not true or false")
    return value


def _text(line: Line, name: str) -> str:
    value = line.get(name)
    if not isinstance(value, str):
        raise _Unusable(f"{name} is not a text")
    return _plain(value)


def _plain(text: str) -> str:
    """Text that every database and page can take: NUL and lone surrogates are shown as such, what is too long is cut."""
    short = text[:_TEXT_CHARS].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return short.encode("utf-8", "replace").decode()
