"""What is expected of time before anything has run: durations, and which steps probably never meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random
from statistics import NormalDist, median

from slurm.graph import StepGraph
from slurm.plan.order import Order, mask_of

UNKNOWN_DURATION = 1.0
"""Every step's expected duration where nothing is known: only ratios matter then."""

SHORTEST_S = 1e-3
"""Durations below this are taken as this, so that no step ends before it starts."""

SCENARIOS = 10
SCENARIO_SIGMA = 1.5
"""How many ways durations might turn out are looked at, and how far they spread (of the logarithm)."""

CONFIDENCE = NormalDist().inv_cdf(0.75)
"""Without history a step is expected to end before another starts when that has this probability (in standard deviations)."""


@dataclass(frozen=True)
class Expectation:
    """Expected durations in seconds (or in units of the unknown duration), all `known` from history or not.

    `spread`: how far the end of a single step may be from what is expected; 0 where durations are known.
    """

    durations: tuple[float, ...]
    known: bool
    spread: float

    def last_end(self, ends: Sequence[float], rivals_of: Sequence[bool]) -> float:
        """When the last of some steps is expected to end; `rivals_of` marks those that no other of them must follow.

        Of m steps that are expected to end last together, the last ends later than each: with nothing known about
        durations (memoryless ones) by 1/2 + 1/3 + ... + 1/m of an average one.
        """
        last = max(ends)
        if not self.spread:
            return last
        rivals = sum(1 for end, rival in zip(ends, rivals_of, strict=True) if rival and end >= last - self.spread / 2)
        return last + self.spread * sum(1 / m for m in range(2, rivals + 1))


def expect(graph: StepGraph, expected_s: Mapping[str, float] | None) -> Expectation:
    """Medians of earlier runs (seconds by step id) where there are any, else equal durations.

    A step without history among others with it is taken to last the median of theirs, and nothing counts as known.
    """
    history = expected_s or {}
    known = [history[step.id] for step in graph.steps if step.id in history]
    average = median(known) if known else UNKNOWN_DURATION
    durations = tuple(max(history.get(step.id, average), SHORTEST_S) for step in graph.steps)
    all_known = len(known) == len(graph.steps)
    return Expectation(durations, all_known, 0.0 if all_known else average)


def scenarios(graph: StepGraph, expectation: Expectation) -> tuple[tuple[float, ...], ...]:
    """Durations as they might turn out, for judging what waiting may cost; the expected ones alone where they are known.

    Durations of real steps spread over orders of magnitude, so these are drawn from a lognormal distribution, always
    the same ones. Steps that ask for exactly the same are taken for one component on different data: they last alike.
    """
    if expectation.known:
        return (expectation.durations,)
    drawn = []
    for number in range(SCENARIOS):
        source = Random(number)
        factors: dict[tuple[object, ...], float] = {}
        for step in graph.steps:
            asked = (step.gpu_type, step.gpus, step.shards, step.cpus, step.memory_mib, step.nodes)
            if asked not in factors:
                factors[asked] = source.lognormvariate(0.0, SCENARIO_SIGMA)
        drawn.append(
            tuple(
                duration * factors[step.gpu_type, step.gpus, step.shards, step.cpus, step.memory_mib, step.nodes]
                for step, duration in zip(graph.steps, expectation.durations, strict=True)
            )
        )
    return tuple(drawn)


def likely_order(order: Order, expectation: Expectation) -> tuple[int, ...]:
    """`later` as in the certain order, with the pairs added of which one probably ends before the other must start.

    Step i is taken to end before j starts when it does so in expected time, and when i ends, with the probability of
    CONFIDENCE, before j starts as late as it can without making the whole longer. The end of a path of steps of unknown
    (memoryless) duration deviates by the root of its length. Both bounds only grow along the certain order, so the
    answer is transitive too.
    """
    durations = expectation.durations
    starts, ends = order.times(durations)
    tails = order.tails(durations)
    whole = max((start + tail for start, tail in zip(starts, tails, strict=True)), default=0.0)
    latest = [whole - tail for tail in tails]
    late_ends = [end + CONFIDENCE * sqrt(end * expectation.spread) for end in ends]
    count = range(len(durations))
    return tuple(
        order.later[i] | mask_of(j for j in count if j != i and ends[i] <= starts[j] and late_ends[i] <= latest[j])
        for i in count
    )
