"""The whole database as one file and back: `pg_dump` and `pg_restore`, or SQLite's own backup.

DumpError
└── NotEmpty  there are tables already; nothing was written
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from anyio import to_thread
from sqlalchemy import URL, Connection, func, inspect, make_url, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from portal.db.engine import engine_for
from portal.settings import Settings

PATIENCE_S = 3600
"""For one program; a database of this portal has some GiB at most."""


class DumpError(Exception):
    """The message has what the program said."""


class NotEmpty(DumpError):
    """Restoring would mix two databases."""


async def dump(settings: Settings, target: Path) -> dict[str, int]:
    """Write everything to `target`; rows by table, of the very moment that was written. Raises DumpError."""
    engine = engine_for(settings)
    try:
        async with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                return await to_thread.run_sync(_copy_sqlite, _file_of(settings), target)
            await connection.execution_options(isolation_level="REPEATABLE READ")
            moment = (await connection.execute(text("SELECT pg_export_snapshot()"))).scalar_one()
            await _run(settings, "pg_dump", "--format=custom", f"--snapshot={moment}", f"--file={target}")
            return await rows(connection)
    finally:
        await engine.dispose()


async def restore(settings: Settings, source: Path) -> dict[str, int]:
    """Fill the empty database from `source`; rows by table. All or nothing. Raises NotEmpty, DumpError."""
    engine = engine_for(settings)
    try:
        async with engine.connect() as connection:
            if await connection.run_sync(_tables):
                raise NotEmpty("the database has tables already: make an empty one, or give its name in database.url")
        if engine.dialect.name == "sqlite":
            return await to_thread.run_sync(_copy_sqlite, source, _file_of(settings))
        await _run(settings, "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", str(source))
        async with engine.connect() as connection:
            return await rows(connection)
    finally:
        await engine.dispose()


async def rows(connection: AsyncConnection) -> dict[str, int]:
    """How many rows each table has."""
    names = await connection.run_sync(_tables)
    return {
        name: (await connection.execute(select(func.count()).select_from(table(name)))).scalar_one() for name in names
    }


def _tables(connection: Connection) -> list[str]:
    return sorted(inspect(connection).get_table_names())


def _file_of(settings: Settings) -> Path:
    return Path(make_url(settings.database.url).database or "")


def _copy_sqlite(source: Path, target: Path) -> dict[str, int]:
    """Source: https://www.sqlite.org/backup.html: a whole and consistent copy also while others write."""
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
            names = [
                name for (name,) in new.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            ]
            quoted = {name: name.replace('"', '""') for name in names if not name.startswith("sqlite_")}
            return {name: new.execute(f'SELECT count(*) FROM "{word}"').fetchone()[0] for name, word in quoted.items()}
    except sqlite3.Error as error:
        raise DumpError(f"{source}: {error}") from error


async def _run(settings: Settings, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's on the settings' database. Raises DumpError."""
    url = make_url(settings.database.url)
    with _password_file(url, settings.database_password.get_secret_value()) as passwords:
        argv = [program, f"--dbname={_address(url)}", "--no-password", *arguments]
        environment = {**os.environ, "PGPASSFILE": str(passwords), "PGCONNECT_TIMEOUT": "10"}
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, env=environment, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise DumpError(f"{program}: {error.strerror}: install PostgreSQL's client programs here") from error
        try:
            async with asyncio.timeout(PATIENCE_S):
                _, said = await process.communicate()
        except TimeoutError as error:
            process.kill()
            raise DumpError(f"{program}: no end within {PATIENCE_S} s") from error
    if process.returncode != 0:
        raise DumpError(f"{program}: exit {process.returncode}: {said.decode(errors='replace').strip()[-2000:]}")


def _address(url: URL) -> str:
    """The database as libpq wants it, without its password."""
    return url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)


@contextmanager
def _password_file(url: URL, password: str) -> Iterator[Path]:
    """A file that libpq reads the password from: in the environment or in argv others could read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pgpass"
        path.touch(0o600)
        path.write_text(_line(["*", "*", "*", url.username or "*", password]))
        yield path


def _line(fields: Sequence[str]) -> str:
    r"""Source: https://www.postgresql.org/docs/current/libpq-pgpass.html: `\` and `:` within a field are escaped."""
    return ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields) + "\n"
