"""Summaries of what components say of themselves: figures of any length of file, whatever the lines are."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from portal.domain.metrics import MAX_METRICS, summary


def test_figures_of_a_metric() -> None:
    points = [{"episode": 1, "reward": 1}, {"reward": 4, "t": 9}, None, {"reward": 1.0, "note": "x", "ok": True}]
    assert summary(points).as_json() == {
        "metrics": {"reward": {"count": 3, "first": 1.0, "final": 1.0, "min": 1.0, "max": 4.0, "mean": 2.0}},
        "lines": 3,
        "lines_not_json": 1,
    }


def test_numbers_that_no_float_holds_are_left_out() -> None:
    assert summary([{"a": 10**400}, {"a": math.nan}, {"a": -math.inf}, {"a": "1"}]).metrics == {}


def test_the_largest_numbers_have_a_mean() -> None:
    figures = summary([{"a": 1.7e308}] * 5 + [{"a": -1.7e308}] * 5).metrics["a"]
    assert math.isfinite(figures["mean"])


def test_a_summary_has_a_limit_of_names() -> None:
    found = summary({f"k{number}": 1.0, "\0": 1.0, "x" * 129: 1.0, "\ud800": 1.0} for number in range(1000)).metrics
    assert len(found) == MAX_METRICS
    assert set(found) == {f"k{number}" for number in range(MAX_METRICS)}


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.floats() | st.text()) | st.none()))
def test_any_lines_make_json_that_every_database_takes(points: list[dict[str, object] | None]) -> None:
    text = json.dumps(summary(points).as_json(), ensure_ascii=False, allow_nan=False)
    assert "\0" not in text.encode().decode()
