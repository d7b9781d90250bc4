"""Every error of the package, one base: what failed is data (ids, codes, problems), never only prose.

SlurmError
├── PlanError            no plan exists; `problems` name the step, the resource and the largest node
├── SlurmUnreachable     slurmctld, slurmrestd or the agent did not answer: nothing is known
├── SlurmRefused         Slurm or the agent answered no; `code` is Slurm's own error number where there is one
│   └── NotPermitted     the agent's own configuration forbids it (uid, group, partition, account, QOS, foreign job)
└── ProtocolError        an answer that does not have the documented shape
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SlurmError(Exception):
    """Base of all errors of this package."""


@dataclass(frozen=True)
class PlanProblem:
    """One reason why a step can never run: `step` asks `asked` of `resource`, the largest node has `largest`."""

    step: str
    resource: str
    asked: str
    largest: str
    message_en: str
    message_ko: str


class PlanError(SlurmError):
    """No plan exists for this graph on this inventory."""

    def __init__(self, problems: Sequence[PlanProblem]) -> None:
        super().__init__("; ".join(problem.message_en for problem in problems))
        self.problems = tuple(problems)


class SlurmUnreachable(SlurmError):
    """Nobody answered within the timeout; the state of every job is unknown, not failed."""


class SlurmRefused(SlurmError):
    """Slurm said no.

    `code` is Slurm's error number (for example 2050, a QOS limit), None where there is none.
    """

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotPermitted(SlurmRefused):
    """The agent's root-owned configuration forbids the call."""


class ProtocolError(SlurmError):
    """An answer without the documented shape."""
