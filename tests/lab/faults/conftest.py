"""Every test of this folder has a story that is kept, and leaves a lab behind in which everything runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.lab.faults.breaking import mend
from tests.lab.faults.stories import Story


@pytest.fixture
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    """The timeline of this test, titled by its docstring."""
    title = (request.function.__doc__ or "").strip().splitlines()[0]
    told = Story(request.node.name.removeprefix("test_"), title)
    thread = threading.Thread(target=told.follow)
    thread.start()
    try:
        yield told
    finally:
        told.end()
        thread.join()
        mend()
