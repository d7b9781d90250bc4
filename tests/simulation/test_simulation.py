"""300 schedules, each from its seed; `make soak` runs many more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.soak import run, workplace

SCHEDULES = 300
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
