"""Steps with demands and the edges between them: what a plan is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

When = Literal["finished", "started"]


@dataclass(frozen=True)
class Step:
    """One component as Slurm will run it; demands are per node.

    `cpus` >= 1, `memory_mib` >= 1, `nodes` >= 1. `gpu_type` is the label shown to people, None for a step without GPU.
    A step asks for whole GPUs (`gpus`) or for shares of one GPU (`shards`), never both. A `service` runs until every
    step that has a "started" edge from it has ended.
    """

    id: str
    cpus: int
    memory_mib: int
    gpu_type: str | None = None
    gpus: int = 0
    shards: int = 0
    nodes: int = 1
    service: bool = False


@dataclass(frozen=True)
class Edge:
    """`after` starts when `before` has ended well ("finished") or as soon as it runs and is ready ("started")."""

    before: str
    after: str
    when: When = "finished"


@dataclass(frozen=True)
class StepGraph:
    """Steps and edges. Raises ValueError naming every duplicate id, impossible demand and edge to an unknown step."""

    steps: tuple[Step, ...]
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        problems = [*_step_problems(self.steps), *_edge_problems(self.steps, self.edges)]
        if problems:
            raise ValueError("; ".join(problems))


def _step_problems(steps: Iterable[Step]) -> Iterator[str]:
    counts = Counter(step.id for step in steps)
    if not counts:
        yield "there are no steps"
    yield from (f"step {name!r} occurs {count} times" for name, count in counts.items() if count > 1)
    for step in steps:
        if min(step.cpus, step.memory_mib, step.nodes) < 1 or min(step.gpus, step.shards) < 0:
            yield f"step {step.id!r} asks for less than one CPU, MiB or node"
        if step.gpus and step.shards:
            yield f"step {step.id!r} asks for whole GPUs and for shares of one"
        if (step.gpu_type is None) != (step.gpus == step.shards == 0):
            yield f"step {step.id!r} must name a GPU type and a number of GPUs or shares, or neither"


def _edge_problems(steps: Iterable[Step], edges: Iterable[Edge]) -> Iterator[str]:
    known = {step.id for step in steps}
    for edge in edges:
        if edge.before == edge.after:
            yield f"step {edge.before!r} waits for itself"
        yield from (
            f"an edge names the unknown step {name!r}" for name in (edge.before, edge.after) if name not in known
        )
