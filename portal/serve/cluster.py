"""What `one serve` runs on: Slurm, images and settings of one of two kinds, simulated or real."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from portal.daemon.context import Converter, ResolveImage
from portal.serve import simulation, site
from portal.serve.errors import ServeError
from portal.serve.folder import DataFolder
from portal.settings import Settings
from slurm.client import SlurmClient

Trouble = Callable[[], Awaitable[ServeError]]
"""Returns when something that must go on has ended by itself."""


@dataclass(frozen=True)
class Cluster:
    """One that is there now.

    `account` is the Slurm account of the person; `settings(port, s3_port)` makes the portal's; `beside` runs with the
    loops; `trouble` is about its parts; `about` is told when it is there (account, qos, partitions).
    """

    slurm: SlurmClient
    resolve_image: ResolveImage
    converter: Converter
    account: str
    settings: Callable[[int, int], Settings]
    beside: Callable[[], Coroutine[Any, Any, None]]
    trouble: Trouble | None = None
    about: Mapping[str, str] = field(default_factory=dict)


Opened = Callable[[DataFolder, str], AbstractAsyncContextManager[Cluster]]
"""(folder, Unix user) -> the cluster, while the block lasts. Raises ServeError."""


def simulated(speed: float) -> Opened:
    """The played one."""

    @asynccontextmanager
    async def opened(folder: DataFolder, username: str) -> AsyncIterator[Cluster]:
        slurm = simulation.SimulatedSlurm(folder, username, speed)
        try:
            yield Cluster(
                slurm=slurm,
                resolve_image=simulation.resolve,
                converter=simulation.SimulatedConverter(folder.images),
                account=simulation.ACCOUNT,
                settings=lambda port, s3_port: site.simulated(folder, port=port, s3_port=s3_port),
                beside=slurm.run,
            )
        finally:
            slurm.turn()

    return opened
