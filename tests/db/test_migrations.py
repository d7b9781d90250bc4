"""The migrations make exactly the tables of the models, on the database that `database_url` names."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from portal.db.engine import engine_for, migrate
from portal.db.models import Base
from portal.settings import Database, Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite here; the lab's tests override it with PostgreSQL."""
    return f"sqlite+aiosqlite:///{tmp_path}/one.db"


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


async def test_the_migrations_make_the_models(database_url: str) -> None:
    settings = Settings(database=Database(url=database_url))
    await migrate(settings)
    await migrate(settings)
    engine = engine_for(settings)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
