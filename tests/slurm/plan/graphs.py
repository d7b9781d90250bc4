"""Graphs and inventories for the planner's tests: the laboratory, the specification's example, and seeded random ones."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from slurm.graph import Edge, Step, StepGraph
from slurm.inventory import NodeClass

GIB = 1024

LAB = (
    NodeClass("A100", "A100", "a100", "", 8, 0, 32, 200000, 2),
    NodeClass("V100", "tesla_v100", "v100", "", 8, 32, 32, 200000, 1),
)

EXAMPLE_STEPS = (
    Step("TASK-001/CL-REF-001", 4, 64 * GIB, "A100", 2),
    Step("TASK-001/CL-REF-002", 8, 128 * GIB, "A100", 4),
    Step("TASK-001/CL-REF-003", 2, 16 * GIB, "V100", 1),
    Step("TASK-001/CL-REF-004", 4, 64 * GIB, "A100", 2),
    Step("TASK-002/CL-REF-010", 2, 32 * GIB, "V100", 1),
)


def chain(steps: tuple[Step, ...]) -> StepGraph:
    """Every step after the one before."""
    return StepGraph(steps, tuple(Edge(a.id, b.id) for a, b in pairwise(steps)))


def example() -> StepGraph:
    """The specification's example: two tasks, one after the other, as a chain of five."""
    return chain(EXAMPLE_STEPS)


RAW_INVENTORY: list[dict[str, Any]] = [
    {"gpu_type": "A100", "gpus": 8, "cpus": 64, "memory_mib": 400000, "count": 12},
    {"gpu_type": "A100", "gpus": 2, "cpus": 16, "memory_mib": 100000, "count": 6},
    {"gpu_type": "V100", "gpus": 4, "cpus": 32, "memory_mib": 200000, "count": 12},
    {"gpu_type": None, "gpus": 0, "cpus": 48, "memory_mib": 200000, "count": 20},
]


def raw_graph(seed: int, size: int, *, together: bool = True) -> dict[str, Any]:
    """A random graph in the benchmark's format: layers, long-tailed runtimes, some services and several nodes."""
    source = random.Random(seed)
    steps: list[dict[str, Any]] = []
    for i in range(size):
        gpu_type = source.choice(["A100", "A100", "A100", "V100", None])
        gpus = source.choice([1, 1, 1, 2, 2, 4, 8 if gpu_type == "A100" else 4]) if gpu_type else 0
        steps.append(
            {
                "id": i if seed % 2 else f"step {i}",
                "runtime_s": round(source.lognormvariate(1.0, 1.5), 2) + 0.01,
                "cpus": source.randint(1, 12),
                "memory_mib": source.randint(500, 48000),
                "gpu_type": gpu_type,
                "gpu_count": gpus,
            }
        )
    ids = [step["id"] for step in steps]
    after = {
        (ids[a], ids[b])
        for b in range(1, size)
        for a in source.sample(range(max(0, b - 8), b), k=min(b, source.choice([0, 1, 1, 2, 3])))
        if a < b
    }
    graph = {"name": f"generated/{seed}", "steps": steps, "after": sorted(after, key=str), "started": []}
    return _with_parts_together(source, graph) if together else graph


def _with_parts_together(source: random.Random, graph: dict[str, Any]) -> dict[str, Any]:
    """Turn a few edges into "started" ones, half of them from services, and give a few steps several nodes."""
    forward = [tuple(edge) for edge in graph["after"]]
    by_id = {step["id"]: step for step in graph["steps"]}
    for edge in source.sample(forward, k=min(len(forward), len(by_id) // 8)):
        server, client = by_id[edge[0]], by_id[edge[1]]
        if sum(step["gpu_count"] for step in (server, client)) > 8:
            continue
        finished_after_server = [other for other in forward if other[0] == edge[0] and other != edge]
        forward.remove(edge)
        graph["started"].append(edge)
        server["service"] = source.random() < 0.5 and not finished_after_server
    for step in source.sample(graph["steps"], k=len(by_id) // 10):
        step["nodes"] = 2
    graph["after"] = forward
    return graph
