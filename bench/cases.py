"""Reads benchmark graphs and inventories into what the planner takes; runtimes stay beside, for the simulation only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slurm.graph import Edge, Step, StepGraph
from slurm.inventory import NodeClass

StepId = str | int
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Case:
    """One line of a graphs file. `ids[i]` is the id of step i as the file has it; the planner knows it as text."""

    name: str
    graph: StepGraph
    ids: tuple[StepId, ...]
    runtimes_s: tuple[float, ...]


def read_cases(path: Path) -> Iterator[Case]:
    """One case a line: {"name", "steps": [...], "after": [[from, to]], optionally "started": [[from, to]]}."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield case_of(json.loads(line))


def case_of(raw: Mapping[str, Any]) -> Case:
    """A case from its JSON. Raises KeyError for a missing field, ValueError for an impossible graph."""
    ids = tuple(step["id"] for step in raw["steps"])
    steps = tuple(_step(str(step["id"]), step) for step in raw["steps"])
    finished = [Edge(str(a), str(b)) for a, b in raw.get("after", [])]
    started = [Edge(str(a), str(b), "started") for a, b in raw.get("started", [])]
    runtimes = tuple(float(step["runtime_s"]) for step in raw["steps"])
    return Case(str(raw["name"]), StepGraph(steps, (*finished, *started)), ids, runtimes)


def _step(name: str, raw: Mapping[str, Any]) -> Step:
    gpus = int(raw.get("gpu_count") or 0)
    return Step(
        id=name,
        cpus=int(raw["cpus"]),
        memory_mib=int(raw["memory_mib"]),
        gpu_type=raw.get("gpu_type") if gpus else None,
        gpus=gpus,
        nodes=int(raw.get("nodes", 1)),
        service=bool(raw.get("service", False)),
    )


def read_inventory(path: Path) -> tuple[NodeClass, ...]:
    """Node classes from [{"gpu_type", "gpus", "cpus", "memory_mib", "count"}]."""
    return inventory_of(json.loads(path.read_text(encoding="utf-8")))


def inventory_of(raw: Sequence[Mapping[str, Any]]) -> tuple[NodeClass, ...]:
    """Node classes from their JSON; Slurm's type and the partition default to the GPU type ("cpu" without one)."""
    return tuple(
        NodeClass(
            label=one["gpu_type"],
            gres_type=one.get("gres_type", one["gpu_type"]),
            partition=one.get("partition", one["gpu_type"] or "cpu"),
            constraint=one.get("constraint", ""),
            gpus=int(one["gpus"]),
            shards=0,
            cpus=int(one["cpus"]),
            memory_mib=int(one["memory_mib"]),
            count=int(one["count"]),
        )
        for one in raw
    )
