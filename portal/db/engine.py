"""The database connection: engine, sessions and migrations, the same for SQLite (WAL) and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from portal.db.together import TogetherSession
from portal.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 30
Sessions = async_sessionmaker[AsyncSession]


def engine_for(settings: Settings) -> AsyncEngine:
    """The engine for the settings' URL; the password comes from its credential file, never from the URL."""
    url = make_url(settings.database.url)
    password = settings.database_password.get_secret_value()
    if password:
        url = url.set(password=password)
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
        prepare_sqlite(engine)
        return engine
    # The connection that was given back last is taken first: it has the statements prepared.
    return create_async_engine(
        url,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        pool_use_lifo=True,
        connect_args={"connect_timeout": 10},
    )


def prepare_sqlite(engine: AsyncEngine) -> None:
    """Make a new SQLite engine behave as PostgreSQL does: see `_sqlite_pragmas` and `_begin_first`."""
    event.listen(engine.sync_engine, "connect", _sqlite_pragmas)
    event.listen(engine.sync_engine, "savepoint", _begin_first)


def _begin_first(connection: Connection, _name: str) -> None:
    """Without a BEGIN before it, releasing a savepoint commits: sqlite3 begins only before the first change.

    Source: https://www.sqlite.org/lang_savepoint.html, "outermost savepoint".
    """
    if not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN")


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    """Readers beside one writer, foreign keys checked, commits that survive a crash."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions whose objects stay readable after commit."""
    return async_sessionmaker(engine, expire_on_commit=False, sync_session_class=TogetherSession)


@asynccontextmanager
async def reading(maker: Sessions) -> AsyncIterator[AsyncSession]:
    """A session to read with; what is done to its rows never reaches the database.

    It ends with COMMIT: at every ROLLBACK psycopg forgets the statements that it has prepared, so that each is parsed and
    planned anew (half of what PostgreSQL then does for a short query).
    Source: https://www.psycopg.org/psycopg3/docs/advanced/prepare.html
    """
    async with maker(autoflush=False) as session:
        yield session
        session.expunge_all()
        await session.commit()


@asynccontextmanager
async def transaction(maker: Sessions) -> AsyncIterator[AsyncSession]:
    """One unit of work: committed at the end, rolled back whole on any error."""
    async with maker() as session, session.begin():
        yield session


async def migrate(settings: Settings) -> None:
    """Bring the database to the newest revision."""
    engine = engine_for(settings)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def revision(settings: Settings) -> str:
    """The revision of the database's tables; "none" before the first migration."""
    engine = engine_for(settings)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_revision)
    finally:
        await engine.dispose()


def _revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or "none"


def alembic_config() -> Config:
    """Alembic's configuration in code: the migrations travel inside the package."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _upgrade(connection: Connection) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
