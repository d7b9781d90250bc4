"""Leadership: at most one daemon works on a database; the lock dies with its holder."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import structlog
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from portal.db.engine import engine_for
from portal.settings import Settings

LOCK_ID = 0x4F6E45  # "OnE"; one advisory lock a database
RETRY_S = 2.0
CHECK_S = 5.0

log = structlog.get_logger()


@asynccontextmanager
async def leadership(settings: Settings) -> AsyncIterator[None]:
    """Wait until this process leads, and lead until the block ends; losing the database ends the block with its error."""
    url = make_url(settings.database.url)
    lead = _by_file(Path(f"{url.database}.leader")) if url.get_backend_name() == "sqlite" else _by_database(settings)
    async with lead:
        yield


@asynccontextmanager
async def _by_file(path: Path) -> AsyncIterator[None]:
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await anyio.sleep(RETRY_S)
        yield


@asynccontextmanager
async def _by_database(settings: Settings) -> AsyncIterator[None]:
    engine = engine_for(settings)
    try:
        async with engine.connect() as connection, anyio.create_task_group() as group:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            while not await connection.scalar(text("SELECT pg_try_advisory_lock(:id)"), {"id": LOCK_ID}):
                await anyio.sleep(RETRY_S)
            group.start_soon(_hold, connection)
            yield
            group.cancel_scope.cancel()
    finally:
        await engine.dispose()


async def _hold(connection: AsyncConnection) -> None:
    """The lock lives as long as the connection: a dead one must end this process before another daemon leads."""
    while True:
        await anyio.sleep(CHECK_S)
        await connection.execute(text("SELECT 1"))
