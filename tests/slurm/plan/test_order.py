"""Certain order, times and antichains, compared with what trying everything finds."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from slurm.graph import Edge, Step, StepGraph
from slurm.plan.antichain import heaviest_antichain
from slurm.plan.expect import Expectation, expect, likely_order, scenarios
from slurm.plan.order import Order, members, order_of


def _graph(seed: int, size: int) -> StepGraph:
    source = random.Random(seed)
    steps = tuple(Step(str(i), 1, 1, service=seed % 2 == 0 and source.random() < 0.3) for i in range(size))
    edges = []
    for a, b in combinations(range(size), 2):
        if source.random() < 0.25:
            started = source.random() < 0.3 or steps[a].service
            edges.append(Edge(str(a), str(b), "started" if started else "finished"))
    return StepGraph(steps, tuple(edges))


def _overlap(order: Order, durations: list[float], a: int, b: int) -> bool:
    starts, ends = order.times(durations)
    return starts[a] < ends[b] and starts[b] < ends[a]


@pytest.mark.parametrize("seed", range(30))
def test_certain_order_is_what_no_durations_break(seed: int) -> None:
    graph = _graph(seed, 7)
    order = order_of(graph)
    source = random.Random(seed)
    met: set[tuple[int, int]] = set()
    for _ in range(300):
        durations = [source.lognormvariate(0, 3) for _ in range(7)]
        met |= {(a, b) for a, b in combinations(range(7), 2) if _overlap(order, durations, a, b)}
    certain = {(a, b) for a, b in combinations(range(7), 2) if order.comparable(a) >> b & 1}
    assert not met & certain
    if not any(step.service for step in graph.steps):
        assert met | certain == set(combinations(range(7), 2))


def test_a_stopping_service_may_still_run_when_what_follows_its_client_starts() -> None:
    steps = (Step("sim", 1, 1, service=True), Step("agent", 1, 1), Step("after", 1, 1))
    order = order_of(StepGraph(steps, (Edge("sim", "agent", "started"), Edge("agent", "after"))))
    assert not order.comparable(0) >> 2 & 1


def test_a_service_lives_as_long_as_those_that_need_it() -> None:
    graph = StepGraph(
        (Step("sim", 1, 1, service=True), Step("agent", 1, 1), Step("judge", 1, 1), Step("after", 1, 1)),
        (Edge("sim", "agent", "started"), Edge("sim", "judge", "started"), Edge("agent", "after")),
    )
    order = order_of(graph)
    assert order.times([99.0, 5.0, 7.0, 1.0]) == ([0.0, 0.0, 0.0, 5.0], [7.0, 5.0, 7.0, 6.0])
    assert order.later[0] == 0, "the judge may outlive the step after the agent, so the service may too"
    assert order.tails([99.0, 5.0, 7.0, 1.0])[0] == 7.0


@pytest.mark.parametrize("seed", range(20))
def test_tails_and_starts_add_up_to_the_whole(seed: int) -> None:
    order = order_of(_graph(seed, 9))
    durations = [random.Random(seed + i).uniform(1, 9) for i in range(9)]
    starts, ends = order.times(durations)
    tails = order.tails(durations)
    assert max(start + tail for start, tail in zip(starts, tails, strict=True)) == pytest.approx(max(ends))


def test_a_cycle_names_its_steps() -> None:
    steps = (Step("a", 1, 1), Step("b", 1, 1), Step("c", 1, 1))
    with pytest.raises(ValueError, match="wait for each other: a, b"):
        order_of(StepGraph(steps, (Edge("a", "b"), Edge("b", "a", "started"), Edge("b", "c"))))


def test_a_graph_names_all_its_problems_at_once() -> None:
    with pytest.raises(ValueError, match="occurs 2 times") as caught:
        StepGraph(
            (Step("a", 1, 1), Step("a", 1, 1), Step("b", 0, 1), Step("c", 1, 1, "A100"), Step("d", 1, 1, "A100", 1, 1)),
            (Edge("a", "a"), Edge("a", "x")),
        )
    for words in (
        "'b' asks for less",
        "'c' must name",
        "'d' asks for whole",
        "'a' waits for itself",
        "unknown step 'x'",
    ):
        assert words in str(caught.value)


def _brute(mask: int, weights: list[int], later: tuple[int, ...]) -> int:
    numbers = members(mask)
    best = 0
    for size in range(1, len(numbers) + 1):
        for some in combinations(numbers, size):
            if all(not later[a] >> b & 1 and not later[b] >> a & 1 for a, b in combinations(some, 2)):
                best = max(best, sum(weights[i] for i in some))
    return best


@pytest.mark.parametrize("seed", range(60))
def test_the_heaviest_antichain_is_the_heaviest(seed: int) -> None:
    order = order_of(_graph(seed, 9))
    source = random.Random(seed)
    weights = [source.randint(0, 9) for _ in range(9)]
    mask = source.getrandbits(9)
    assert heaviest_antichain(mask, weights, order.later) == _brute(mask, weights, order.later)


@pytest.mark.parametrize("seed", range(30))
def test_likely_order_is_transitive_and_contains_the_certain_one(seed: int) -> None:
    graph = _graph(seed, 12)
    order = order_of(graph)
    later = likely_order(order, expect(graph, None))
    for i, mask in enumerate(later):
        assert order.later[i] & ~mask == 0
        assert not mask >> i & 1
        for j in members(mask):
            assert later[j] & ~mask == 0


def test_without_history_everything_is_equal_and_scenarios_are_always_the_same() -> None:
    graph = _graph(3, 6)
    expectation = expect(graph, None)
    assert expectation == Expectation((1.0,) * 6, known=False, spread=1.0)
    assert scenarios(graph, expectation) == scenarios(graph, expect(graph, {}))
    assert len({durations[0] for durations in scenarios(graph, expectation)}) > 1


def test_partial_history_fills_the_rest_with_the_median_and_is_not_taken_for_knowledge() -> None:
    graph = _graph(3, 4)
    expectation = expect(graph, {"0": 10.0, "1": 30.0, "2": 50.0})
    assert expectation.durations == (10.0, 30.0, 50.0, 30.0)
    assert not expectation.known
    assert expect(graph, {"0": 0.0, "1": 1.0, "2": 1.0, "3": 1.0}).durations[0] > 0
