"""A rank's samples become figures: what was measured, over minutes and over the whole run, and nothing that was not."""

from __future__ import annotations

from typing import Any

import pytest

from portal.domain.usage import Meter, Use, joined, sample_of

GPU = {"index": 0, "util": 90, "mem_mib": 10}


def line(t: float, *, cpu_s: float = 0.0, rss_mib: float = 100.0, gpus: Any = None) -> dict[str, Any]:
    return {"t": t, "cpu_s": cpu_s, "rss_mib": rss_mib, "gpus": gpus}


def test_now_is_the_last_minutes_and_whole_is_all_of_it() -> None:
    busy = [line(t, cpu_s=2.0 * t, rss_mib=500.0 - t, gpus=[GPU]) for t in range(0, 400, 10)]
    idle = [line(t, cpu_s=800.0, gpus=[{**GPU, "util": 0}]) for t in range(400, 1000, 10)]
    meter = Meter().take_all([*busy, *idle])
    now, whole = meter.now(), meter.whole()
    assert (now.memory_mib, now.peak_memory_mib, now.cores, now.gpu_percent) == (100.0, 500.0, 0.0, (0.0,))
    assert (whole.peak_memory_mib, whole.gpu_memory_mib, whole.gpu_percent) == (500.0, 10.0, (36.0,))
    assert whole.cores == pytest.approx(800 / 990)
    assert (meter.samples, meter.span_s) == (100, 990.0)


def test_what_was_not_measured_is_unknown() -> None:
    blind = Meter().take_all([line(1.0, rss_mib=5.0)]).now()
    assert (blind.gpu_percent, blind.busy_gpus, blind.cores, blind.gpu_mean) == (None, None, None, None)
    seen = Meter().take_all([line(t, cpu_s=t, gpus=[GPU]) for t in (1, 2)]).now()
    assert joined([seen, blind]).cores is None, "a rank without figures leaves the sum unknown"
    assert Meter().now() == Meter().whole() == Use()


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"t": 1, "cpu_s": 1},
        line(float("nan")),
        line(float("inf")),
        line(-1),
        line(1, rss_mib=1e300),
        line(True),
        line(1, rss_mib="much"),  # type: ignore[arg-type]
        line(1, cpu_s=10**400),
    ],
    ids=str,
)
def test_a_broken_line_is_passed_over(broken: dict[str, Any]) -> None:
    assert sample_of(broken) is None
    assert Meter().take_all([line(1.0), broken, None]).samples == 1


@pytest.mark.parametrize("gpus", [7, {}, [7], [{"index": "0"}], [{"index": 0}], [{"index": 0, "util": "x"}]], ids=str)
def test_a_broken_gpu_is_not_measured(gpus: Any) -> None:
    assert Meter().take_all([line(1.0, gpus=gpus)]).whole().gpu_percent is None


def test_time_that_runs_backwards_makes_no_cores() -> None:
    assert Meter().take_all([line(10.0, cpu_s=1), line(5.0, cpu_s=9)]).whole().cores is None
