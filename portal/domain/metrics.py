"""Self-reported metrics (/one/metrics.jsonl) summed up: what a component's last word and its range were."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

REWARD = "reward"
NOT_METRICS = frozenset({"t", "episode", "step"})
MAX_METRICS = 200
MAX_KEY_CHARS = 128
"""Metrics of a component that a summary has, the first ones; and the length of a name. What is beyond is left out."""


@dataclass
class _Series:
    """One metric, however long: only its figures are kept."""

    first: float
    final: float = 0.0
    count: int = 0
    least: float = math.inf
    most: float = -math.inf
    mean: float = 0.0

    def add(self, value: float) -> None:
        """One more value. The mean moves by a part of the distance: a sum of large values would overflow."""
        self.final = value
        self.count += 1
        self.least, self.most = min(self.least, value), max(self.most, value)
        self.mean += value / self.count - self.mean / self.count


@dataclass(frozen=True)
class Summary:
    """What a file of metrics says: figures of each metric, lines read, and lines that were no JSON objects."""

    metrics: Mapping[str, Mapping[str, float]]
    lines: int
    lines_not_json: int

    def as_json(self) -> dict[str, Any]:
        """As a manifest keeps it."""
        return {"metrics": self.metrics, "lines": self.lines, "lines_not_json": self.lines_not_json}


def summary(points: Iterable[Mapping[str, Any] | None]) -> Summary:
    """Key -> {count, first, final, min, max, mean} of every numeric key; values that are not finite are left out.

    A point that is None was a line without a JSON object.
    """
    series: dict[str, _Series] = {}
    good = bad = 0
    for point in points:
        if point is None:
            bad += 1
            continue
        good += 1
        for key, value in point.items():
            number = as_float(value)
            if math.isfinite(number) and _is_metric(key) and (key in series or len(series) < MAX_METRICS):
                series.setdefault(key, _Series(first=number)).add(number)
    return Summary({key: _figures(values) for key, values in series.items()}, good, bad)


def as_float(value: object) -> float:
    """The number; NaN for what is none, infinity for an integer that no float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_metric(key: str) -> bool:
    return key not in NOT_METRICS and len(key) <= MAX_KEY_CHARS and key.isprintable()


def _figures(values: _Series) -> dict[str, float]:
    return {
        "count": values.count,
        "first": values.first,
        "final": values.final,
        "min": values.least,
        "max": values.most,
        "mean": values.mean,
    }


@dataclass(frozen=True)
class KeyMetric:
    """The one figure that stands for a run: a metric's last value, and the step that reported it."""

    step: str
    name: str
    final: float


def key_metric(found: Mapping[str, Any]) -> KeyMetric | None:
    """Of a manifest's `metrics` (step -> summary): the last step's reward, else the last step's first metric."""
    reported = [
        KeyMetric(step, name, figures["final"])
        for step, said in found.items()
        for name, figures in said.get("metrics", {}).items()
    ]
    rewards = [metric for metric in reported if metric.name == REWARD]
    if rewards:
        return rewards[-1]
    return next((metric for metric in reported if metric.step == reported[-1].step), None)
