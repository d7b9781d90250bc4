"""The application on a migrated SQLite file, with people and their tokens, and a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from litestar import Litestar

from portal.db.engine import Sessions, engine_for, migrate, sessions, transaction
from portal.services import accounts, tokens
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.tokens import ROLE_SCOPES
from portal.settings import Database, Settings, Storage
from portal.web.app import create_app
from tests.web.doubles import MemoryStore

ADMIN_TOOL = Actor(name="portal-admin")


@dataclass
class Site:
    """A portal to ask: `client(name)` speaks with that person's token."""

    app: Litestar
    settings: Settings
    maker: Sessions
    store: MemoryStore
    values: dict[str, str]

    def client(self, name: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """An HTTP client of the application; without name it sends no token."""
        if name is not None:
            headers["Authorization"] = f"Bearer {self.values[name]}"
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://portal", headers=headers)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A site of its own in a temporary folder."""
    return Settings(
        database=Database(url=f"sqlite+aiosqlite:///{tmp_path}/one.db"), storage=Storage(runs=tmp_path / "runs")
    )


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    """kim and park research, admin and root administrate, viewer views."""
    await migrate(settings)
    engine = engine_for(settings)
    maker = sessions(engine)
    values = await _people(maker)
    store = MemoryStore()
    app = create_app(settings, engine=engine, store=store)  # type: ignore[arg-type]
    async with app.lifespan():
        yield Site(app, settings, maker, store, values)


async def _people(maker: Sessions) -> dict[str, str]:
    values = {}
    people = {
        "admin": Role.ADMIN,
        "root": Role.ADMIN,
        "kim": Role.RESEARCHER,
        "park": Role.RESEARCHER,
        "viewer": Role.VIEWER,
    }
    async with transaction(maker) as session:
        for name, role in people.items():
            mapped = name if role == Role.RESEARCHER else None
            await accounts.create_user(
                session,
                ADMIN_TOOL,
                username=name,
                display_name=f"{name}님",
                role=role,
                unix_user=mapped,
                slurm_account="lab" if mapped else None,
            )
            _, values[name] = await tokens.make_token(
                session, ADMIN_TOOL, name, name="test", scopes=ROLE_SCOPES[role], days=None
            )
    return values
