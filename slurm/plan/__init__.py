"""Steps with resources and an inventory -> jobs of het groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from slurm.errors import PlanError
from slurm.graph import StepGraph
from slurm.inventory import NodeClass, without_memory
from slurm.plan.demand import Packer
from slurm.plan.expect import expect
from slurm.plan.feasible import impossible_steps, no_room_at_once
from slurm.plan.hosting import Hosts
from slurm.plan.order import members, order_of
from slurm.plan.reasons import Reason, reason_asked, reason_cut, reason_smallest, reason_uncut, reason_within
from slurm.plan.staging import STEPS_PER_JOB, Sketch, Stage, Stages, in_order, join_stages, make_stage

Form = Literal["auto", "together", "staged"]


@dataclass(frozen=True)
class Group:
    """One het group: what it asks for per node, where, for which steps, and after whose ends it is given back.

    `steps` are in the order in which a runner should prefer them when not all fit at once. `released_after` are the
    steps of the group that may end last; for group 0, which is never given back, they are named all the same.
    """

    gpu_type: str | None
    gres_type: str | None
    partition: str
    constraint: str
    gpus: int
    shards: int
    cpus: int
    memory_mib: int
    nodes: int
    steps: tuple[str, ...]
    released_after: tuple[str, ...]


@dataclass(frozen=True)
class PlannedJob:
    """One Slurm job; `after_jobs` are the indices of the jobs that must have ended well before.

    `waits`: pairs (first, second) of steps of one group of which the second starts only after the first has started.
    The graph does not ask for it, the group's size relies on it: the second waits in its slack.
    """

    groups: tuple[Group, ...]
    after_jobs: tuple[int, ...]
    waits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Plan:
    """Jobs of het groups, the form chosen and why, and GPU time held over used as expected (1.0 without any GPU)."""

    form: Literal["together", "staged"]
    reason_en: str
    reason_ko: str
    jobs: tuple[PlannedJob, ...]
    expected_held_over_used: float


def make_plan(
    graph: StepGraph,
    inventory: Sequence[NodeClass],
    *,
    form: Form = "auto",
    expected_s: Mapping[str, float] | None = None,
    held_over_used: float = 2.5,
    smallest: bool = False,
    runner_memory_mib: int = 0,
) -> Plan:
    """Plan a graph on an inventory.

    `expected_s` are medians of earlier runs in seconds by step id; `held_over_used` is the site's limit for `auto`.
    `smallest` gives up the graph's parallelism for the smallest allocation. `runner_memory_mib` is what the runner needs
    on the node of every job's group 0; the answer's group 0 includes it.

    Raises PlanError naming every step that no node can hold, or why no form is possible.
    """
    hosts = Hosts(without_memory(inventory, runner_memory_mib))
    problems = impossible_steps(graph, hosts)
    if problems:
        raise PlanError(problems)
    packer = Packer(graph, order_of(graph), hosts, expect(graph, expected_s))
    stages, reason = _choose(packer, form, held_over_used, smallest=smallest)
    stages, after = in_order(packer, stages)
    jobs = tuple(_job(packer, stage, after[k], runner_memory_mib) for k, stage in enumerate(stages))
    name: Literal["together", "staged"] = "staged" if len(jobs) > 1 else "together"
    return Plan(name, reason.en, reason.ko, jobs, _ratio(packer, stages))


def _ratio(packer: Packer, stages: Sequence[Stage]) -> float:
    used = packer.used(packer.uses_gpu)
    return sum(stage.held for stage in stages) / used if used else 1.0


def _choose(packer: Packer, form: Form, limit: float, *, smallest: bool) -> tuple[list[Stage], Reason]:
    """The jobs of the form asked for and why; `auto` takes the fewest jobs that hold no more than `limit` of what is used.

    Raises PlanError where the groups of a job cannot all have nodes at once.
    """
    known = packer.expectation.known
    if form == "staged":
        stages = _staged(packer, None)
        return _all_hosted(packer, stages), reason_asked("staged", _ratio(packer, stages), known=known)
    together = [make_stage(packer, (1 << len(packer.kinds)) - 1, smallest=smallest)]
    ratio = _ratio(packer, together)
    if form == "together" or smallest:
        why = reason_smallest(ratio, known=known) if smallest else reason_asked("together", ratio, known=known)
        return _all_hosted(packer, together), why
    hosted = _assign(packer, together[0]) is not None
    if hosted and ratio <= limit:
        return together, reason_within(ratio, limit, known=known)
    stages = _staged(packer, limit)
    if len(stages) == 1:
        return _all_hosted(packer, together), reason_uncut(ratio, limit, known=known)
    _all_hosted(packer, stages)
    return stages, reason_cut(ratio if hosted else None, _ratio(packer, stages), limit, known=known)


def _staged(packer: Packer, limit: float | None) -> list[Stage]:
    """The fewest jobs within `limit`, or without one at most a job for every STEPS_PER_JOB steps.

    Where the groups of a job cannot all have nodes, more jobs are taken.
    """
    tried: list[list[Sketch]] = []
    for sketches in join_stages(Stages(packer)):
        held, used = sum(sketch.held for sketch in sketches), sum(sketch.used for sketch in sketches)
        if tried and limit is not None and held > limit * used:
            break
        tried.append(sketches)
        if limit is None and len(sketches) <= max(2, len(packer.kinds) // STEPS_PER_JOB):
            break
    made: dict[int, Stage] = {}
    for sketches in reversed(tried):
        for sketch in sketches:
            if sketch.steps not in made:
                made[sketch.steps] = make_stage(packer, sketch.steps)
        stages = [made[sketch.steps] for sketch in sketches]
        if all(_assign(packer, stage) is not None for stage in stages):
            break
    return stages


def _assign(packer: Packer, stage: Stage) -> list[NodeClass] | None:
    return packer.hosts.assign([(bundle.kind, bundle.shape) for bundle in stage.bundles])


def _all_hosted(packer: Packer, stages: list[Stage]) -> list[Stage]:
    problems = [
        no_room_at_once(
            packer.graph, packer.hosts, members(stage.steps), [(bundle.kind, bundle.shape) for bundle in stage.bundles]
        )
        for stage in stages
        if _assign(packer, stage) is None
    ]
    if problems:
        raise PlanError(problems)
    return stages


def _job(packer: Packer, stage: Stage, after_jobs: tuple[int, ...], runner_memory_mib: int) -> PlannedJob:
    classes = _assign(packer, stage) or []
    groups = []
    for k, (bundle, one) in enumerate(zip(stage.bundles, classes, strict=True)):
        numbers = sorted(members(bundle.steps), key=lambda i: (stage.starts[i], i))
        groups.append(
            Group(
                gpu_type=bundle.kind.label,
                gres_type=one.gres_type if bundle.kind.uses_gpu else None,
                partition=one.partition,
                constraint=one.constraint,
                gpus=bundle.shape.gpus,
                shards=bundle.shape.shards,
                cpus=bundle.shape.cpus,
                memory_mib=bundle.shape.memory_mib + (runner_memory_mib if k == 0 else 0),
                nodes=bundle.shape.nodes,
                steps=tuple(packer.graph.steps[i].id for i in numbers),
                released_after=tuple(
                    packer.graph.steps[i].id for i in numbers if not packer.order.later[i] & bundle.steps
                ),
            )
        )
    ids = [step.id for step in packer.graph.steps]
    return PlannedJob(tuple(groups), after_jobs, tuple((ids[first], ids[second]) for first, second in stage.waits))
