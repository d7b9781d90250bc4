"""Self-reported metrics (/one/metrics.jsonl) summed up: what a component's last word and its range were."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

NOT_METRICS = frozenset({"t", "episode", "step"})


def summary(points: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Key -> {count, first, final, min, max, mean} of every numeric key; values that are not finite are left out."""
    series: dict[str, list[float]] = {}
    for point in points:
        for key, value in point.items():
            if key not in NOT_METRICS and _is_number(value) and math.isfinite(value):
                series.setdefault(key, []).append(float(value))
    return {
        key: {
            "count": len(values),
            "first": values[0],
            "final": values[-1],
            "min": min(values),
            "max": max(values),
            "mean": sum(values) / len(values),
        }
        for key, values in series.items()
    }


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
