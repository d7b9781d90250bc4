"""The agent's two roads for reading Slurm: PySlurm where it is installed, slurmrestd otherwise."""

from __future__ import annotations

import importlib.util
import os
import time
from dataclasses import dataclass
from typing import Protocol

from slurm import states
from slurm.agent.config import AgentConfig, ConfigError
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
    """Reads through slurmrestd."""

    name = "rest"

    def __init__(self, calls: SlurmRest) -> None:
        self._calls = calls

    def snapshot(self) -> Snapshot:
        """Three calls; `at` is when the first was made."""
        at = time.time()
        nodes, partitions = self._calls.nodes(), self._calls.partitions()
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


def choose_road(config: AgentConfig, calls: SlurmRest) -> Road:
    """The road that the configuration asks for, or the best there is. Raises ConfigError when it asks in vain."""
    obstacle = "road = rest in the configuration" if config.road == "rest" else native_obstacle(config)
    if not obstacle:
        from slurm.agent.native import NativeReader

        chosen = "road = native in the configuration" if config.road == "native" else "PySlurm is installed"
        return Road(NativeReader(calls), chosen)
    if config.road == "native":
        raise ConfigError(f"road = native, but {obstacle}")
    return Road(RestReader(calls), obstacle)


def native_obstacle(config: AgentConfig) -> str:
    """Why PySlurm cannot be used, "" for nothing. Asked before the import: without slurm.conf that ends the process."""
    if not os.access(config.slurm_conf, os.R_OK):
        return f"{config.slurm_conf} cannot be read"
    if importlib.util.find_spec("pyslurm") is None:
        return "PySlurm is not installed"
    return ""
