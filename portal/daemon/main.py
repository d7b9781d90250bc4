"""The daemon: one leader runs the loops that move workloads along the road; others stand by."""

from __future__ import annotations

import functools
import pwd
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack

import anyio
import structlog

from containers import convert_client
from containers.convert_client import Converted, Progress
from containers.credentials import credentials_file
from containers.registry import RegistryAccess, resolve
from portal import jsonlog
from portal.daemon import (
    auditing,
    commands,
    doctor,
    figures,
    handover,
    imagechecks,
    images,
    mapping,
    measuring,
    modelfates,
    notifying,
    noting,
    operators,
    repairing,
    resolving,
    sampling,
    saving,
    snapshot,
    watch,
)
from portal.daemon.context import Context
from portal.daemon.leader import leadership
from portal.daemon.pace import Pace
from portal.daemon.prometheus import Prometheus
from portal.daemon.rounds import NOBODY_CAN_GO_ON
from portal.db.engine import engine_for, sessions
from portal.settings import Settings, load_settings
from portal.store.s3 import ObjectStore
from slurm.socketclient import AgentClient

log = structlog.get_logger()


class ServiceConverter:
    """Conversion by a service: the site's socket, or a child process under `one serve`."""

    def __init__(self, service: convert_client.Service) -> None:
        self._service = service

    def convert(self, reference: str, digest: str, in_use: Collection[str]) -> AsyncGenerator[Progress | Converted]:
        """See `containers.convert_client.convert`."""
        return convert_client.convert(self._service, reference, digest, in_use=in_use)

    async def remove(self, digest: str) -> int:
        """See `containers.convert_client.remove`."""
        return await convert_client.remove(self._service, digest)


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
        slurm=AgentClient(settings.slurm.agent_socket, observe=figures.agent_called),
        store=ObjectStore(settings),
        resolve_image=functools.partial(resolve, access=access),
        converter=ServiceConverter(convert_client.at_socket(settings.images.convert_socket)),
        uid_of=lambda name: pwd.getpwnam(name).pw_uid,
        prometheus=Prometheus(settings.monitoring.prometheus) if settings.monitoring.prometheus else None,
    )


async def act(context: Context) -> None:
    """Carry out what people asked for, then hand over what is ready."""
    await commands.carry_out(context)
    await handover.hand_over(context)


async def look(context: Context) -> None:
    """Read Slurm once and follow what runs."""
    taken = await snapshot.take(context)
    if taken is not None:
        await watch.look(context, taken)


async def control(context: Context) -> None:
    """One round of what talks to Slurm, in the order of the road."""
    await act(context)
    await look(context)


class Control:
    """`control` round after round, reading Slurm at a pace that leaves it room."""

    def __init__(self) -> None:
        self._pace = Pace()

    async def __call__(self, context: Context) -> None:
        """One round: people's wishes and ready workloads at once, Slurm's news when a look is due."""
        await act(context)
        await self._pace.when_due(functools.partial(look, context))


async def once(name: str, context: Context, step: Callable[[Context], Awaitable[None]]) -> None:
    """One round of a loop, by the settings as they are then; a service that is away ends it, and all of it can be repeated."""
    try:
        with figures.timed(name):
            await step(await context.renewed())
    except NOBODY_CAN_GO_ON as error:
        figures.ENDED_EARLY.labels(name).inc()
        log.warning("round ended early; the next one tries again", loop=name, error=str(error))


async def _forever(name: str, context: Context, step: Callable[[Context], Awaitable[None]]) -> None:
    while True:
        await once(name, context, step)
        await anyio.sleep(context.settings.daemon.poll_interval_s)


async def run(context: Context) -> None:
    """All loops, until cancelled."""
    async with anyio.create_task_group() as group:
        for name, step in (
            ("control", Control()),
            ("resolving", resolving.resolve_submitted),
            ("imagechecks", imagechecks.check_asked),
            ("images", images.convert_wanted),
            ("operators", operators.serve),
            ("saving", saving.save_ended),
            ("modelfates", modelfates.serve),
            ("noting", noting.note_ended),
            ("notifying", notifying.Notifying()),
            ("doctor", doctor.serve),
            ("repairing", repairing.mend),
            ("mapping", mapping.check_due),
            ("measuring", measuring.Measuring()),
            ("sampling", sampling.Sampling()),
            ("auditing", auditing.keep_log),
            ("figures", figures.Telling()),
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
    jsonlog.configure()
    anyio.run(_serve, load_settings())
