"""A chart as a page hands it to the browser: lines, goals, marks and the sentence that says the same in words.

A page's context makes a `Chart`; its template draws it with the macro of templates/layout/charts.html and loads the element:

    {% import "layout/charts.html" as charts with context %}
    {% block head %}<script type="module" src="{{ asset('charts.js') }}"></script>{% endblock %}
    {{ charts.chart(page.reward, fmt) }}

`<one-chart>` (portal/web/assets/src/charts/) draws the document of its attribute `data-chart`, again whenever a live swap
changes it; with `data-src` instead it fetches the document from a route that answers `chart.as_json()`. The summary and the
table, "View as table", lie inside the element as HTML: they are there without scripts too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from portal.domain.series import MOST_POINTS, thinned

TABLE_ROWS = 50
COLOURS = 6


@dataclass(frozen=True)
class Line:
    """One line: its name, (x, y) points in order, y None for a gap; a run or step has one `colour` (1 to 6) everywhere."""

    name: str
    points: Sequence[tuple[float, float | None]]
    colour: int = 1
    smooth: bool = False
    kind: Literal["line", "step", "area"] = "line"
    dashed: bool = False

    def as_json(self) -> dict[str, Any]:
        """As the element reads it."""
        flags = {"smooth": self.smooth, "dashed": self.dashed}
        kind = {} if self.kind == "line" else {"kind": self.kind}
        points = [list(point) for point in self.points]
        return {
            "name": self.name,
            "points": points,
            "colour": self.colour,
            **kind,
            **{k: v for k, v in flags.items() if v},
        }


@dataclass(frozen=True)
class Goal:
    """A horizontal line with its words."""

    text: str
    value: float


@dataclass(frozen=True)
class Mark:
    """A vertical line with its words: something that happened."""

    text: str
    at: float


@dataclass(frozen=True)
class Chart:
    """One chart; `time` says that x are milliseconds since 1970, `zero` that the y axis begins at 0."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    summary: str
    goals: tuple[Goal, ...] = ()
    marks: tuple[Mark, ...] = ()
    time: bool = False
    zero: bool = False
    is_thinned: bool = False

    def as_json(self) -> dict[str, Any]:
        """The document of `<one-chart>` (src/charts/document.ts)."""
        return {
            "title": self.title,
            "x": self.x,
            "y": self.y,
            "lines": [line.as_json() for line in self.lines],
            "goals": [{"text": goal.text, "value": goal.value} for goal in self.goals],
            "marks": [{"text": mark.text, "at": mark.at} for mark in self.marks],
            "summary": self.summary,
            **({"time": True} if self.time else {}),
            **({"zero": True} if self.zero else {}),
        }

    def as_text(self) -> str:
        """The document as the attribute has it."""
        return json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":"))

    @property
    def rows(self) -> tuple[tuple[float, tuple[float | None, ...]], ...]:
        """The newest TABLE_ROWS places on the x axis with every line's value there, None where a line has none."""
        values = [dict(line.points) for line in self.lines]
        places = sorted({x for line in values for x in line})[-TABLE_ROWS:]
        return tuple((x, tuple(line.get(x) for line in values)) for x in places)


def line_of(
    name: str, points: Sequence[tuple[float, float]], *, number: int = 0, smooth: bool = False, most: int = MOST_POINTS
) -> Line:
    """A line of a series, thinned to `most` points; `number` (from 0) chooses the colour."""
    return Line(name, thinned(points, most), number % COLOURS + 1, smooth)
