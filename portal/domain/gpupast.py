"""GPUs in use in the past, as Prometheus still knows it when the daemon was away: its answers by node become samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Final

from portal.domain.gpuuse import BUSY_PERCENT, SIMULATED_MODEL, types_of
from portal.domain.samples import Reading, window_of

_ONE_A_GPU = "max by (Hostname, gpu, modelName) (avg_over_time(DCGM_FI_DEV_GPU_UTIL[5m]))"
SEEN, BUSY = "seen", "busy"
QUERIES: Final[Mapping[str, str]] = {
    SEEN: f"count by (Hostname, modelName) ({_ONE_A_GPU})",
    BUSY: f"count by (Hostname, modelName) ({_ONE_A_GPU} >= {BUSY_PERCENT:g})",
}
"""What Prometheus is asked over a range: how many GPUs of each model had a figure on each node, and how many were in use."""
Range = tuple[Mapping[str, str], Sequence[tuple[float, float]]]
"""Labels of one series, and (epoch seconds, value) in order."""
_NodeModel = tuple[str, str]


@dataclass(frozen=True)
class Past:
    """One window: GPUs in use by type, over all nodes that have it and of each node; None: not all of them had a figure."""

    at: datetime
    used: Mapping[str, float | None]
    nodes: Mapping[str, Mapping[str, float | None]]
    simulated: bool


def past_of(
    answers: Mapping[str, Iterable[Range]], nodes: Mapping[str, Mapping[str, int]], span_s: int
) -> tuple[Past, ...]:
    """The answers to QUERIES as one value a window of `span_s` in which anything was measured.

    `nodes` is what Slurm counts now: {"gpu1": {"A100": 8}}. A type is known where each GPU of each of its nodes had a figure.
    """
    seen, busy = (_by_moment(answers.get(name, ())) for name in (SEEN, BUSY))
    windows: dict[datetime, list[Mapping[str, Mapping[str, float] | None]]] = defaultdict(list)
    simulated: dict[datetime, bool] = defaultdict(bool)
    for moment in sorted(seen):
        window = window_of(datetime.fromtimestamp(moment, UTC), span_s)
        found = {name: _use(name, totals, seen[moment], busy.get(moment, {})) for name, totals in nodes.items()}
        windows[window].append(found)
        simulated[window] |= any(model.startswith(SIMULATED_MODEL) for _node, model in seen[moment])
    return tuple(_past(at, found, nodes, made_up=simulated[at]) for at, found in windows.items())


def _by_moment(series: Iterable[Range]) -> dict[float, dict[_NodeModel, float]]:
    found: dict[float, dict[_NodeModel, float]] = defaultdict(dict)
    for labels, values in series:
        key = labels.get("Hostname", "").partition(".")[0], labels.get("modelName", "")
        for moment, value in values:
            found[moment][key] = value
    return found


def _use(
    name: str, totals: Mapping[str, int], seen: Mapping[_NodeModel, float], busy: Mapping[_NodeModel, float]
) -> Mapping[str, float] | None:
    """GPUs in use on one node by type at one moment; None where a GPU had no figure, or its type is not to be told."""
    models = [model for (node, model), count in seen.items() if node == name for _ in range(int(count))]
    labels = types_of(models, totals)
    if not labels:
        return None
    types = dict(zip(models, labels, strict=True))
    used = dict.fromkeys(totals, 0.0)
    for model, label in types.items():
        used[label] += busy.get((name, model), 0.0)
    return used


def _past(
    at: datetime,
    found: Sequence[Mapping[str, Mapping[str, float] | None]],
    nodes: Mapping[str, Mapping[str, int]],
    *,
    made_up: bool,
) -> Past:
    by_node = {
        name: {label: _mean([use[name] for use in found], label) for label in totals} for name, totals in nodes.items()
    }
    used: dict[str, float | None] = {}
    for label in dict.fromkeys(label for totals in nodes.values() for label in totals):
        parts = [uses[label] for uses in by_node.values() if label in uses]
        known = [part for part in parts if part is not None]
        used[label] = round(sum(known), 2) if len(known) == len(parts) else None
    return Past(at, used, by_node, made_up)


def _mean(uses: Sequence[Mapping[str, float] | None], label: str) -> float | None:
    known = [use[label] for use in uses if use is not None]
    return round(fmean(known), 2) if known else None


def readings_of(past: Past) -> tuple[Reading, Mapping[str, Reading]]:
    """(the cluster's, each node's) part of a sample; what was allocated then is not known and has no figure."""
    mark = {"simulated": 1} if past.simulated else {}
    whole: Reading = {f"gpu:{label}": {"used": used, **mark} for label, used in past.used.items()}
    nodes: dict[str, Reading] = {
        name: {f"gpu:{label}": {"used": used} for label, used in uses.items()} for name, uses in past.nodes.items()
    }
    return whole, nodes
