"""A portal to ask over HTTP: the daemon's world (rows, fake Slurm, store in memory) behind the web application."""

from __future__ import annotations

import pwd
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from litestar import Litestar

from portal.db.engine import engine_for, transaction
from portal.services import accounts, tokens
from portal.services.accounts import Role
from portal.services.tokens import ROLE_SCOPES
from portal.web.app import create_app, equip
from tests.asgi import into
from tests.daemon.conftest import database_url, example, small, world
from tests.daemon.world import ADMIN_TOOL, World, own_uid

__all__ = ["database_url", "example", "small", "world"]


@dataclass
class Site:
    """The world, its application, and everybody's token: `client(name)` speaks as that person."""

    world: World
    app: Litestar
    values: dict[str, str]

    def client(self, name: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """An HTTP client of the application; without name it sends no token."""
        if name is not None:
            headers["Authorization"] = f"Bearer {self.values[name]}"
        transport = into(self.app)
        return httpx2.AsyncClient(transport=transport, base_url="http://portal", headers=headers)

    async def get(self, name: str, path: str, **query: Any) -> dict[str, Any]:
        """The JSON that this person gets; anything but 200 fails the test."""
        async with self.client(name, **{"Accept-Language": "en"}) as client:
            response = await client.get(f"/api/v1{path}", params=query)
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json()
        return document

    async def post(self, name: str, path: str, body: Any = None, status: int = 200, **headers: str) -> dict[str, Any]:
        """The JSON of a POST by this person; another status than `status` fails the test."""
        async with self.client(name, **{"Accept-Language": "en", **headers}) as client:
            response = await client.post(f"/api/v1{path}", json={} if body is None else body)
        assert response.status_code == status, response.text
        document: dict[str, Any] = response.json()
        return document


_ROUTED: list[Litestar] = []


def _app(world: World) -> Litestar:
    """The application, made once in a process: registering its routes costs more than most tests."""
    if not _ROUTED:
        _ROUTED.append(create_app(world.context.settings, store=world.store))  # type: ignore[arg-type]
    return _ROUTED[0]


@pytest.fixture
async def site(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """kim and park research, admin and boss administrate, viewer views."""
    own = pwd.getpwuid(own_uid("me"))
    monkeypatch.setattr("portal.services.logsource.pwd.getpwnam", lambda name: own)
    values = await _values(world)
    engine = engine_for(world.context.settings)
    app = _app(world)
    equip(app, world.context.settings, engine=engine, store=world.store)  # type: ignore[arg-type]
    async with app.lifespan():
        yield Site(world, app, values)


async def _values(world: World) -> dict[str, str]:
    values = {}
    async with transaction(world.maker) as session:
        await accounts.create_user(session, ADMIN_TOOL, username="viewer", display_name="뷰어", role=Role.VIEWER)
        for user in await accounts.list_users(session, ADMIN_TOOL):
            scopes = ROLE_SCOPES[Role(user.role)]
            _, values[user.username] = await tokens.make_token(
                session, ADMIN_TOOL, user.username, name="test", scopes=scopes, days=None
            )
    return values
