"""Series for charts: thinning keeps what one would see, and figures say what a run did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.series import best_row, figures, in_a_row, thinned, x_of

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(FINITE, min_size=1, max_size=400), st.integers(4, 60))
def test_a_thinned_series_keeps_its_ends_its_extremes_and_its_order(values: list[float], most: int) -> None:
    points = [(float(number), value) for number, value in enumerate(values)]
    kept = thinned(points, most)
    assert len(kept) <= max(most, min(len(points), most))
    assert set(kept) <= set(points)
    assert list(kept) == sorted(kept, key=lambda point: point[0])
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert {min(values), max(values)} <= {value for _, value in kept}


def test_figures_of_a_series() -> None:
    found = figures([(float(number), float(number % 7)) for number in range(1, 31)])
    assert found is not None
    assert (found.count, found.last, found.best, found.best_at, found.least) == (30, 2.0, 6.0, 6.0, 0.0)
    assert found.last_mean == pytest.approx(1.0)
    assert figures([]) is None


@pytest.mark.parametrize(
    ("op", "goal", "now", "best"),
    [(">=", 3, 2, 3), ("<=", 2, 0, 1), (">=", 9, 0, 0), ("<=", 9, 7, 7)],
)
def test_rows_of_values_that_meet_a_goal(op: str, goal: float, now: int, best: int) -> None:
    values = [3.0, 4.0, 5.0, 1.0, 2.5, 4.0, 4.0]
    assert (in_a_row(values, op, goal), best_row(values, op, goal)) == (now, best)


def test_where_a_line_of_metrics_stands() -> None:
    lines: list[dict[str, object]] = [
        {"episode": 7, "step": 900},
        {"step": 900},
        {"episode": "x"},
        {"episode": float("nan")},
        {},
    ]
    assert [x_of(line, number) for number, line in enumerate(lines, 1)] == [7.0, 900.0, 3.0, 4.0, 5.0]
