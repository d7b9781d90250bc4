"""Use over time: ranks summed, gaps kept, memory bounded."""

from __future__ import annotations

from portal.services.useseries import MOST_SLOTS, UsePoint, UseSeries


def point(t: float, rss: float = 1.0, cores: float | None = None, gpu: float | None = None) -> UsePoint:
    return UsePoint(t, rss, cores, gpu, None if gpu is None else 10.0)


def test_ranks_of_one_moment_are_summed_and_gpus_averaged() -> None:
    used = UseSeries()
    used.add(0, point(100.0, 5.0, None, 40.0))
    used.add(1, point(103.0, 7.0, 2.0, 60.0))
    used.add(0, point(110.0, 6.0, 1.5))
    assert used.points() == (
        UsePoint(100, 12.0, 2.0, 50.0, 20.0),
        UsePoint(110, 6.0, 1.5, None, None),
    )


def test_a_long_run_is_kept_in_wider_slots() -> None:
    used = UseSeries()
    for number in range(3 * MOST_SLOTS):
        used.add(0, point(10.0 * number, float(number)))
    found = used.points()
    assert MOST_SLOTS / 2 <= len(found) <= MOST_SLOTS
    assert found[-1].rss_mib == 3 * MOST_SLOTS - 1, "the newest sample of a slot"
    assert [one.t for one in found] == sorted(one.t for one in found)


def test_new_samples_are_seen() -> None:
    used = UseSeries()
    used.add(0, point(100.0))
    assert len(used.points()) == 1
    used.add(0, point(200.0))
    assert len(used.points()) == 2
