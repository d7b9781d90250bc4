"""Starts everything of `one serve` in one process, and ends it in order: the web, the loops, the storage.

await serve(Options(data=..., port=8000), on_ready)      # returns when told to stop
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio

from portal import jsonlog
from portal.daemon import main as daemon
from portal.daemon.context import Context
from portal.db.engine import Sessions, engine_for, migrate, sessions
from portal.serve import demo, person, seaweed, simulation, site
from portal.serve.errors import ServeError
from portal.serve.folder import DataFolder
from portal.serve.web import Server, listening, server_of
from portal.settings import Settings
from portal.store.s3 import ObjectStore
from portal.web.app import create_app


@dataclass(frozen=True)
class Options:
    """What was asked for. `port` 0 is any free one; `speed` is how much faster than a minute a step a played run goes."""

    data: Path
    port: int = 8000
    speed: float = 10.0
    demo: bool = False


@dataclass(frozen=True)
class Ready:
    """What a person needs to know now."""

    url: str
    folder: DataFolder
    username: str
    is_new: bool
    submitted: tuple[str, ...]


class Stop:
    """Whether to stop, and the trouble that asks for it."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.trouble: ServeError | None = None

    def because(self, trouble: ServeError | None) -> None:
        """The first reason counts."""
        if not self.asked.is_set():
            self.trouble = trouble
            self.asked.set()


async def serve(options: Options, on_ready: Callable[[Ready], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises ServeError for what a person can cure."""
    weed, username, folder = seaweed.program(), person.unix_user(), DataFolder(options.data)
    with folder.opened(), listening(options.port) as bound, folder.log.open("a", encoding="utf-8") as log:
        jsonlog.configure(log)
        (s3_port,) = seaweed.free_ports(1)
        settings = site.simulated(folder, port=bound.getsockname()[1], s3_port=s3_port)
        async with seaweed.running(folder, weed, s3_port) as storage:
            store = await seaweed.until_it_answers(storage, settings, folder.storage_log)
            await migrate(settings)
            slurm = simulation.SimulatedSlurm(folder, username, options.speed)
            engine = engine_for(settings)
            context = _context(settings, sessions(engine), store, slurm)
            try:
                is_new = await person.make_ready(context.sessions, folder, username, simulation.ACCOUNT)
                await daemon.control(context)  # the first snapshot: what is handed in now can be planned
                submitted = await demo.hand_in(context.sessions, settings, username) if options.demo else []
                ready = Ready(settings.web.public_url, folder, username, is_new, tuple(submitted))
                await _run(context, slurm, bound, storage, folder.storage_log, lambda: on_ready(ready))
            finally:
                slurm.turn()
                with anyio.CancelScope(shield=True):
                    await engine.dispose()


def _context(settings: Settings, maker: Sessions, store: ObjectStore, slurm: simulation.SimulatedSlurm) -> Context:
    return Context(
        settings=settings,
        sessions=maker,
        slurm=slurm,
        store=store,
        resolve_image=simulation.resolve,
        converter=simulation.SimulatedConverter(settings.storage.images),
        uid_of=lambda _name: os.getuid(),
    )


async def _run(
    context: Context,
    slurm: simulation.SimulatedSlurm,
    bound: socket.socket,
    storage: asyncio.subprocess.Process,
    storage_log: Path,
    on_ready: Callable[[], None],
) -> None:
    """All of it at once, until told to stop. Raises ServeError when the storage ends by itself."""
    stop = Stop()
    server = server_of(create_app(context.settings, store=context.store))
    async with anyio.create_task_group() as group:
        group.start_soon(_stop_on_signal, stop)
        group.start_soon(_stop_with, storage, stop, storage_log)
        group.start_soon(slurm.run)
        group.start_soon(daemon.run, context)
        served = anyio.Event()
        group.start_soon(_answer, server, bound, served)
        on_ready()
        await stop.asked.wait()
        server.should_exit = True
        await served.wait()
        group.cancel_scope.cancel()
    if stop.trouble is not None:
        raise stop.trouble


async def _answer(server: Server, bound: socket.socket, served: anyio.Event) -> None:
    try:
        await server.serve(sockets=[bound])
    finally:
        served.set()


async def _stop_on_signal(stop: Stop) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stop.because(None)


async def _stop_with(storage: asyncio.subprocess.Process, stop: Stop, log: Path) -> None:
    await storage.wait()
    stop.because(ServeError("seaweedfs_ended", log=log))
