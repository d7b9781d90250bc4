"""Samples of the cluster over time: how long each resolution is kept, and how many fine ones become a coarse one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

MINUTE_S, TEN_MINUTES_S, HOUR_S = 60, 600, 3600
RETENTION = {
    MINUTE_S: timedelta(hours=2),
    TEN_MINUTES_S: timedelta(hours=26),
    HOUR_S: timedelta(days=31),
}
"""How long samples of each span (seconds that one stands for) are kept."""
COARSER = ((MINUTE_S, TEN_MINUTES_S), (TEN_MINUTES_S, HOUR_S))
RANGES: Mapping[str, tuple[timedelta, int]] = {
    "1h": (timedelta(hours=1), MINUTE_S),
    "24h": (timedelta(hours=24), TEN_MINUTES_S),
    "7d": (timedelta(days=7), HOUR_S),
    "30d": (timedelta(days=30), HOUR_S),
}
"""What a chart of that range is drawn of."""
Reading = Mapping[str, Any]
"""Resource -> figure -> number or None (not measured): {"gpu:A100": {"total": 16, "allocated": 12, "used": None, ...}}."""


@dataclass(frozen=True)
class Sample:
    """One sample; `notes` are nodes that are not active: {"gpu2": "drain"}, `nodes` a reading of each node."""

    at: datetime
    span_s: int
    reading: Reading
    notes: Mapping[str, str]
    nodes: Mapping[str, Reading] = field(default_factory=dict)


def window_of(at: datetime, span_s: int) -> datetime:
    """The beginning of the window of this length that the moment is in."""
    return datetime.fromtimestamp(at.timestamp() // span_s * span_s, UTC)


def coarse(samples: Sequence[Sample], at: datetime, span_s: int) -> Sample:
    """The mean of samples as one; what none of them measured stays unmeasured. A node's worst word is kept."""
    notes = {node: word for sample in samples for node, word in sample.notes.items()}
    nodes = {
        name: _mean([sample.nodes[name] for sample in samples if name in sample.nodes])
        for name in dict.fromkeys(name for sample in samples for name in sample.nodes)
    }
    return Sample(at, span_s, _mean([sample.reading for sample in samples]), notes, nodes)


def _mean(readings: Sequence[Reading]) -> Reading:
    names = dict.fromkeys(name for reading in readings for name in reading)
    return {name: _means([reading[name] for reading in readings if name in reading]) for name in names}


def _means(found: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    keys = dict.fromkeys(key for one in found for key in one)
    known = {key: [value for one in found if (value := one.get(key)) is not None] for key in keys}
    return {key: round(fmean(values), 2) if values else None for key, values in known.items()}
