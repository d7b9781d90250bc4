"""Did the minimal run test converge: all rewards finite and no significant fall, by a one-sided Mann-Kendall test.

Source: H. B. Mann, Econometrica 13 (1945) 245-259; M. G. Kendall, Rank Correlation Methods, 4th ed. (1975), chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

SIGNIFICANCE = 0.05
EXACT_UP_TO = 40
"""Series without ties up to this length get exact probabilities; longer ones, and those with ties, the normal ones."""


@dataclass(frozen=True)
class Trend:
    """Mann-Kendall's S of a series, and how likely an S this low or this high is without any trend.

    `exact` is false where the normal approximation with tie and continuity correction was used.
    """

    s: int
    p_falling: float
    p_rising: float
    exact: bool

    @property
    def falling(self) -> bool:
        """Whether the series falls significantly."""
        return self.p_falling < SIGNIFICANCE

    @property
    def rising(self) -> bool:
        """Whether the series rises significantly."""
        return self.p_rising < SIGNIFICANCE


@dataclass(frozen=True)
class Convergence:
    """The verdict on one reward series; `trend` is None when a reward is not finite or there are fewer than two."""

    converged: bool
    rising: bool
    all_finite: bool
    trend: Trend | None


def judge(rewards: Sequence[float], *, must_rise: bool = False) -> Convergence:
    """All finite and no significant fall; with `must_rise` (a site's choice) a significant rise as well.

    An empty series has not converged.
    """
    finite = all(math.isfinite(reward) for reward in rewards)
    if not rewards or not finite:
        return Convergence(converged=False, rising=False, all_finite=finite, trend=None)
    trend = mann_kendall(rewards)
    converged = not trend.falling and (trend.rising or not must_rise)
    return Convergence(converged, trend.rising, all_finite=True, trend=trend)


def mann_kendall(values: Sequence[float]) -> Trend:
    """The trend of a series of finite values, in order. Raises ValueError when a value is not finite."""
    if not all(math.isfinite(value) for value in values):
        raise ValueError("Mann-Kendall needs finite values")
    s = sum(
        (later > earlier) - (later < earlier) for index, earlier in enumerate(values) for later in values[index + 1 :]
    )
    ties = [count for count in (values.count(value) for value in set(values)) if count > 1]
    if len(values) <= EXACT_UP_TO and not ties:
        return Trend(s, _exact_at_most(len(values), s), _exact_at_most(len(values), -s), exact=True)
    return Trend(s, _normal_at_most(s, len(values), ties), _normal_at_most(-s, len(values), ties), exact=False)


def _exact_at_most(n: int, s: int) -> float:
    """P(S <= s) over all n! orders. S = n(n-1)/2 - 2 x inversions, and the number of inversions is counted exactly."""
    pairs = n * (n - 1) // 2
    least_inversions = (pairs - s + 1) // 2
    counts = _orders_by_inversions(n)
    return sum(counts[least_inversions:]) / sum(counts)


@cache
def _orders_by_inversions(n: int) -> tuple[int, ...]:
    """How many orders of n values have 0, 1, 2, ... inversions: each further value adds 0 to n-1 of them."""
    if n < 2:
        return (1,)
    before = _orders_by_inversions(n - 1)
    return tuple(sum(before[max(0, total - n + 1) : total + 1]) for total in range(n * (n - 1) // 2 + 1))


def _normal_at_most(s: int, n: int, ties: Sequence[int]) -> float:
    """P(S <= s) by the normal distribution with Kendall's variance for ties and continuity correction."""
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    if variance == 0:
        return 1.0
    return 0.5 * math.erfc(-(s + 1) / math.sqrt(2 * variance))
