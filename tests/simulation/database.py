"""A real SQLite file without threads or event loop, and sessions that pass gates: what makes a schedule repeatable.

SQLAlchemy's asyncio extension needs no event loop of its own; aiosqlite needs one for its thread. `OneThread` is the dialect
of the plain sqlite3 module, called at once, that says of itself what an `AsyncEngine` asks for.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import ORMExecuteState, Session

from portal.db.engine import Sessions, prepare_sqlite
from portal.db.together import TogetherSession
from tests.simulation.gates import Gate

Strike = Callable[[str], None]
STATEMENTS = 1000
"""More than the portal has: each is prepared once a connection."""


class OneThread(SQLiteDialect_pysqlite):
    """sqlite3 under an `AsyncEngine`: nothing in it ever waits, so nothing has to be handed to a loop."""

    driver = "onethread"
    is_async = True
    supports_statement_cache = True


registry.register("sqlite.onethread", __name__, "OneThread")


class OneFile:
    """Where the one engine of a process connects to; it changes with each schedule, the compiled statements stay."""

    path = Path()


def _connect() -> sqlite3.Connection:
    """A lock that somebody else holds is an error at once, because nobody could give it back."""
    return sqlite3.connect(OneFile.path, timeout=0, cached_statements=STATEMENTS)


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


class GatedSync(TogetherSession):
    """The session beneath, with events of its own."""


@functools.cache
def engine() -> AsyncEngine:
    """On `OneFile`, with the connection that was given back last in use first: it has the statements."""
    made = create_async_engine(
        "sqlite+onethread://", creator=_connect, poolclass=AsyncAdaptedQueuePool, pool_use_lifo=True
    )
    prepare_sqlite(made)
    return made


def gated_sessions(engine: AsyncEngine, strike: Strike) -> Sessions:
    """Sessions whose writing commits `strike` may hit: it is told "before_commit" or "after_commit" and may raise."""

    class _Session(GatedSync):
        pass

    def wrote(session: Session, _context: Any, _objects: Any) -> None:
        session.info["wrote"] = True

    def executes(state: ORMExecuteState) -> None:
        if state.is_insert or state.is_update or state.is_delete:
            state.session.info["wrote"] = True

    def before(session: Session) -> None:
        writes = session.info.get("wrote") or session.new or session.dirty or session.deleted
        if writes and not session.in_nested_transaction():
            strike("before_commit")

    def after(session: Session) -> None:
        if session.info.get("wrote") and not session.in_nested_transaction():
            session.info["wrote"] = False
            strike("after_commit")

    def undone(session: Session, _transaction: Any) -> None:
        session.info["wrote"] = False

    event.listen(_Session, "before_flush", wrote)
    event.listen(_Session, "do_orm_execute", executes)
    event.listen(_Session, "before_commit", before)
    event.listen(_Session, "after_commit", after)
    event.listen(_Session, "after_soft_rollback", undone)
    return async_sessionmaker(engine, expire_on_commit=False, class_=GatedSession, sync_session_class=_Session)
