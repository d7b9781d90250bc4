"""How often Slurm is read: at each round, but never for more than a fifth of the time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

SHARE = 0.2
"""Of the time; the rest is Slurm's and everybody else's. A look that takes a second is made every five seconds."""


class Pace:
    """Says when the next look is due, by how long the last one took."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = 0.0

    async def when_due(self, look: Callable[[], Awaitable[None]]) -> None:
        """Look, unless it is too early; a look that failed took its time too."""
        began = self._clock()
        if began < self._next:
            return
        try:
            await look()
        finally:
            ended = self._clock()
            self._next = ended + (ended - began) * (1 / SHARE - 1)
