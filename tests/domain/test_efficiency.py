"""Advice follows from figures; a figure that is not known gives none, and too short a run says nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from portal.domain.efficiency import NOTE_CHARS, Asked, Report, Used, as_json, note, report_of, size_for, used_of
from portal.domain.usage import Meter

GB = 1024
ASKED = Asked(nodes=1, cpus=8, memory_mib=128 * GB, gpus=4)
USED = Used(samples=60, span_s=600, cores=6.0, peak_memory_mib=100 * GB, gpu_percent=(90.0,) * 4, gpu_memory_mib=9000.0)


def codes(asked: Asked = ASKED, max_rss_mib: int | None = None, **used: Any) -> list[str]:
    return [one.code for one in Report("T/C", asked, replace(USED, **used), max_rss_mib).advice]


def test_who_uses_what_was_asked_for_hears_nothing() -> None:
    assert codes() == []


def test_the_words_name_what_would_do() -> None:
    (advice,) = Report("T/C", ASKED, replace(USED, peak_memory_mib=9.0 * GB)).advice
    assert advice.en == "Peak 9GB of 128GB memory. 16GB would do."
    assert advice.ko == "메모리 128GB 중 최대 9GB 사용. 다음에는 16GB로 충분합니다."


@pytest.mark.parametrize(("peak_gb", "enough_gb"), [(0.1, 1), (0.9, 2), (9, 16), (41, 64), (64, 128), (100, 256)])
def test_sizes_leave_half_as_much_again(peak_gb: float, enough_gb: int) -> None:
    assert size_for(peak_gb * GB) == enough_gb * GB


@pytest.mark.parametrize(
    ("used", "said"),
    [
        ({"peak_memory_mib": 41 * GB}, ["memory_too_much"]),
        ({"peak_memory_mib": 120 * GB}, ["memory_nearly_used"]),
        ({"cores": 1.2}, ["cpus_too_many"]),
        ({"cores": 0.0}, ["cpus_too_many"]),
        ({"cores": 4.0}, []),
        ({"cores": 7.9}, ["cpus_all_busy"]),
        ({"gpu_percent": (90.0, 0.0, 0.0, 4.9)}, ["gpus_idle"]),
        ({"gpu_percent": (0.0,) * 4}, ["gpus_unused"]),
        ({"gpu_percent": (12.0,) * 4}, ["gpus_little_used"]),
        ({"gpu_percent": (0.0,) * 3}, []),
        ({"gpu_percent": None, "cores": None, "peak_memory_mib": None}, []),
        ({"span_s": 19.0, "cores": 0.0, "peak_memory_mib": 1.0}, []),
    ],
    ids=str,
)
def test_advice(used: dict[str, Any], said: list[str]) -> None:
    assert codes(**used) == said


def test_a_share_of_a_gpu_is_not_judged() -> None:
    assert codes(Asked(1, 8, 128 * GB, gpus=0, shards=4), gpu_percent=(0.0,)) == []


def test_saccts_peak_counts_where_it_is_larger() -> None:
    assert codes(max_rss_mib=126 * GB) == ["memory_nearly_used"]
    unseen = Report("T/C", ASKED, replace(USED, peak_memory_mib=None), 9 * GB)
    assert [one.code for one in unseen.advice] == ["memory_too_much"]


def test_the_node_that_used_most_counts() -> None:
    low, high = Meter(), Meter()
    for t in range(0, 100, 10):
        low.take({"t": t, "cpu_s": 0.1 * t, "rss_mib": 10.0, "gpus": [{"index": 0, "util": 10, "mem_mib": 1}]})
        high.take({"t": t, "cpu_s": 2.0 * t, "rss_mib": 90.0, "gpus": [{"index": 0, "util": 30, "mem_mib": 2}]})
    used = used_of([low, high])
    assert (used.peak_memory_mib, used.cores, used.gpu_percent, used.samples) == (90.0, 2.0, (10.0, 30.0), 20)
    assert used_of([Meter()]) == Used()


def test_a_report_is_kept_whole() -> None:
    for used in (USED, Used()):
        assert report_of("T/C", as_json(ASKED, used), 7) == Report("T/C", ASKED, used, 7)


def test_sacct_is_told_in_one_line() -> None:
    known = Report("TASK-001/SIM-001", ASKED, replace(USED, peak_memory_mib=9.25 * GB))
    unknown = Report("TASK-001/CPU-001", replace(ASKED, gpus=0), Used())
    assert note("W-A1B2C3", [known, unknown]) == (
        "W-A1B2C3 used of asked: TASK-001/SIM-001 cpu 6.0/8 mem 9.25GB/128GB gpu 90%/4; TASK-001/CPU-001 cpu ?/8 mem ?/128GB"
    )
    many = note("W-A1B2C3", [replace(known, step=f"TASK-001/{n:064}") for n in range(40)])
    assert len(many) <= NOTE_CHARS + 20
    assert many.endswith(" more")
