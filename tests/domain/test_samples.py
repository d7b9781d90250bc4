"""Samples over time: means leave out what nobody measured, and windows begin where the clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from portal.domain.samples import HOUR_S, RANGES, RETENTION, Sample, coarse, window_of

AT = datetime(2026, 2, 9, 14, 37, 12, tzinfo=UTC)


def test_windows_begin_where_the_clock_says() -> None:
    assert window_of(AT, 600) == datetime(2026, 2, 9, 14, 30, tzinfo=UTC)
    assert window_of(AT, HOUR_S) == datetime(2026, 2, 9, 14, tzinfo=UTC)


def test_a_coarse_sample_is_the_mean_of_what_was_measured() -> None:
    def sample(used: float | None, **notes: str) -> Sample:
        return Sample(AT, 60, {"gpu:A100": {"allocated": 12, "used": used}}, notes)

    one = coarse([sample(None), sample(4, gpu2="drain"), sample(5)], AT, 600)
    assert one.reading == {"gpu:A100": {"allocated": 12, "used": 4.5}}
    assert one.notes == {"gpu2": "drain"}
    assert coarse([sample(None)], AT, 600).reading["gpu:A100"]["used"] is None, "never 0"


def test_every_range_is_kept_as_long_as_it_shows() -> None:
    for name, (length, span_s) in RANGES.items():
        assert RETENTION[span_s] >= length, name
        assert length / timedelta(seconds=span_s) <= 750, name
