"""The snapshot loop: one reading of Slurm for all pages, commands and other loops."""

from __future__ import annotations

import structlog

from portal.daemon.context import Context
from portal.db.engine import transaction
from portal.services import cluster
from slurm.errors import SlurmError
from slurm.records import Snapshot

log = structlog.get_logger()


async def take(context: Context) -> Snapshot | None:
    """Read Slurm and keep the row; None (and "unreachable since") when nothing is known."""
    try:
        version = await context.slurm.version()
        taken = await context.slurm.snapshot()
    except SlurmError as error:
        log.warning("slurm does not answer", error=str(error))
        async with transaction(context.sessions) as session:
            await cluster.store_unreachable(session)
        return None
    async with transaction(context.sessions) as session:
        await cluster.store(session, taken, version)
    return taken
