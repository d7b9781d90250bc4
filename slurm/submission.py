"""What is handed to Slurm: one batch script with one component a het group, every option written on every component."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNSET_DEPENDENCY = ""
MAX_COMPONENTS = 128
"""Slurm's limit of a hetjob: 129 components get no job id and error 0 "No error" (measured, 26.05.5)."""


@dataclass(frozen=True)
class Component:
    """One het group as Slurm's submit call wants it.

    `gres` is the tres_per_node text without its "gres/" ("gpu:A100:4", "shard:8") or "" for none; memory in MiB a node.
    `time_limit_min` and `dependency` are the same on every component (unequal ones leave headless jobs behind).
    """

    name: str
    account: str
    partition: str
    qos: str
    nice: int
    nodes: int
    cpus: int
    memory_mib: int
    gres: str
    constraint: str
    time_limit_min: int
    comment: str
    wckey: str
    dependency: str = UNSET_DEPENDENCY
    hold: bool = False


@dataclass(frozen=True)
class Submission:
    """One Slurm job (a hetjob when it has several components), submitted as Unix user `owner`.

    `environment` is exactly the job's environment ("PATH=/usr/bin:/bin" at least); `output` is the batch job's own
    output file, whose folder must exist (a missing one loses the output silently). Never requeued by Slurm.
    """

    owner: str
    script: str
    working_directory: str
    output: str
    environment: tuple[str, ...]
    components: tuple[Component, ...]


def dependency_ids(text: str) -> tuple[int, ...]:
    """The leader ids of "afterok:12:15" or "afterok:12,afterok:15"."""
    return tuple(int(number) for number in re.findall(r"\d+", text))
