"""The daemon: one leader runs the loops that move workloads along the road; others stand by."""

from __future__ import annotations

import functools
import pwd
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError

from containers import convert_client
from containers.convert_client import Converted, Progress
from containers.credentials import credentials_file
from containers.registry import RegistryAccess, resolve
from portal.daemon import commands, handover, images, resolving, saving, snapshot, watch
from portal.daemon.context import Context
from portal.daemon.leader import leadership
from portal.db.engine import engine_for, sessions
from portal.settings import Settings, load_settings
from portal.store.s3 import ObjectStore, StoreError
from slurm.errors import SlurmError
from slurm.socketclient import AgentClient

log = structlog.get_logger()


class SocketConverter:
    """The conversion service behind its Unix socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def convert(self, reference: str, digest: str, in_use: Collection[str]) -> AsyncGenerator[Progress | Converted]:
        """See `containers.convert_client.convert`."""
        return convert_client.convert(self._socket, reference, digest, in_use=in_use)

    async def remove(self, digest: str) -> int:
        """See `containers.convert_client.remove`."""
        return await convert_client.remove(self._socket, digest)


def build_context(settings: Settings) -> Context:
    """The real thing: sockets, registry and S3 as the settings say."""
    access = RegistryAccess(
        allowed=settings.images.registries,
        insecure=settings.images.insecure_registries,
        ca_file=settings.images.ca_file,
        credentials=credentials_file(),
    )
    return Context(
        settings=settings,
        sessions=sessions(engine_for(settings)),
        slurm=AgentClient(settings.slurm.agent_socket),
        store=ObjectStore(settings),
        resolve_image=functools.partial(resolve, access=access),
        converter=SocketConverter(settings.images.convert_socket),
        uid_of=lambda name: pwd.getpwnam(name).pw_uid,
    )


async def control(context: Context) -> None:
    """One round of what talks to Slurm, in the order of the road."""
    await commands.carry_out(context)
    await handover.hand_over(context)
    taken = await snapshot.take(context)
    if taken is not None:
        await watch.look(context, taken)


async def _forever(name: str, context: Context, step: Callable[[Context], Awaitable[None]]) -> None:
    """Run `step` again and again. What it could not do now it does in the next round: all of it can be repeated."""
    while True:
        try:
            await step(context)
        except StaleDataError:
            log.info("another writer was first; looking again", loop=name)
        except (SQLAlchemyError, SlurmError, StoreError, OSError):
            log.exception("round failed; the next one tries again", loop=name)
        await anyio.sleep(context.settings.daemon.poll_interval_s)


async def run(context: Context) -> None:
    """All loops, until cancelled."""
    async with anyio.create_task_group() as group:
        for name, step in (
            ("control", control),
            ("resolving", resolving.resolve_submitted),
            ("images", images.convert_wanted),
            ("saving", saving.save_ended),
        ):
            group.start_soon(_forever, name, context, step)


async def _serve(settings: Settings) -> None:
    context = build_context(settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(leadership(settings))
        log.info("leading")
        async with anyio.create_task_group() as group:
            group.start_soon(_stop_on_signal, group.cancel_scope)
            group.start_soon(run, context)


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("stopping", signal=number.name)
            scope.cancel()
            return


def main() -> None:
    """Entry point of `one-daemon`."""
    anyio.run(_serve, load_settings())
