"""A portal in a thread of its own, so that a test can drive a browser and turn the portal's world at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from portal.settings import Settings
from tests.browser import site
from tests.daemon.world import World

T = TypeVar("T")
START_S = 120
CALL_S = 60


class Hosted:
    """A running portal: its address, its settings, its world, and the loop that both live in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings, world: World) -> None:
        self._loop = loop
        self.settings = settings
        self.world = world
        self.url = settings.web.public_url

    def do(self, made: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the world, `site.do(site.world.cancel("W-…"))`; its answer."""
        return asyncio.run_coroutine_threadsafe(made, self._loop).result(CALL_S)

    def round(self, times: int = 1, seconds: float = 5.0, *, only: Collection[str] = ()) -> None:
        """The daemon goes round (or only its loops of these names); `seconds` pass in the cluster each time."""
        for _ in range(times):
            self.do(self.world.round(seconds, only=only))

    def until(
        self, reached: Callable[[World], Coroutine[Any, Any, bool]], rounds: int = 40, seconds: float = 5.0
    ) -> None:
        """Go round until the world says that it is so; fails after `rounds`."""
        for _ in range(rounds):
            if self.do(reached(self.world)):
                return
            self.round(seconds=seconds)
        raise AssertionError(f"not reached in {rounds} rounds of {seconds} s")


@contextmanager
def hosted(folder: Path, build: site.Build, adjust: site.Adjust = lambda settings: settings) -> Iterator[Hosted]:
    """Serve until the block ends, on a port that was free."""
    started: Future[Hosted] = Future()
    ended = threading.Event()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        async with site.running(folder, build=build, adjust=adjust) as (settings, world):
            started.set_result(Hosted(loop, settings, world))
            while not ended.is_set():
                await asyncio.sleep(0.05)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="portal", daemon=True)
    thread.start()
    try:
        yield started.result(START_S)
    finally:
        ended.set()
        thread.join(START_S)
