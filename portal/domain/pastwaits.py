"""How long similar requests waited in the queue: an estimate only where there is enough to base it on (D27).

Similar: the same GPU types, and of each at least half and at most twice as many.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LEAST_SAMPLES = 5
NO_GPU = "no GPU"


@dataclass(frozen=True)
class PastWaits:
    """`median_s` is None with fewer than LEAST_SAMPLES similar requests; `count` says how many there were."""

    count: int
    median_s: float | None


def gpus_at_once(plan: Mapping[str, Any]) -> dict[str, int]:
    """GPUs by type that a plan's document holds at once (the most over its jobs); {NO_GPU: 1} without any."""
    most: dict[str, int] = {}
    for job in plan.get("jobs", []):
        held: dict[str, int] = {}
        for group in job["groups"]:
            if group["gpu_type"]:
                held[group["gpu_type"]] = held.get(group["gpu_type"], 0) + max(group["gpus"], 1) * group["nodes"]
        for label, count in held.items():
            most[label] = max(most.get(label, 0), count)
    return most or {NO_GPU: 1}


def past_waits(wanted: Mapping[str, int], past: Iterable[tuple[Mapping[str, int], float]]) -> PastWaits:
    """The median wait (seconds) of those in `past` that are similar to `wanted`."""
    similar = [wait_s for gpus, wait_s in past if _similar(wanted, gpus)]
    enough = len(similar) >= LEAST_SAMPLES
    return PastWaits(len(similar), statistics.median(similar) if enough else None)


def _similar(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return one.keys() == other.keys() and all(
        count <= 2 * other[label] and other[label] <= 2 * count for label, count in one.items()
    )
