"""Steps with resources and an inventory -> jobs of het groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from slurm.demand import Packer
from slurm.errors import PlanError, PlanProblem
from slurm.expect import expect
from slurm.feasible import impossible_steps
from slurm.graph import StepGraph
from slurm.hosting import Hosts
from slurm.inventory import NodeClass, without_memory
from slurm.order import members, order_of
from slurm.staging import STEPS_PER_JOB, Sketch, Stage, Stages, after_jobs, join_stages, make_stage

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
    order = order_of(graph)
    packer = Packer(graph, order, hosts, expect(graph, expected_s))
    stages = _choose(packer, form, held_over_used)
    after = after_jobs(packer, stages)
    jobs = tuple(_job(packer, stage, after[k], runner_memory_mib) for k, stage in enumerate(stages))
    return Plan("staged" if len(jobs) > 1 else "together", "", "", jobs, _ratio(packer, stages))


def _ratio(packer: Packer, stages: Sequence[Stage]) -> float:
    durations = packer.expectation.durations
    used = sum(packer.gpus(i) * durations[i] for i in range(len(durations)))
    return sum(stage.held for stage in stages) / used if used else 1.0


def _choose(packer: Packer, form: Form, held_over_used: float) -> list[Stage]:
    """The jobs of the form asked for; `auto` takes the fewest jobs that stay within the limit, else the least held time."""
    count = len(packer.graph.steps)
    if form != "staged":
        together = [make_stage(packer, (1 << count) - 1)]
        if form == "together" or _ratio(packer, together) <= held_over_used:
            return together
    fewest: list[Sketch] = []
    for sketches in join_stages(Stages(packer)):
        held, used = sum(sketch.held for sketch in sketches), sum(sketch.used for sketch in sketches)
        if form == "auto" and fewest and held > held_over_used * used:
            break
        fewest = sketches
        if form == "staged" and len(sketches) <= max(2, count // STEPS_PER_JOB):
            break
    return [make_stage(packer, sketch.steps) for sketch in fewest]


def _job(packer: Packer, stage: Stage, after_jobs: tuple[int, ...], runner_memory_mib: int) -> PlannedJob:
    classes = packer.hosts.assign([(bundle.kind, bundle.shape) for bundle in stage.bundles])
    if classes is None:
        raise PlanError([PlanProblem("", "nodes", str(len(stage.bundles)), "", "too many groups", "too many groups")])
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
