"""Migrations and the whole portal, with its fake Slurm, on the lab's PostgreSQL: the same tests as on SQLite."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import psycopg
import pytest
from psycopg import sql

from lab.hosts import on
from portal.db.models import Audit
from portal.services.audit import Action, record
from tests.daemon import test_forged, test_idempotency, test_road
from tests.daemon.conftest import example, small, world  # noqa: F401 - fixtures of the tests taken over
from tests.daemon.world import ADMIN_TOOL, World
from tests.db import test_migrations
from tests.lab.tunnel import tunnel
from tests.services import test_auditseals
from tests.web import test_page_fuzz
from tests.web.conftest import site  # noqa: F401

pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.anyio]
PORT = 5432
CONNECT_TIMEOUT_S = 10
SUITES: tuple[ModuleType, ...] = (
    test_migrations,
    test_road,
    test_idempotency,
    test_forged,
    test_auditseals,
    test_page_fuzz,
)


def _take_over(modules: tuple[ModuleType, ...]) -> dict[str, object]:
    """Every test of the modules, so that none is forgotten here."""
    found: dict[str, object] = {}
    for module in modules:
        for name, value in vars(module).items():
            if name.startswith("test_") and getattr(value, "__module__", "") == module.__name__:
                assert name not in found, f"two tests are called {name}"
                found[name] = value
    return found


globals().update(_take_over(SUITES))


@dataclass(frozen=True)
class Server:
    """The lab's PostgreSQL as a role that may make databases."""

    port: int
    role: str
    password: str

    def url(self, database: str) -> str:
        """As SQLAlchemy wants it."""
        return f"postgresql+psycopg://{self.role}:{self.password}@127.0.0.1:{self.port}/{database}"

    def do(self, statement: sql.Composed) -> None:
        """One statement outside a transaction."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.role,
            password=self.password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
        ) as connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A role of its own, gone afterwards."""
    role, password = f"one_test_{secrets.token_hex(4)}", secrets.token_hex(16)
    _as_postgres(f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD '{password}'")
    _as_postgres(f"ALTER ROLE {role} SET synchronous_commit = off")  # nothing here outlives a crash anyway
    try:
        with tunnel("svc", PORT) as port:
            yield Server(port, role, password)
    finally:
        _as_postgres(f"DROP ROLE {role}")


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """An empty database, dropped after the test."""
    name = f"{server.role}_{secrets.token_hex(4)}"
    server.do(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield server.url(name)
    # As the superuser: autovacuum may be at work in it, and only he may end that.
    _as_postgres(f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_row_that_commits_late_with_a_low_id_goes_under_the_next_seal(world: World) -> None:  # noqa: F811
    """Two transactions at once: the one that began to write first ends last."""
    early = world.maker()
    record(early, ADMIN_TOOL, Action.USER_CHANGE, "user", "early")
    await early.flush()
    (late,) = await test_auditseals.write(world, "late")
    first = await test_auditseals.seal(world)
    await early.commit()
    await early.close()
    (low,) = [row.id for row in await world.rows(Audit) if row.object_id == "early"]
    assert low < late
    second = await test_auditseals.seal(world)
    assert (first.number, second.number, second.rows) == (1, 2, 1)
    assert (await test_auditseals.verified(world)).intact


def _as_postgres(statement: str) -> None:
    on("svc", "runuser", "-u", "postgres", "--", "psql", "--no-psqlrc", "--quiet", "--command", statement)
