"""Which jobs a snapshot carries: all of the portal's, and of everybody else's those that Slurm takes next."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import TypeVar

Job = TypeVar("Job")
OURS = "one-"
"""How the name of every job of the portal begins; somebody else's that does is carried too."""
OUTSIDE = 1_000
"""Jobs from outside that are carried. Pages show what waits in Slurm's order: beyond this many nobody reads on."""


def of_interest(
    jobs: Iterable[Job], *, name: Callable[[Job], str], waits: Callable[[Job], bool], priority: Callable[[Job], int]
) -> list[Job]:
    """The jobs to carry, before anything else of them is looked at: tens of thousands cost one look at their names."""
    ours: list[Job] = []
    others: list[Job] = []
    for job in jobs:
        (ours if name(job).startswith(OURS) else others).append(job)
    if len(others) > OUTSIDE:
        others = heapq.nlargest(OUTSIDE, filter(waits, others), key=priority)
    return ours + others
