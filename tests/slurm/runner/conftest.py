"""The cluster of stubs as a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.runner.harness import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A fresh cluster of stubs; when the test is over nothing may be left in scratch."""
    made = Cluster(tmp_path)
    yield made
    made.close()
    assert list(made.scratch.iterdir()) == []
