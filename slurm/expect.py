"""What is expected of time before anything has run: durations, and which steps are expected never to meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from slurm.graph import StepGraph
from slurm.order import Order, mask_of, members

UNKNOWN_DURATION = 1.0
"""Every step's expected duration where nothing is known: only ratios matter then."""

SHORTEST_S = 1e-3
"""Durations below this are taken as this, so that no step ends before it starts."""

SLACK_WITHOUT_HISTORY = 2.0
"""Without history a step may share by expectation only when it could be this many average steps late without harm."""


@dataclass(frozen=True)
class Expectation:
    """Durations in seconds (or in units of the unknown duration), and the order they suggest.

    `later[i]`: steps expected to start only after step i has ended; it contains the certain order and is transitive.
    `loose`: the steps that may rely on it; the others share only by certain order.
    """

    durations: tuple[float, ...]
    starts: tuple[float, ...]
    ends: tuple[float, ...]
    later: tuple[int, ...]
    loose: int


def expected_durations(graph: StepGraph, expected_s: Mapping[str, float] | None) -> tuple[float, ...]:
    """Medians of earlier runs (seconds by step id) where there are any, else equal.

    A step without history among others with it is taken to last the median of theirs.
    """
    known = [expected_s[step.id] for step in graph.steps if step.id in expected_s] if expected_s else []
    fallback = median(known) if known else UNKNOWN_DURATION
    return tuple(max((expected_s or {}).get(step.id, fallback), SHORTEST_S) for step in graph.steps)


def expect(order: Order, durations: Sequence[float], *, known: bool, within: int | None = None) -> Expectation:
    """Expected times of the steps of `within` (all by default) when everything outside it has already ended.

    With `known` durations every step may rely on the expected order, otherwise only those with slack; steps joined to
    others by "started" edges never may, because one that waits for room could keep another waiting for ever.
    """
    count = len(durations)
    mask = (1 << count) - 1 if within is None else within
    starts, ends = order.times(durations, within=mask)
    slack_needed = 0.0 if known else SLACK_WITHOUT_HISTORY * max(durations)
    tails = order.tails(durations, within=mask)
    whole = max((starts[i] + tails[i] for i in members(mask)), default=0.0)
    loose = mask_of(
        i
        for i in members(mask)
        if order.together[i] == 1 << i and whole - tails[i] - starts[i] >= slack_needed - SHORTEST_S / 2
    )
    later = list(order.later)
    for i in members(loose):
        later[i] |= mask_of(j for j in members(loose & ~(1 << i)) if ends[i] <= starts[j])
    return Expectation(tuple(durations), tuple(starts), tuple(ends), tuple(later), loose)
