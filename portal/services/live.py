"""One reader a process serves all who watch: it asks once for all watched things what they are like, and wakes who is concerned.

A thing is (kind, key), e.g. ("workload", "W-A1B2C3"). Its mark is a short text that changes when anything about it does; the
reader of a kind gives the marks of all watched keys in one go. The number of watchers changes nothing of what is asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

Thing = tuple[str, str]
ReadMarks = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]
LOOK_INTERVAL_S = 1.0
_log = structlog.get_logger("portal.live")


@dataclass(eq=False)
class Watcher:
    """One open page: what it watches, and the marks that it has seen."""

    things: frozenset[Thing]
    seen: dict[Thing, str] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class LiveHub:
    """Reads while somebody watches; `readers` has one function a kind."""

    def __init__(self, readers: Mapping[str, ReadMarks], interval_s: float = LOOK_INTERVAL_S) -> None:
        self._readers = dict(readers)
        self._interval_s = interval_s
        self._watchers: set[Watcher] = set()
        self._watched: Counter[Thing] = Counter()
        self._marks: dict[Thing, str] = {}
        self._reading: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()

    @property
    def kinds(self) -> Collection[str]:
        """What can be watched."""
        return self._readers.keys()

    @contextmanager
    def watch(self, things: Collection[Thing], seen: Mapping[Thing, str]) -> Iterator[Watcher]:
        """A watcher that has seen these marks before; the reader runs from the first watcher to the last."""
        watcher = Watcher(frozenset(things), dict(seen))
        self._watchers.add(watcher)
        self._watched.update(watcher.things)
        watcher.woken.set()
        self._asked.set()
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on(), name="live reader")
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            self._watched.subtract(watcher.things)
            self._watched += Counter()  # drops what nobody watches
            self._marks = {thing: mark for thing, mark in self._marks.items() if thing in self._watched}
            if not self._watchers:
                self._reading.cancel()
                self._reading = None

    async def news(self, watcher: Watcher, patience_s: float) -> dict[Thing, str]:
        """The things that changed since the watcher last saw them, with their marks; empty after `patience_s` without any."""
        try:
            async with asyncio.timeout(patience_s):
                while not (found := self._unseen(watcher)):
                    watcher.woken.clear()
                    await watcher.woken.wait()
        except TimeoutError:
            if self._reading is not None and self._reading.done() and not self._reading.cancelled():
                self._reading.result()  # nothing will come any more: the page must know
            return {}
        watcher.seen.update(found)
        return found

    def _unseen(self, watcher: Watcher) -> dict[Thing, str]:
        marks = {thing: self._marks[thing] for thing in watcher.things if thing in self._marks}
        return {thing: mark for thing, mark in marks.items() if watcher.seen.get(thing) != mark}

    async def _read_on(self) -> None:
        while True:
            self._asked.clear()
            try:
                await self.read_once()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("what is watched could not be read; trying again", error=str(error))
            await self._pause()

    async def _pause(self) -> None:
        """Until the next look is due; a new watcher need not wait for it."""
        try:
            async with asyncio.timeout(self._interval_s):
                await self._asked.wait()
        except TimeoutError:
            return

    async def read_once(self) -> None:
        """One look at everything that is watched."""
        for kind, read in self._readers.items():
            keys = [key for one, key in self._watched if one == kind]
            if keys:
                found = await read(keys)
                self._take({(kind, key): mark for key, mark in found.items()})

    def _take(self, found: Mapping[Thing, str]) -> None:
        changed = {thing for thing, mark in found.items() if self._marks.get(thing) != mark}
        self._marks.update({thing: found[thing] for thing in changed if thing in self._watched})
        if changed:
            for watcher in self._watchers:
                if watcher.things & changed:
                    watcher.woken.set()
