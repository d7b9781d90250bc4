"""Which steps no node can ever hold, said all at once in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from slurm.errors import PlanProblem
from slurm.graph import Step, StepGraph
from slurm.inventory import NodeClass
from slurm.plan.hosting import MAX_GROUPS, Hosts, Kind, Shape, shape_of
from slurm.units import memory_text


def impossible_steps(graph: StepGraph, hosts: Hosts) -> list[PlanProblem]:
    """One problem for every step and resource that the inventory lacks; empty when every step has a node."""
    return [problem for step in graph.steps for problem in _problems(step, hosts)]


def no_room_at_once(
    graph: StepGraph, hosts: Hosts, steps: Sequence[int], groups: Sequence[tuple[Kind, Shape]]
) -> PlanProblem:
    """Why the groups of one job cannot all have nodes of their own at once; `steps` are the job's."""
    names = ", ".join(graph.steps[i].id for i in steps)
    kinds = sorted({kind for kind, _ in groups}, key=str)
    short = [kind for kind in kinds if hosts.assign([group for group in groups if group[0] == kind]) is None]
    concerned = [group for group in groups if group[0] in short] or list(groups)
    needed = sum(shape.nodes for _, shape in concerned)
    pools = {one.pool: one.count for kind in short or kinds for one in hosts.classes(kind)}
    label = ", ".join(kind.label or "CPU" for kind in short) or "all"
    if len(groups) > MAX_GROUPS:
        needed, pools, label = len(groups), {"limit": MAX_GROUPS}, "hetjob"
    there = sum(pools.values())
    return PlanProblem(
        step=graph.steps[steps[0]].id,
        resource="nodes",
        asked=str(needed),
        largest=str(there),
        message_en=f"{names}: in one job need {needed} nodes at once ({label}); there are {there} that could host them",
        message_ko=f"{names}: 한 작업에서 노드 {needed}대가 동시에 필요합니다 ({label}). 쓸 수 있는 노드는 {there}대입니다",
    )


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
    exceeded = [(name, words) for name, asked, most, words in _resources(step, classes) if asked > most]
    # Nothing is too large by itself: no single node has all of it together, or too few nodes have.
    for name, asked in exceeded or [_combined(step, hosts, kind)]:
        yield _problem(step, name, asked, _largest(classes, name))


def _resources(step: Step, classes: Sequence[NodeClass]) -> Iterator[tuple[str, int, int, str]]:
    """Resource, asked, most that one node has, asked in words."""

    def most(size: Callable[[NodeClass], int]) -> int:
        return max((size(one) for one in classes), default=0)

    yield "gpus", step.gpus, most(lambda one: one.gpus), f"{step.gpu_type} x {step.gpus}"
    shares = f"{step.shards} shares of one {step.gpu_type}"
    yield "gpu_shards", step.shards, most(lambda one: one.shards_per_gpu), shares
    yield "cpus", step.cpus, most(lambda one: one.cpus), f"{step.cpus} CPU"
    yield "memory", step.memory_mib, most(lambda one: one.memory_mib), memory_text(step.memory_mib)


def _combined(step: Step, hosts: Hosts, kind: Kind) -> tuple[str, str]:
    gpus = f"{step.gpu_type} x {step.gpus}, " if step.gpus else ""
    size = f"{gpus}{step.cpus} CPU, {_gigabytes(step.memory_mib)}"
    if step.nodes > 1 and hosts.fits(kind, shape_of(step)._replace(nodes=1)):
        return "nodes", f"{step.nodes} x ({size})"
    return "size", size


def _problem(step: Step, resource: str, asked: str, largest: str) -> PlanProblem:
    return PlanProblem(
        step=step.id,
        resource=resource,
        asked=asked,
        largest=largest,
        message_en=f"{step.id}: asks for {asked}; no node is this large (max {largest})",
        message_ko=f"{step.id}: {asked} 요청, 이 크기를 가진 노드가 없습니다 (최대 {largest})",
    )


def _largest(classes: Iterable[NodeClass], resource: str) -> str:
    """The largest node in words: most GPUs, then most memory ("A100 x 8, 195GB"); with CPUs and count where they matter."""

    def size(one: NodeClass) -> tuple[int, int, int]:
        return (one.cpus if resource == "cpus" else one.gpus), one.memory_mib, one.cpus

    one = max(classes, key=size, default=None)
    if one is None:
        return "-"
    parts = [f"{one.label} x {one.gpus}"] if one.gpus else []
    parts += [f"{one.cpus} CPU"] if resource in ("cpus", "size", "nodes") else []
    parts += [_gigabytes(one.memory_mib)]
    parts += [f"{one.shards_per_gpu} shares a GPU"] if resource == "gpu_shards" else []
    text = ", ".join(parts)
    return f"{one.count} x ({text})" if resource == "nodes" else text


def _gigabytes(mib: int) -> str:
    return f"{mib // 1024}GB" if mib >= 1024 else f"{mib}MB"
