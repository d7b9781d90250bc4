"""A process that serves has its own beginnings out of the garbage collector's way."""

from __future__ import annotations

import gc

from portal import heap


def test_what_is_there_is_not_looked_at_again() -> None:
    before = gc.get_freeze_count()
    try:
        heap.settle()
        assert gc.get_freeze_count() > before + 10_000
        assert len(gc.get_objects()) < 10_000
    finally:
        gc.unfreeze()
