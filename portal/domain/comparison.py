"""Runs side by side: which metric of which run is best, and which settings differ. Nothing here knows how many there may be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.domain.series import Figures, Point, figures

LETTERS = "ABCDEF"
FEWEST, MOST = 2, len(LETTERS)
_LOWER_IS_BETTER = ("loss", "error", "err", "cost", "regret", "violation", "latency", "seconds", "mse", "mae", "rmse")
Where = tuple[str, str]
"""What a setting belongs to ("" the App, TASK, TASK/NODE) and its dotted path inside it."""
ABSENT = object()


@dataclass(frozen=True)
class MetricCell:
    """One run's figures of one metric; `delta` is the last value's distance to the base's, None where that has none."""

    figures: Figures
    best: float
    delta: float | None
    is_best: bool


@dataclass(frozen=True)
class MetricRow:
    """One metric over all runs, None for one that did not record it."""

    name: str
    lower_is_better: bool
    cells: tuple[MetricCell | None, ...]


@dataclass(frozen=True)
class SettingRow:
    """One setting over all runs; `values` has ABSENT where a run's spec lacks the place."""

    where: str
    path: str
    values: tuple[Any, ...]
    differs: bool


@dataclass(frozen=True)
class FigureRow:
    """One figure that an Operator found out about every run, None for one that it did not look at or find it in."""

    operator: str
    name: str
    values: tuple[float | str | None, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs that have it do not all have the same."""
        return len({value for value in self.values if value is not None}) > 1


def figure_rows(runs: Sequence[Mapping[str, Mapping[str, float | str]]]) -> tuple[FigureRow, ...]:
    """A row a figure, grouped by Operator; each run is Operator -> figure -> value."""
    names = dict.fromkeys((operator, name) for run in runs for operator, figures in run.items() for name in figures)
    operators = dict.fromkeys(operator for operator, _ in names)
    ordered = [place for one in operators for place in names if place[0] == one]
    return tuple(
        FigureRow(operator, name, tuple(run.get(operator, {}).get(name) for run in runs)) for operator, name in ordered
    )


def metric_rows(
    runs: Sequence[Mapping[str, Sequence[Point]]], base: int, flipped: Collection[str] = ()
) -> tuple[MetricRow, ...]:
    """A row a metric, in the order in which the runs name them; `flipped` ones are better the other way than their name says."""
    names = dict.fromkeys(name for run in runs for name in run)
    return tuple(_metric_row(name, runs, base, flips=name in flipped) for name in names)


def lower_is_better(name: str) -> bool:
    """What the metric's name says: losses and errors should fall, all else should rise."""
    words = name.lower().replace("-", "_").replace("/", "_").split("_")
    return any(word in _LOWER_IS_BETTER for word in words)


def _metric_row(name: str, runs: Sequence[Mapping[str, Sequence[Point]]], base: int, *, flips: bool) -> MetricRow:
    lower = lower_is_better(name) != flips
    found = [figures(run.get(name, ())) for run in runs]
    known = [one.last for one in found if one is not None]
    best = (min if lower else max)(known, default=None)
    of_base = found[base]
    cells: list[MetricCell | None] = []
    for one in found:
        if one is None:
            cells.append(None)
            continue
        delta = None if of_base is None else one.last - of_base.last
        is_best = len(known) > 1 and one.last == best
        cells.append(MetricCell(one, one.least if lower else one.best, delta, is_best))
    return MetricRow(name, lower, tuple(cells))


def flat(content: Mapping[str, Any]) -> dict[Where, Any]:
    """What a spec hash covers (`hashed_content`) as single settings; lists are one value, what is empty is not there."""
    settings: dict[Where, Any] = {}
    for key, value in content.items():
        if key == "tasks":
            for task in value:
                settings |= _of_task(task)
        elif key != "format":
            settings |= {("", path): leaf for path, leaf in _leaves(key, value)}
    return settings


def _of_task(task: Mapping[str, Any]) -> dict[Where, Any]:
    found: dict[Where, Any] = {}
    for component in task["components"]:
        place = f"{task['task_id']}/{component['node_id']}"
        parts = {key: value for key, value in component.items() if key != "node_id"}
        found |= {(place, path): leaf for path, leaf in _leaves("", parts)}
    rest = {key: task[key] for key in ("workflow", "after")}
    return {**{(task["task_id"], path): leaf for path, leaf in _leaves("", rest)}, **found}


def _leaves(path: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [leaf for key, inner in value.items() for leaf in _leaves(f"{path}.{key}" if path else str(key), inner)]
    is_empty = value is None or value == {} or value == []
    return [] if is_empty else [(path, value)]


def setting_rows(runs: Sequence[Mapping[Where, Any]]) -> tuple[SettingRow, ...]:
    """A row a setting of any run: the App's first, then Task by Task as the runs have them."""
    places = dict.fromkeys(place for run in runs for place in run)
    groups = dict.fromkeys(where for where, _ in places)
    ordered = [place for group in sorted(groups, key=lambda name: name != "") for place in places if place[0] == group]
    return tuple(_setting_row(place, runs) for place in ordered)


def _setting_row(place: Where, runs: Sequence[Mapping[Where, Any]]) -> SettingRow:
    values = tuple(run.get(place, ABSENT) for run in runs)
    return SettingRow(*place, values, any(_unlike(value, values[0]) for value in values[1:]))


def _unlike(one: Any, other: Any) -> bool:
    return (one is ABSENT) != (other is ABSENT) or one != other
