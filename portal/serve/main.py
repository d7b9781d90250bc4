"""Starts everything of `one serve` in one process, and ends it in order: the web, the loops, the storage.

await serve(Options(data=..., cluster=simulated(10)), on_ready)      # returns when told to stop
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from sqlalchemy.ext.asyncio import AsyncEngine

from portal import heap, jsonlog
from portal.daemon import main as daemon
from portal.daemon.context import Context
from portal.db.engine import Sessions, engine_for, migrate, sessions
from portal.serve import demo, person, seaweed
from portal.serve.cluster import Cluster, Opened, Trouble
from portal.serve.errors import ServeError
from portal.serve.folder import DataFolder
from portal.serve.web import Server, listening, server_of
from portal.settings import Settings
from portal.store.s3 import ObjectStore
from portal.web.app import create_app


@dataclass(frozen=True)
class Options:
    """What was asked for: the data folder, what it runs on. `port` 0 is any free one."""

    data: Path
    cluster: Opened
    port: int = 8000
    demo: bool = False
    is_private: bool = False
    """The storage is out of reach for the other users of this host."""


@dataclass(frozen=True)
class Ready:
    """What a person needs to know now."""

    url: str
    folder: DataFolder
    username: str
    is_new: bool
    submitted: tuple[str, ...]
    about: Mapping[str, str]
    """Of the cluster, for people: see `Cluster.about`."""


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
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.opened())
        bound = stack.enter_context(listening(options.port))
        jsonlog.configure(stack.enter_context(folder.log.open("a", encoding="utf-8")))
        cluster = await stack.enter_async_context(options.cluster(folder, username))
        sockets = Path(stack.enter_context(TemporaryDirectory(prefix="one-serve-"))) if options.is_private else None
        (s3_port,) = seaweed.free_ports(1)
        settings = cluster.settings(bound.getsockname()[1], s3_port)
        storage = await stack.enter_async_context(seaweed.running(folder, weed, s3_port, sockets))
        store = await seaweed.until_it_answers(storage, settings, folder.storage_log, sockets)
        await migrate(settings)
        engine = engine_for(settings)
        stack.push_async_callback(_dispose, engine)
        context = _context(settings, sessions(engine), store, cluster)
        is_new = await person.make_ready(context.sessions, folder, username, cluster.account)
        await daemon.control(context)  # the first snapshot: what is handed in now can be planned
        submitted = await demo.hand_in(context.sessions, settings, username) if options.demo else []
        ready = Ready(settings.web.public_url, folder, username, is_new, tuple(submitted), cluster.about)
        await _run(context, cluster, bound, _storage_ended(storage, folder.storage_log), lambda: on_ready(ready))


async def _dispose(engine: AsyncEngine) -> None:
    with anyio.CancelScope(shield=True):
        await engine.dispose()


def _context(settings: Settings, maker: Sessions, store: ObjectStore, cluster: Cluster) -> Context:
    return Context(
        settings=settings,
        sessions=maker,
        slurm=cluster.slurm,
        store=store,
        resolve_image=cluster.resolve_image,
        converter=cluster.converter,
        uid_of=lambda _name: os.getuid(),
    )


async def _run(
    context: Context,
    cluster: Cluster,
    bound: socket.socket,
    storage_ended: Trouble,
    on_ready: Callable[[], None],
) -> None:
    """All of it at once, until told to stop. Raises ServeError when a child ends by itself."""
    stop = Stop()
    server = server_of(create_app(context.settings, store=context.store))
    heap.settle()
    async with anyio.create_task_group() as group:
        group.start_soon(_stop_on_signal, stop)
        for trouble in (storage_ended, cluster.trouble):
            if trouble is not None:
                group.start_soon(_stop_on, trouble, stop)
        group.start_soon(cluster.beside)
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


async def _stop_on(trouble: Trouble, stop: Stop) -> None:
    stop.because(await trouble())


def _storage_ended(storage: asyncio.subprocess.Process, log: Path) -> Trouble:
    async def ended() -> ServeError:
        await storage.wait()
        return ServeError("seaweedfs_ended", log=log)

    return ended
