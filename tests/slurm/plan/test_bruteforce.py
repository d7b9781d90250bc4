"""Small graphs: the planner against trying every grouping, by the measure the design names: expected held GPU time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from statistics import geometric_mean

import pytest

from slurm.graph import Edge, Step, StepGraph
from slurm.inventory import NodeClass
from slurm.plan import make_plan, staging
from slurm.plan.demand import Packer
from slurm.plan.expect import expect
from slurm.plan.hosting import Hosts
from slurm.plan.order import mask_of, members, order_of
from slurm.plan.staging import in_order, make_stage

INVENTORY = (NodeClass("A", "a", "a", "", 8, 0, 64, 64000, 50), NodeClass("B", "b", "b", "", 4, 0, 64, 64000, 50))
SIZE = 6


def _graph(seed: int) -> StepGraph:
    source = random.Random(seed)
    steps = tuple(
        Step(
            str(i), source.randint(1, 16), source.randint(100, 16000), source.choice("AAB"), source.choice([1, 1, 2, 4])
        )
        for i in range(SIZE)
    )
    pairs = [(a, b) for b in range(SIZE) for a in range(b) if source.random() < 0.35]
    return StepGraph(steps, tuple(Edge(str(a), str(b)) for a, b in pairs))


def _partitions(items: list[int]) -> Iterator[list[list[int]]]:
    if not items:
        yield []
        return
    first, *rest = items
    for smaller in _partitions(rest):
        yield [[first], *smaller]
        for k, part in enumerate(smaller):
            yield [*smaller[:k], [first, *part], *smaller[k + 1 :]]


def _durations(graph: StepGraph, seed: int, known: bool) -> dict[str, float] | None:
    source = random.Random(-seed - 1)
    return {step.id: source.choice([1.0, 2.0, 5.0, 20.0]) for step in graph.steps} if known else None


def _best_by_trying(packer: Packer, steps: int) -> float:
    """The least held GPU time of one job whose steps all start as soon as they may, over all groupings."""
    later, expectation = packer.order.later, packer.expectation
    _, ends = packer.order.times(expectation.durations, steps)
    whole = expectation.last_end([ends[i] for i in members(steps)], [not later[i] & steps for i in members(steps)])
    best = float("inf")
    for groups in _partitions(members(steps)):
        if any(len({packer.kinds[i] for i in group}) > 1 for group in groups):
            continue
        held, to_the_end = 0.0, []
        for group in groups:
            mask = mask_of(group)
            kind, shape = packer.kinds[group[0]], packer.shape(packer.kinds[group[0]], mask, likely=True)
            if not packer.fits(kind, shape):
                break
            last = expectation.last_end([ends[i] for i in group], [not later[i] & mask for i in group])
            held += shape.gpus * last
            if any(not later[i] & steps for i in group):
                to_the_end.append(shape.gpus * (whole - last))
        else:
            best = min(best, held + min(to_the_end))
    return best


def _packer(graph: StepGraph, expected: dict[str, float] | None) -> Packer:
    return Packer(graph, order_of(graph), Hosts(INVENTORY), expect(graph, expected))


@pytest.mark.parametrize("known", [False, True], ids=["without history", "history"])
def test_groups_of_one_job_are_near_the_best_of_all(known: bool) -> None:
    ratios = []
    for seed in range(40):
        graph = _graph(seed)
        packer = _packer(graph, _durations(graph, seed, known))
        everything = (1 << SIZE) - 1
        ratios.append(make_stage(packer, everything).held / _best_by_trying(packer, everything))
    assert max(ratios) <= 1.25
    assert geometric_mean(ratios) <= 1.02
    assert sum(ratio <= 1 + 1e-9 for ratio in ratios) >= 30


def _cuts(packer: Packer, jobs: int) -> Iterator[list[int]]:
    """Every way to cut the graph into so many jobs that do not wait for each other in a circle."""
    for parts in _partitions(list(range(SIZE))):
        if len(parts) != jobs:
            continue
        job_of = {i: k for k, part in enumerate(parts) for i in part}
        edges = {(job_of[p], job_of[i]) for i in range(SIZE) for p in packer.order.waits_end[i]} - {
            (k, k) for k in range(jobs)
        }
        if jobs == 2 and len(edges) == 2:
            continue
        yield [mask_of(part) for part in parts]


def _held_over_best_cut() -> list[float]:
    ratios = []
    for seed in range(30):
        graph = _graph(seed)
        plan = make_plan(graph, INVENTORY, form="staged")
        packer = _packer(graph, None)
        used = sum(packer.gpus(i) for i in range(SIZE))
        best = min(sum(make_stage(packer, mask).held for mask in cut) for cut in _cuts(packer, len(plan.jobs)))
        ratios.append(plan.expected_held_over_used * used / best)
    return ratios


def test_two_staged_jobs_hold_little_more_than_the_best_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    # The best cut knows nothing of waiting, which the planner weighs too: it gives up some held time for less of it.
    assert geometric_mean(_held_over_best_cut()) <= 1.3
    monkeypatch.setattr(staging, "LATE_PRICE", 0.0)
    monkeypatch.setattr(staging, "WAIT_PRICE", 0.0)
    assert geometric_mean(_held_over_best_cut()) <= 1.1


def test_jobs_are_listed_in_an_order_in_which_they_can_be_submitted() -> None:
    graph = _graph(5)
    packer = _packer(graph, None)
    stages, after = in_order(packer, [make_stage(packer, 1 << i) for i in reversed(range(SIZE))])
    assert len(stages) == SIZE
    assert all(before < number for number, jobs in enumerate(after) for before in jobs)
