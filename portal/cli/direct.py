"""What `portal-admin` stands on: the settings' database without the portal's web, and whoever stands at the host's console."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from portal.cli.exits import CliError, Exit, exit_of_status
from portal.db.engine import engine_for, sessions, transaction
from portal.services.audit import Actor
from portal.services.errors import ServiceError
from portal.settings import Settings, load_settings

T = TypeVar("T")


def console_actor() -> Actor:
    """Whoever stands at the host's console: the audit row names the Unix account too."""
    try:
        unix = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        unix = str(os.getuid())
    return Actor(name=f"portal-admin/{unix}"[:60])


def in_transaction(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """One transaction in the settings' database. Raises CliError in place of what the use case refused."""

    async def run() -> T:
        engine = engine_for(load_settings())
        try:
            async with transaction(sessions(engine)) as session:
                return await work(session)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except ServiceError as error:
        raise CliError(exit_of_status(error.status), error.message_en) from error
    except (DBAPIError, OSError) as error:
        raise _database_trouble(error) from error


def settled(work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """What needs no transaction of ours. Raises CliError."""
    try:
        return asyncio.run(work(load_settings()))
    except (DBAPIError, OSError) as error:
        raise _database_trouble(error) from error


def _database_trouble(error: Exception) -> CliError:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CliError(Exit.UNAVAILABLE, f"Database: {first_line}", "Is it reachable, and has `portal-admin migrate` run?")
