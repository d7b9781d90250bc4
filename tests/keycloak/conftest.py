"""Keycloak for the whole run, and a portal for each test that signs in by it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx2
import pytest
from litestar import Litestar
from pydantic import SecretStr
from sqlalchemy import select

from portal.auth.sso.providers import Providers
from portal.db.engine import engine_for
from portal.db.models import Audit, BrowserSession, User
from portal.settings import Oidc, Saml, Settings, Sso, SsoRule
from portal.web.app import create_app
from tests.daemon.conftest import database_url, example, small, world
from tests.daemon.world import World
from tests.keycloak.admin import KeycloakAdmin
from tests.keycloak.browser import Browser, browser_of
from tests.keycloak.realm import SECRET
from tests.keycloak.server import keycloak as running

__all__ = ["database_url", "example", "small", "world"]

RULES = (
    SsoRule(group="hpc-admins", role="admin"),
    SsoRule(group="hpc-researchers", role="researcher", unix_user="u-{username}", slurm_account="lab"),
)


def with_sso(settings: Settings, keycloak: str) -> Settings:
    """The same site, where people sign in by both ways."""
    sso = Sso(
        oidc=Oidc(name="Keycloak", issuer=f"{keycloak}/realms/one", client_id="one", allow_http=True),
        saml=Saml(
            name="Keycloak (SAML)",
            metadata_url=f"{keycloak}/realms/one/protocol/saml/descriptor",
            allow_http=True,
        ),
        rules=RULES,
        contact="hpc@lab.example",
        link_existing=True,
    )
    return settings.model_copy(update={"sso": sso, "oidc_client_secret": SecretStr(SECRET)})


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base address of a Keycloak with the realms `one` and `other`."""
    with running(tmp_path_factory.mktemp("keycloak")) as base:
        yield base


@pytest.fixture
def at_keycloak(keycloak: str) -> Iterator[KeycloakAdmin]:
    admin = KeycloakAdmin(keycloak)
    yield admin
    admin.close()


class Meddler(httpx2.AsyncBaseTransport):
    """The way from the portal to Keycloak; a test may exchange the ID token on it, or cut it."""

    def __init__(self) -> None:
        self._real = httpx2.AsyncHTTPTransport()
        self.id_token = ""
        self.cut = False
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if self.cut:
            raise httpx2.ConnectError("cut")
        answer = await self._real.handle_async_request(request)
        if not self.id_token or not request.url.path.endswith("/token"):
            return answer
        await answer.aread()
        return httpx2.Response(answer.status_code, json={**answer.json(), "id_token": self.id_token}, request=request)

    async def aclose(self) -> None:
        await self._real.aclose()


class Clock:
    """The providers' own clock, which a test turns."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@dataclass
class Portal:
    """A portal that signs people in by Keycloak."""

    world: World
    app: Litestar
    settings: Settings
    way: Meddler
    clock: Clock

    async def user(self, username: str) -> User | None:
        async with self.world.maker() as session:
            found: User | None = await session.scalar(select(User).where(User.username == username))
            return found

    async def sessions(self) -> list[BrowserSession]:
        async with self.world.maker() as session:
            return list(await session.scalars(select(BrowserSession)))

    async def audit(self, action: str = "session.begin", result: str = "ok") -> list[Audit]:
        async with self.world.maker() as session:
            query = select(Audit).where(Audit.action == action, Audit.result == result).order_by(Audit.id)
            return list(await session.scalars(query))


@pytest.fixture
async def portal(world: World, keycloak: str) -> AsyncIterator[Portal]:
    """kim has an account of a local making without a password, which the first sign-in links."""
    settings = with_sso(world.context.settings, keycloak)
    way, clock = Meddler(), Clock()
    app = create_app(
        settings,
        engine=engine_for(settings),
        store=world.store,  # type: ignore[arg-type]
        providers=Providers(settings, transport=way, clock=clock),
    )
    async with app.lifespan():
        yield Portal(world, app, settings, way, clock)


@pytest.fixture
async def browser(portal: Portal) -> AsyncIterator[Browser]:
    async with browser_of(portal.app) as found:
        yield found


@pytest.fixture
async def other_browser(portal: Portal) -> AsyncIterator[Browser]:
    """Somebody else's."""
    async with browser_of(portal.app) as found:
        yield found
