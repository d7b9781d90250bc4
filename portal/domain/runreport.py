"""What happened in a run, as values: steps, runners, the first failure, and whether the run succeeded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class StepState(StrEnum):
    """What a step is doing or how it ended."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class StepReport:
    """One step in one iteration, as its last try has it. Times in epoch seconds; `seconds` is None until it has ended."""

    state: StepState = StepState.WAITING
    number: int = 0
    job: int | None = None
    group: int | None = None
    hosts: tuple[str, ...] = ()
    ready: bool = False
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""

    @property
    def seconds(self) -> float | None:
        """How long the last try ran."""
        return None if self.started is None or self.ended is None else round(self.ended - self.started, 3)

    def as_json(self) -> dict[str, Any]:
        """As an attempt's report keeps it."""
        return {
            "state": self.state.value,
            "try": self.number,
            "job": self.job,
            "group": self.group,
            "hosts": list(self.hosts),
            "ready": self.ready,
            "started": self.started,
            "ended": self.ended,
            "seconds": self.seconds,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Failure:
    """Which step died first, by its launchers' clock, and its last words."""

    step: str
    number: int
    t: float
    exit_code: int | None
    signal: int | None
    reason: str
    last_lines: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As an attempt's report keeps it."""
        return {
            "step": self.step,
            "try": self.number,
            "t": self.t,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "reason": self.reason,
            "last_lines": list(self.last_lines),
        }


@dataclass(frozen=True)
class Fault:
    """A line (from 1) of one job's events that could not be used, and why."""

    job: int
    line: int
    why: str


@dataclass(frozen=True)
class IterationEnd:
    """One pass of a general test."""

    number: int
    ok: bool
    seconds: float


@dataclass(frozen=True)
class RunnerReport:
    """What one job's runner said of itself; `ok` is None until it has ended."""

    started: float | None = None
    ended: float | None = None
    ok: bool | None = None
    stopping: str = ""
    released: tuple[int, ...] = ()


@dataclass(frozen=True)
class RunReport:
    """Everything the events of a run say. `steps` are those of the last iteration that has begun.

    `refused` are the files that had to be left out whole, each with its reason.
    """

    steps: Mapping[str, StepReport]
    runners: Mapping[int, RunnerReport]
    iterations: tuple[IterationEnd, ...] = ()
    first_failure: Failure | None = None
    faults: tuple[Fault, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def distrusted(self) -> tuple[str, ...]:
        """What of the events could not be believed, in words: whole files first, then lines."""
        return (*self.refused, *(f"events.{fault.job}.jsonl line {fault.line}: {fault.why}" for fault in self.faults))

    @property
    def said_ok(self) -> bool:
        """Whether every runner ended with ok and every step completed; Slurm's word is still needed (`succeeded`)."""
        return all(runner.ok for runner in self.runners.values()) and all(
            step.state is StepState.COMPLETED for step in self.steps.values()
        )

    @property
    def all_runners_ended(self) -> bool:
        """Whether no further event can come."""
        return all(runner.ended is not None for runner in self.runners.values())

    @property
    def stopping(self) -> str:
        """Why the run was stopped ("cancelled", "time_limit", "step_failed"), "" when it was not."""
        return next((runner.stopping for runner in self.runners.values() if runner.stopping), "")

    def as_json(self) -> dict[str, Any]:
        """As an attempt's row keeps it."""
        return {
            "steps": {step: report.as_json() for step, report in self.steps.items()},
            "first_failure": self.first_failure and self.first_failure.as_json(),
            "iterations": [{"iteration": i.number, "ok": i.ok, "seconds": i.seconds} for i in self.iterations],
            "released": {str(job): list(runner.released) for job, runner in self.runners.items()},
            "stopping": self.stopping,
            "ok": self.said_ok,
            "refused": list(self.refused),
            "faults": [{"job": fault.job, "line": fault.line, "why": fault.why} for fault in self.faults],
        }


def succeeded(report: RunReport, leaders: Iterable[tuple[str, int | None, int | None]]) -> bool:
    """Whether the run succeeded: by the events, and by Slurm for the leader of every job.

    `leaders` are (state, exit code, signal) of component 0 of each job in accounting; other components count for
    nothing, because a group that was given back is CANCELLED there.
    """
    ends = list(leaders)
    by_slurm = len(ends) == len(report.runners) and all(
        state == "COMPLETED" and not exit_code and not signal for state, exit_code, signal in ends
    )
    return by_slurm and report.said_ok
