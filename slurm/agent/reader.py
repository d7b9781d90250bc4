"""Reading Slurm: what every road can do, and the one through slurmrestd."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from slurm import states
from slurm.agent.interest import of_interest
from slurm.agent.restcalls import SlurmRest
from slurm.records import JobRecord, Snapshot


class Reader(Protocol):
    """What both roads can do."""

    name: str

    def snapshot(self) -> Snapshot:
        """Nodes, partitions and the jobs of interest (`interest.py`), of one moment."""

    def jobs(self) -> tuple[JobRecord, ...]:
        """All components that slurmctld lists."""

    def note(self, controller: str) -> str:
        """What to say of this road with a controller of that Slurm version, "" for nothing."""


class RestReader:
    """Reads through slurmrestd; of partitions the given ones, all where None."""

    name = "rest"

    def __init__(self, calls: SlurmRest, partitions: frozenset[str] | None = None) -> None:
        self._calls = calls
        self._partitions = partitions

    def snapshot(self) -> Snapshot:
        """Three calls; `at` is when the first was made."""
        at = time.time()
        nodes, partitions = self._calls.nodes(), self._calls.partitions()
        if self._partitions is not None:
            partitions = tuple(one for one in partitions if one.name in self._partitions)
        jobs = of_interest(
            self._calls.jobs(),
            name=lambda job: job.name,
            waits=lambda job: job.state == states.PENDING,
            priority=lambda job: job.priority,
        )
        return Snapshot(at, nodes, partitions, tuple(jobs))

    def jobs(self) -> tuple[JobRecord, ...]:
        """One call."""
        return self._calls.jobs()

    def note(self, controller: str) -> str:
        """Nothing: any Slurm that speaks one of our REST versions will do."""
        return ""


@dataclass(frozen=True)
class Road:
    """The reader in use and why this one, in plain English."""

    reader: Reader
    reason: str
