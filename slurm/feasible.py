"""Which steps no node can ever hold, said all at once in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from slurm.errors import PlanProblem
from slurm.graph import Step, StepGraph
from slurm.hosting import Hosts, Kind, shape_of
from slurm.inventory import NodeClass


def impossible_steps(graph: StepGraph, hosts: Hosts) -> list[PlanProblem]:
    """One problem for every step and resource that the inventory lacks; empty when every step has a node."""
    return [problem for step in graph.steps for problem in _problems(step, hosts)]


def _problems(step: Step, hosts: Hosts) -> Iterator[PlanProblem]:
    kind = hosts.kind_of(step)
    if hosts.fits(kind, shape_of(step)):
        return
    labels = sorted({one.label for one in hosts.inventory if one.label is not None})
    classes = hosts.classes(Kind(step.gpu_type, shares=step.shards > 0)) if step.gpu_type else hosts.inventory
    if step.gpu_type is not None and step.gpu_type not in labels:
        known = ", ".join(labels) or "-"
        yield PlanProblem(
            step=step.id,
            resource="gpu_type",
            asked=step.gpu_type,
            largest=known,
            message_en=f"{step.id}: no node has GPUs of type {step.gpu_type} (there are: {known})",
            message_ko=f"{step.id}: GPU 유형 {step.gpu_type}이(가) 있는 노드가 없습니다 (있는 유형: {known})",
        )
        return
    largest = _largest(classes)
    exceeded = [(name, str(asked), unit) for name, asked, most, unit in _resources(step, classes) if asked > most]
    # Nothing is too large by itself: no single node has all of it together, or too few nodes have.
    for name, asked, unit in exceeded or [_combined(step, hosts, kind)]:
        yield _problem(step, name, asked + unit, largest)


def _resources(step: Step, classes: Sequence[NodeClass]) -> Iterator[tuple[str, int, int, str]]:
    """Resource, asked, most that one node has, unit."""

    def most(size: Callable[[NodeClass], int]) -> int:
        return max((size(one) for one in classes), default=0)

    if step.gpus:
        yield "gpus", step.gpus, most(lambda one: one.gpus), f" x {step.gpu_type}"
    if step.shards:
        yield "gpu_shards", step.shards, most(lambda one: one.shards_per_gpu), f" shares of one {step.gpu_type}"
    yield "cpus", step.cpus, most(lambda one: one.cpus), " CPUs"
    yield "memory", step.memory_mib, most(lambda one: one.memory_mib), "MB"


def _combined(step: Step, hosts: Hosts, kind: Kind) -> tuple[str, str, str]:
    alone = shape_of(step)
    if step.nodes > 1 and hosts.fits(kind, type(alone)(alone.gpus, alone.shards, alone.cpus, alone.memory_mib, 1)):
        return "nodes", str(step.nodes), " nodes of this size"
    gpus = f"{step.gpu_type} x {step.gpus}, " if step.gpus else ""
    return "size", f"{gpus}{step.cpus} CPUs, {_gigabytes(step.memory_mib)}", ""


def _problem(step: Step, resource: str, asked: str, largest: str) -> PlanProblem:
    return PlanProblem(
        step=step.id,
        resource=resource,
        asked=asked,
        largest=largest,
        message_en=f"{step.id}: asks for {asked}; no node is this large (max {largest})",
        message_ko=f"{step.id}: {asked} 요청, 이 크기를 가진 노드가 없습니다 (최대 {largest})",
    )


def _largest(classes: Iterable[NodeClass]) -> str:
    """The largest node in words: most GPUs, then most memory ("A100 x 8, 195GB")."""
    ordered = sorted(classes, key=lambda one: (one.gpus, one.memory_mib, one.cpus))
    if not ordered:
        return "-"
    one = ordered[-1]
    gpus = f"{one.label} x {one.gpus}, " if one.gpus else ""
    return f"{gpus}{_gigabytes(one.memory_mib)}, {one.cpus} CPU x {one.count}"


def _gigabytes(mib: int) -> str:
    return f"{mib // 1024}GB"
