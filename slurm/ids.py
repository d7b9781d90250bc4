"""Slurm's job and step ids as values: "123", "123+1" and "123+1.4"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_JOB = re.compile(r"(?P<leader>[1-9][0-9]*)(?:\+(?P<offset>[0-9]+))?")
_STEP = re.compile(r"(?P<job>[0-9+]+)\.(?P<step>[A-Za-z0-9]+)")


@dataclass(frozen=True, order=True)
class JobId:
    """One job: its leader's id, and its het group's offset (None for a job that is not heterogeneous)."""

    leader: int
    offset: int | None = None

    def __str__(self) -> str:
        return str(self.leader) if self.offset is None else f"{self.leader}+{self.offset}"

    @property
    def numeric(self) -> int:
        """The component's own id: Slurm numbers the components of a hetjob consecutively, the leader first."""
        return self.leader + (self.offset or 0)


def parse_job_id(text: str) -> JobId:
    """A job id as squeue and sacct print it: "27" or "27+1".

    Raises ValueError for anything else (arrays among them: a hetjob cannot be one).
    """
    match = _JOB.fullmatch(text)
    if match is None:
        raise ValueError(f"not a Slurm job id: {text!r} (examples: 123, 123+1)")
    offset = match.group("offset")
    return JobId(int(match.group("leader")), None if offset is None else int(offset))


def parse_step_id(text: str) -> tuple[JobId, str]:
    """A step id as sacct prints it: "27+1.4" -> (27+1, "4"), "27.batch" -> (27, "batch").

    Raises ValueError for anything else.
    """
    match = _STEP.fullmatch(text)
    if match is None:
        raise ValueError(f"not a Slurm step id: {text!r} (examples: 123.4, 123+1.batch)")
    return parse_job_id(match.group("job")), match.group("step")


def component_ids(leader: int, het_size: int) -> tuple[int, ...]:
    """The numeric ids of all components of a job with `het_size` groups (1 for a plain job), the leader's first."""
    return tuple(range(leader, leader + het_size))
