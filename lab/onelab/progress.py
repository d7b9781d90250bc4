"""Progress lines with the time since the start."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Writes one line per event to stderr, so that stdout stays a verb's own output."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._lock = threading.Lock()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._start_s

    def say(self, text: str) -> None:
        with self._lock:
            print(f"[{self.elapsed_s():6.1f} s] {text}", file=sys.stderr, flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Announce `text`, how it ended, and how long it took."""
        begun_s = time.monotonic()
        self.say(f"{text} ...")
        ended = "failed after"
        try:
            yield
            ended = "done in"
        finally:
            self.say(f"{text}: {ended} {time.monotonic() - begun_s:.1f} s")
