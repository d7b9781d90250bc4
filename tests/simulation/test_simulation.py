"""300 schedules, each from its seed; `make soak` runs many more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.schedule import Schedule
from tests.simulation.soak import run, workplace

pytestmark = pytest.mark.simulation

SCHEDULES = int(os.environ.get("SCHEDULES", "300"))
A_TEST = 10


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the schedules of one worker run."""
    with workplace() as made:
        yield made


@pytest.mark.parametrize("first", range(0, SCHEDULES, A_TEST))
def test_every_schedule_ends_well(folder: Path, first: int) -> None:
    broken = [text for seed in range(first, first + A_TEST) if (text := run(seed, folder))]
    assert not broken, "\n".join(broken)


def test_a_seed_repeats_itself(folder: Path) -> None:
    traces = []
    for name in ("first", "second"):
        mine = folder / name
        mine.mkdir()
        schedule = Schedule(12, mine, folder / "template.db")
        schedule.run()
        traces.append(schedule.trace)
    assert traces[0] == traces[1]
    assert len(traces[0]) > 10
