"""Series of self-reported metrics as a chart draws them: thinned to what can be seen, and summed up in figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from portal.domain.metrics import as_float

Point = tuple[float, float]
MOST_POINTS = 2000
"""More are not drawn: a chart has fewer pixels."""
_LAST_SHARE = 0.1
X_KEYS = ("episode", "step")


@dataclass(frozen=True)
class Figures:
    """What a series says: how many values, the last, the best with its x, the mean of the last tenth, first and least."""

    count: int
    last: float
    best: float
    best_at: float
    least: float
    last_mean: float


def figures(points: Sequence[Point]) -> Figures | None:
    """None where there is no value."""
    if not points:
        return None
    values = [y for _, y in points]
    best_at, best = max(points, key=lambda point: point[1])
    tail = values[-max(1, round(len(values) * _LAST_SHARE)) :]
    return Figures(len(values), values[-1], best, best_at, min(values), fmean(tail))


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> tuple[Point, ...]:
    """At most about `most` points that look the same: the first, the last, and of each stretch the least and the greatest."""
    if len(points) <= most:
        return tuple(points)
    stretches = max(1, most // 2 - 1)
    kept = {0, len(points) - 1}
    for number in range(stretches):
        begin = len(points) * number // stretches
        stretch = range(begin, max(begin + 1, len(points) * (number + 1) // stretches))
        kept.add(min(stretch, key=lambda index: points[index][1]))
        kept.add(max(stretch, key=lambda index: points[index][1]))
    return tuple(points[index] for index in sorted(kept))


def x_of(line: Mapping[str, object], number: int) -> float:
    """Where a line of metrics stands: at its episode, else its step, else its number (from 1)."""
    for key in X_KEYS:
        found = as_float(line.get(key))
        if math.isfinite(found):
            return found
    return float(number)


def in_a_row(values: Iterable[float], op: str, goal: float) -> int:
    """How many of the last values, without a gap, meet `op goal` (">=" or "<=")."""
    row = 0
    for value in values:
        row = row + 1 if _meets(value, op, goal) else 0
    return row


def best_row(values: Iterable[float], op: str, goal: float) -> int:
    """The longest row of values that meet it."""
    row = best = 0
    for value in values:
        row = row + 1 if _meets(value, op, goal) else 0
        best = max(best, row)
    return best


def _meets(value: float, op: str, goal: float) -> bool:
    return value >= goal if op == ">=" else value <= goal
