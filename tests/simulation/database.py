"""A real SQLite file without threads or event loop, and sessions that pass gates: what makes a schedule repeatable.

SQLAlchemy's asyncio extension needs no event loop of its own; aiosqlite needs one for its thread. `OneThread` stands in
for the aiosqlite module and calls sqlite3 at once, with the same arguments.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool, event
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from portal.db.engine import Sessions, prepare_sqlite
from tests.simulation.gates import Gate

Strike = Callable[[str], None]


class _Cursor:
    """aiosqlite's cursor, as far as SQLAlchemy uses it."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    async def __aenter__(self) -> _Cursor:
        return self

    async def execute(self, *arguments: Any) -> None:
        self._cursor.execute(*arguments)

    async def executemany(self, *arguments: Any) -> None:
        self._cursor.executemany(*arguments)

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()


class Connection:
    """aiosqlite's connection, as far as SQLAlchemy uses it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._conn = self._connection = connection
        self._thread = SimpleNamespace(daemon=True)

    def __await__(self) -> Any:
        yield from ()
        return self

    def stop(self) -> None:
        self._conn.close()

    @property
    def in_transaction(self) -> bool:
        return self._conn.in_transaction

    def cursor(self) -> _Cursor:
        return _Cursor(self._conn.cursor())

    async def create_function(self, *arguments: Any, **named: Any) -> None:
        self._conn.create_function(*arguments, **named)

    async def commit(self) -> None:
        self._conn.commit()

    async def rollback(self) -> None:
        self._conn.rollback()

    async def close(self) -> None:
        self._conn.close()


class OneFile:
    """Where the one engine of a process connects to; it changes with each schedule, the compiled statements stay."""

    path = Path()


def _connect(*_arguments: Any, **named: Any) -> Connection:
    return Connection(sqlite3.connect(OneFile.path, **named))


_NAMES = (
    "DatabaseError",
    "Error",
    "IntegrityError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "sqlite_version",
    "sqlite_version_info",
)
OneThread: Any = SimpleNamespace(
    connect=_connect, Connection=Connection, **{name: getattr(sqlite3, name) for name in _NAMES}
)


class GatedSession(AsyncSession):
    """Passes a gate before every read, unless it holds SQLite's one write lock; closes without an event loop."""

    async def execute(self, *arguments: Any, **named: Any) -> Any:
        await self._gate()
        return await super().execute(*arguments, **named)

    async def scalar(self, *arguments: Any, **named: Any) -> Any:
        await self._gate()
        return await super().scalar(*arguments, **named)

    async def get(self, *arguments: Any, **named: Any) -> Any:
        await self._gate()
        return await super().get(*arguments, **named)

    async def get_one(self, *arguments: Any, **named: Any) -> Any:
        await self._gate()
        return await super().get_one(*arguments, **named)

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def _gate(self) -> None:
        if not self.sync_session.info.get("wrote"):
            await Gate()


class GatedSync(Session):
    """The session beneath, with events of its own."""


@functools.cache
def engine() -> AsyncEngine:
    """On `OneFile`; a lock that somebody else holds is an error at once, because nobody could give it back."""
    dbapi = AsyncAdapt_aiosqlite_dbapi(OneThread, sqlite3)
    made = create_async_engine(
        "sqlite+aiosqlite://", module=dbapi, poolclass=AsyncAdaptedQueuePool, connect_args={"timeout": 0}
    )
    prepare_sqlite(made)
    return made


def gated_sessions(engine: AsyncEngine, strike: Strike) -> Sessions:
    """Sessions whose reads and commits `strike` may hit: it is told "before_commit" or "after_commit" and may raise."""

    class _Session(GatedSync):
        pass

    def wrote(session: Session, _context: Any) -> None:
        session.info["wrote"] = True

    def before(session: Session) -> None:
        if not session.in_nested_transaction():
            strike("before_commit")

    def after(session: Session) -> None:
        if not session.in_nested_transaction():
            session.info["wrote"] = False
            strike("after_commit")

    def undone(session: Session, _transaction: Any) -> None:
        session.info["wrote"] = False

    event.listen(_Session, "after_flush", wrote)
    event.listen(_Session, "before_commit", before)
    event.listen(_Session, "after_commit", after)
    event.listen(_Session, "after_soft_rollback", undone)
    return async_sessionmaker(engine, expire_on_commit=False, class_=GatedSession, sync_session_class=_Session)
