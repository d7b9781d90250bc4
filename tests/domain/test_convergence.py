"""Mann-Kendall against brute force and published values; the loopTest JSON letter by letter."""

from __future__ import annotations

import itertools
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.approval import TestStatus
from portal.domain.convergence import EXACT_UP_TO, _exact_at_most, judge, mann_kendall
from portal.domain.looptest import Iteration, general_result, loop_test, rewards_of, rl_result


def s_of(values: tuple[int, ...]) -> int:
    return sum((b > a) - (b < a) for a, b in itertools.combinations(values, 2))


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_exact_probabilities_are_those_of_all_orders(n: int) -> None:
    scores = [s_of(order) for order in itertools.permutations(range(n))]
    for order in itertools.permutations(range(n)):
        trend = mann_kendall([float(value) for value in order])
        s = s_of(order)
        assert trend.s == s
        assert trend.exact
        assert trend.p_falling == pytest.approx(sum(score <= s for score in scores) / len(scores))
        assert trend.p_rising == pytest.approx(sum(score >= s for score in scores) / len(scores))


def with_s(n: int, s: int) -> list[float]:
    """A series of n values with the given S: swaps of neighbours take two off each."""
    values = list(range(n))
    for _ in range((n * (n - 1) // 2 - s) // 2):
        index = next(i for i in range(n - 1) if values[i] < values[i + 1])
        values[index], values[index + 1] = values[index + 1], values[index]
    return [float(value) for value in values]


@pytest.mark.parametrize(
    ("n", "s", "p"),
    [(4, 4, 0.167), (5, 8, 0.042), (8, 16, 0.031), (9, 18, 0.038), (10, 21, 0.036), (10, 19, 0.054)],
)
def test_published_table(n: int, s: int, p: float) -> None:
    """Upper tail probabilities, Kendall (1975), appendix table 1."""
    trend = mann_kendall(with_s(n, s))
    assert trend.s == s
    assert trend.p_rising == pytest.approx(p, abs=0.0006)


@pytest.mark.parametrize("s", [-300, -41, 0, 100, 260])
def test_the_normal_approximation_is_close_where_it_takes_over(s: int) -> None:
    n = EXACT_UP_TO + 1
    trend = mann_kendall(with_s(n, s))
    assert not trend.exact
    assert trend.p_falling == pytest.approx(_exact_at_most(n, trend.s), abs=0.003)


def test_ties_use_the_corrected_variance() -> None:
    """n = 10 with ties of 3, 2: var = (10*9*25 - 3*2*11 - 2*1*9) / 18 = 120.333; z = (S + 1) / sqrt(var)."""
    values = [5, 5, 5, 4, 3, 3, 2, 1, 0, -1]
    trend = mann_kendall([float(value) for value in values])
    assert trend.s == -(45 - 3 - 1)
    z = (trend.s + 1) / math.sqrt((10 * 9 * 25 - 3 * 2 * 11 - 2 * 1 * 9) / 18)
    assert trend.p_falling == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2)))
    assert not trend.exact


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 10])
def test_no_trend_where_none_can_be(values: list[float]) -> None:
    trend = mann_kendall(values)
    assert (trend.p_falling, trend.p_rising) == (1.0, 1.0)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=60))
def test_reversing_turns_falling_into_rising(values: list[float]) -> None:
    there, back = mann_kendall(values), mann_kendall(values[::-1])
    assert (there.p_falling, there.p_rising) == (back.p_rising, back.p_falling)
    assert there.p_falling + there.p_rising >= 1 - 1e-9


def test_verdicts() -> None:
    rising, flat, falling = [float(v) for v in range(10)], [1.0] * 10, [float(-v) for v in range(10)]
    assert (judge(rising).converged, judge(rising).rising) == (True, True)
    assert (judge(flat).converged, judge(flat).rising) == (True, False)
    assert judge(flat, must_rise=True).converged is False
    assert judge(rising, must_rise=True).converged is True
    assert judge(falling).converged is False
    assert judge([1.0, math.nan]).converged is False
    assert judge([1.0, math.inf]).all_finite is False
    assert judge([]).converged is False
    with pytest.raises(ValueError, match="finite"):
        mann_kendall([math.nan])


# loopTest


def test_pending_is_the_specifications() -> None:
    assert json.dumps({"loopTest": loop_test(TestStatus.PENDING)}) == (
        '{"loopTest": {"status": "pending", "episodes": null, "results": null, "executedBy": null, "executedAt": null}}'
    )


def test_rl_result_is_the_specifications() -> None:
    rewards = rewards_of(
        [{"episode": 1, "reward": 72.1}, {"episode": 2, "reward": 78.5}, {"episode": 3, "reward": 92.1}]
    )
    result = rl_result(rewards, episodes=3)
    value = loop_test(
        result.status,
        episodes=3,
        results=result.results,
        executed_by="admin",
        executed_at=datetime(2026, 2, 9, 5, 30, tzinfo=UTC),
    )
    assert json.loads(json.dumps(value)) == {
        "status": "passed",
        "episodes": 3,
        "results": {
            "convergence": True,
            "avgReward": 80.9,
            "finalReward": 92.1,
            "log": "Episode 1: reward=72.1\nEpisode 2: reward=78.5\nEpisode 3: reward=92.1",
        },
        "executedBy": "admin",
        "executedAt": "2026-02-09 14:30",
    }


def test_general_result_is_the_specifications() -> None:
    result = general_result([Iteration(True, 0.32), Iteration(True, 0.36)], asked=2)
    assert result.passed
    assert result.results == {
        "successRate": "100%",
        "avgDuration": "0.34s",
        "log": "Run 1: SUCCESS (0.32s)\nRun 2: SUCCESS (0.36s)",
    }


@pytest.mark.parametrize(
    ("iterations", "asked", "rate"),
    [
        ([], 5, "0%"),
        ([Iteration(True, 1)] * 4, 5, "80%"),
        ([Iteration(True, 1)] * 199 + [Iteration(False, 1)], 200, "99%"),
    ],
)
def test_general_fails_below_a_hundred_percent(iterations: list[Iteration], asked: int, rate: str) -> None:
    result = general_result(iterations, asked=asked)
    assert (result.passed, result.results["successRate"]) == (False, rate)
    assert result.why_en


def rl(rewards: list[float], episodes: int) -> tuple[bool, str]:
    result = rl_result(list(enumerate(rewards, 1)), episodes=episodes)
    json.dumps(result.results, allow_nan=False)
    return result.passed, result.why_en


def test_why_an_rl_test_fails() -> None:
    assert rl([1.0, 2.0], 2) == (True, "")
    assert rl([1.0, 2.0], 10) == (False, "8 of 10 episodes reported no reward (first: 3).")
    assert rl([], 10)[0] is False
    assert rl([1.7e308, 1.7e308], 2) == (True, ""), "the mean of the largest numbers is a number"
    assert rl([1.0, math.nan], 2) == (False, "Some rewards are not finite.")
    assert rl([float(-v) for v in range(10)], 10) == (False, "The rewards fell significantly.")


def test_rewards_of_hostile_lines() -> None:
    lines: list[dict[str, Any] | None] = [
        {"episode": 2, "reward": 1},
        {"episode": 1, "reward": "72"},
        {"episode": "1", "reward": 5},
        {"episode": True, "reward": 5},
        {"episode": 3},
        {"reward": 4},
        {"episode": 2, "reward": 7, "loss": 1},
        None,
        {"episode": 0, "reward": 1},
        {"episode": 10**400, "reward": 1},
        {"episode": 4, "reward": 10**400},
    ]
    rewards = rewards_of(lines, episodes=3)
    assert rewards[1] == (2, 7.0)
    assert rewards[0][0] == 1
    assert math.isnan(rewards[0][1])
    assert len(rewards) == 2


@pytest.mark.parametrize(
    ("reward", "shown"),
    [(72.1, "72.1"), (0.0123412, "0.01234"), (12345.678, "12345.7"), (-3.0, "-3.0"), (1e300, "1e+300")],
)
def test_figures(reward: float, shown: str) -> None:
    assert rl_result([(1, reward)], episodes=1).results["log"] == f"Episode 1: reward={shown}"
