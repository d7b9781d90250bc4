"""What is expected of time before anything has run: durations, and which steps can wait without harm."""

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

RESERVE_WITHOUT_HISTORY = 2.0
"""Without history a step may be planned to wait only as long as it could be this many average steps later still."""


@dataclass(frozen=True)
class Expectation:
    """Expected durations in seconds (or in units of the unknown duration).

    `reserve`: how much later than planned a step that waits must still be allowed to end. `spread`: how far the end of
    a step may be from what is expected. Both are 0 where all durations are known.
    """

    durations: tuple[float, ...]
    reserve: float
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

    A step without history among others with it is taken to last the median of theirs.
    """
    history = expected_s or {}
    known = [history[step.id] for step in graph.steps if step.id in history]
    average = median(known) if known else UNKNOWN_DURATION
    durations = tuple(max(history.get(step.id, average), SHORTEST_S) for step in graph.steps)
    if len(known) == len(graph.steps):
        return Expectation(durations, 0.0, 0.0)
    return Expectation(durations, RESERVE_WITHOUT_HISTORY * average, average)


def movable_steps(order: Order, expectation: Expectation, within: int) -> int:
    """The steps (a bit mask) that may share by expectation and be planned to wait.

    They have the reserve and are not joined to others by "started" edges: one of those that waits for room could keep
    another waiting for ever.
    """
    durations = expectation.durations
    starts, _ = order.times(durations, within=within)
    tails = order.tails(durations, within=within)
    whole = max((starts[i] + tails[i] for i in members(within)), default=0.0)
    return mask_of(
        i
        for i in members(within)
        if order.together[i] == 1 << i and whole - tails[i] - starts[i] >= expectation.reserve - SHORTEST_S / 2
    )
