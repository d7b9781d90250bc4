"""The loopTest value of the specification's section 5.2, letter by letter, and what makes a test pass (D15).

{"status": "passed", "episodes": 10, "results": {...}, "executedBy": "admin", "executedAt": "2026-02-09 14:30"}
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.domain.approval import TestStatus
from portal.domain.convergence import Convergence, judge
from portal.domain.metrics import as_float

FIGURES = 4
MAX_EPISODES = 1000
"""The longest minimal run test."""
SITE_ZONE = ZoneInfo("Asia/Seoul")


@dataclass(frozen=True)
class Iteration:
    """One run of a general test: whether every step ended well, and how long it took in seconds."""

    ok: bool
    seconds: float


@dataclass(frozen=True)
class TestResult:
    """A judged test: `results` is loopTest's; `why_*` says in words why it failed ("" when it passed)."""

    __test__ = False  # not a test class

    passed: bool
    results: dict[str, Any]
    why_ko: str = ""
    why_en: str = ""
    convergence: Convergence | None = None
    rewards: tuple[tuple[int, float], ...] = ()
    runs: tuple[Iteration, ...] = ()

    @property
    def details(self) -> dict[str, Any]:
        """What pages show beside `results`: the series itself, the trend's figures, why it failed; JSON has no infinities."""
        found: dict[str, Any] = {"why_ko": self.why_ko, "why_en": self.why_en}
        if self.rewards:
            found["rewards"] = [[episode, one if math.isfinite(one) else None] for episode, one in self.rewards]
        if self.runs:
            found["runs"] = [{"ok": run.ok, "seconds": run.seconds} for run in self.runs]
        trend = self.convergence.trend if self.convergence else None
        if trend is not None:
            found |= {"rising": trend.rising, "s": trend.s, "p_falling": trend.p_falling, "p_rising": trend.p_rising}
        return found

    @property
    def status(self) -> TestStatus:
        """passed or failed."""
        return TestStatus.PASSED if self.passed else TestStatus.FAILED


def loop_test(
    status: TestStatus,
    *,
    episodes: int | None = None,
    results: Mapping[str, Any] | None = None,
    executed_by: str | None = None,
    executed_at: datetime | None = None,
    zone: ZoneInfo = SITE_ZONE,
) -> dict[str, Any]:
    """The value of a workload's `loopTest` field; a pending one has nulls. `executed_at` is aware."""
    return {
        "status": status.value,
        "episodes": episodes,
        "results": None if results is None else dict(results),
        "executedBy": executed_by,
        "executedAt": None if executed_at is None else executed_at.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
    }


def rewards_of(
    points: Iterable[Mapping[str, Any] | None], *, episodes: int = MAX_EPISODES
) -> tuple[tuple[int, float], ...]:
    """(episode, reward) of the lines of one metrics.jsonl that report both, by episode; a repeated episode's last word counts.

    `{"episode": 1, "reward": 72.1}` -> ((1, 72.1),). A reward that is no number counts as not finite. Episodes that nobody
    asked for (outside 1 to `episodes`) count for nothing.
    """
    rewards: dict[int, float] = {}
    for point in points:
        episode = point.get("episode") if point and "reward" in point else None
        if isinstance(episode, int) and not isinstance(episode, bool) and 1 <= episode <= episodes:
            rewards[episode] = as_float((point or {})["reward"])
    return tuple(sorted(rewards.items()))


def rl_result(rewards: Sequence[tuple[int, float]], *, episodes: int, must_rise: bool = False) -> TestResult:
    """Judge an RL test: every one of the `episodes` asked for reported a finite reward, and the series converged."""
    values = [reward for _, reward in rewards]
    verdict = judge(values, must_rise=must_rise)
    results: dict[str, Any] = {
        "convergence": verdict.converged,
        "avgReward": _figure(sum(value / len(values) for value in values)) if values and verdict.all_finite else None,
        "finalReward": _figure(values[-1]) if values and math.isfinite(values[-1]) else None,
        "log": "\n".join(f"Episode {episode}: reward={_shown(reward)}" for episode, reward in rewards),
    }
    missing = [episode for episode in range(1, episodes + 1) if episode not in dict(rewards)]
    why_ko, why_en = _missing_words(missing, episodes) if missing else _verdict_words(verdict)
    return TestResult(not why_en, results, why_ko, why_en, verdict, tuple(rewards))


def _verdict_words(verdict: Convergence) -> tuple[str, str]:
    """Why the rewards do not pass; empty: they do."""
    if not verdict.all_finite:
        return "유한하지 않은 보상이 있습니다.", "Some rewards are not finite."
    if verdict.trend is not None and verdict.trend.falling:
        return "보상이 유의하게 떨어졌습니다.", "The rewards fell significantly."
    if not verdict.converged:
        return "보상이 유의하게 오르지 않았습니다.", "The rewards did not rise significantly."
    return "", ""


def _missing_words(missing: Sequence[int], episodes: int) -> tuple[str, str]:
    return (
        f"에피소드 {episodes}개 중 {len(missing)}개의 보상이 보고되지 않았습니다 (처음: {missing[0]}).",
        f"{len(missing)} of {episodes} episodes reported no reward (first: {missing[0]}).",
    )


def general_result(iterations: Sequence[Iteration], *, asked: int) -> TestResult:
    """Judge a general test: every one of the `asked` iterations ran and succeeded (100 %)."""
    good = sum(iteration.ok for iteration in iterations)
    mean_s = sum(iteration.seconds for iteration in iterations) / len(iterations) if iterations else None
    results = {
        "successRate": f"{100 * good // asked}%",
        "avgDuration": None if mean_s is None else f"{mean_s:.2f}s",
        "log": "\n".join(
            f"Run {number}: {'SUCCESS' if iteration.ok else 'FAILED'} ({iteration.seconds:.2f}s)"
            for number, iteration in enumerate(iterations, 1)
        ),
    }
    passed = good == asked == len(iterations)
    why_ko, why_en = (
        ("", "") if passed else (f"{asked}회 중 {good}회 성공했습니다.", f"{good} of {asked} runs succeeded.")
    )
    return TestResult(passed, results, why_ko, why_en, runs=tuple(iterations))


def _figure(value: float) -> float:
    """Four figures, or one decimal from 100 on: enough to compare, short enough to read."""
    return round(value, 1) if abs(value) >= 100 else float(f"{value:.{FIGURES}g}")


def _shown(value: float) -> str:
    return str(_figure(value)) if math.isfinite(value) else "not finite"
