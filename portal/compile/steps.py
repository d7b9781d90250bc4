"""A spec's Tasks and components as the step graph that a plan is made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from portal.spec.graph import components_of, first_nodes, last_nodes, task_order
from portal.spec.models import AppSpec, Resources, Task
from slurm.graph import Edge, Step, StepGraph


@dataclass(frozen=True)
class CpuPolicy:
    """CPUs of a component that asks for none: per whole GPU (a share counts as one), or without GPU."""

    cpus_per_gpu: int
    cpus_without_gpu: int

    def cpus(self, asked: Resources) -> int:
        """CPUs per node."""
        if asked.cpus is not None:
            return asked.cpus
        gpus = asked.gpu_count or (1 if asked.gpu_shards else 0)
        return gpus * self.cpus_per_gpu if gpus else self.cpus_without_gpu


def step_id(task_id: str, node_id: str) -> str:
    """`TASK-001/CL-REF-001`; ids have no slash, so it is unambiguous."""
    return f"{task_id}/{node_id}"


def step_graph(spec: AppSpec, policy: CpuPolicy) -> StepGraph:
    """Steps with their demands, and every edge between them: those of the Tasks, and from each Task to those after it."""
    steps = tuple(
        _step(step_id(task.task_id, component.id), component.resources, policy, component.service)
        for _path, task, component in components_of(spec)
    )
    edges = [
        Edge(step_id(task.task_id, edge.source), step_id(task.task_id, edge.target), edge.when)
        for task in spec.tasks
        for edge in task.workflow
    ]
    return StepGraph(steps, (*edges, *between_tasks(spec)))


def _step(name: str, asked: Resources, policy: CpuPolicy, service: bool) -> Step:
    has_gpu = bool(asked.gpu_count or asked.gpu_shards)
    return Step(
        id=name,
        cpus=policy.cpus(asked),
        memory_mib=asked.memory_mib,
        gpu_type=asked.gpu_type if has_gpu else None,
        gpus=asked.gpu_count,
        shards=asked.gpu_shards or 0,
        nodes=asked.nodes,
        service=service,
    )


def between_tasks(spec: AppSpec) -> Iterator[Edge]:
    """From every last step of a Task to every first step of the Tasks that wait for it."""
    tasks: dict[str, Task] = {task.task_id: task for task in spec.tasks}
    for before, after in task_order(spec):
        for last in last_nodes(tasks[before]):
            for first in first_nodes(tasks[after]):
                yield Edge(step_id(before, last), step_id(after, first))
