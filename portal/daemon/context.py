"""What every loop of the daemon works with; tests put doubles in its place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import anyio

from containers.convert_client import Converted, Progress
from containers.image import ResolvedImage
from containers.reference import Reference
from portal.daemon.prometheus import Prometheus
from portal.db.engine import Sessions, reading
from portal.rundir import Limits, Refused, RunDir
from portal.services.sitesettings import effective
from portal.settings import Settings
from portal.store.s3 import ObjectStore
from slurm.client import SlurmClient

ResolveImage = Callable[[Reference], Awaitable[ResolvedImage]]
Works = Sequence[Callable[[], Coroutine[Any, Any, None]]]


async def together(works: Works) -> None:
    """Do all of them side by side, until the last has ended."""
    async with anyio.create_task_group() as group:
        for work in works:
            group.start_soon(work)


class Converter(Protocol):
    """The conversion service."""

    def convert(self, reference: str, digest: str, in_use: Collection[str]) -> AsyncGenerator[Progress | Converted]:
        """Progress, then one Converted. Raises ConversionFailed."""

    async def remove(self, digest: str) -> int:
        """Delete an unused SIF; bytes given back. Raises ConversionFailed."""


@dataclass(frozen=True)
class Context:
    """Settings, database, Slurm, S3, registry, conversion, Prometheus where there is one.

    `uid_of` maps a Unix user to its uid (KeyError: no such user).

    `together` does several things side by side; the simulation, which has no event loop, turns them by hand.
    """

    settings: Settings
    sessions: Sessions
    slurm: SlurmClient
    store: ObjectStore
    resolve_image: ResolveImage
    converter: Converter
    uid_of: Callable[[str], int]
    together: Callable[[Works], Awaitable[None]] = together
    prometheus: Prometheus | None = None

    async def renewed(self) -> Context:
        """With the settings as admins have them now."""
        async with reading(self.sessions) as session:
            return replace(self, settings=await effective(session, self.settings))

    def rundir(self, run_dir: str, unix_user: str, limits: Limits | None = None) -> RunDir:
        """The reader of one attempt's folder. Raises Refused when the Unix user is gone."""
        runs = self.settings.storage.runs
        try:
            uid = self.uid_of(unix_user)
        except KeyError as error:
            raise Refused(run_dir, f"there is no Unix user {unix_user!r}") from error
        place = (runs, str(Path(run_dir).relative_to(runs)), uid)
        return RunDir(*place) if limits is None else RunDir(*place, limits)
