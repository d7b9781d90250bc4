"""`one` run as its users run it, against the real application behind a transport, or against answers a test writes."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
import structlog
from anyio.from_thread import BlockingPortal, start_blocking_portal
from typer.testing import CliRunner, Result

from portal.cli import credentials
from portal.cli.context import Cli
from portal.cli.credentials import Credentials
from portal.cli.main import app
from tests.daemon.conftest import database_url, example, small, world
from tests.daemon.world import World
from tests.web import conftest as web
from tests.web.conftest import Site

__all__ = ["database_url", "example", "small", "world"]
URL = "http://localhost"
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of one's own, with an English locale and no login."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    for name in ("LC_ALL", "LC_MESSAGES", "ONE_LANG", "ONE_URL", "ONE_TOKEN", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The portal's log lines are not the command's stdout."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def one() -> Callable[..., Result]:
    """Runs `one ARGS`; `transport` is the portal."""

    def run(*args: str, transport: httpx2.BaseTransport | None = None, given: str | None = None) -> Result:
        return CliRunner().invoke(app, list(args), obj=Cli(transport=transport), input=given)

    return run


@dataclass
class Road:
    """The whole portal in another thread: `one(who, ...)` is that person at a terminal."""

    loop: BlockingPortal
    site: Site
    run: Callable[..., Result]

    @property
    def world(self) -> World:
        """Rows, fake Slurm, store."""
        return self.site.world

    def do(self, work: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run a coroutine in the portal's thread."""
        return self.loop.call(partial(work, *args, **kwargs))

    def one(self, who: str, *args: str, code: int = 0, given: str | None = None) -> str:
        """stdout of `one ARGS`; another exit code than `code` fails the test."""
        return self._result(who, *args, code=code, given=given).stdout

    def refused(self, who: str, *args: str, code: int) -> str:
        """stdout and stderr of `one ARGS` that ends with `code`."""
        result = self._result(who, *args, code=code)
        return result.stdout + result.stderr

    def _result(self, who: str, *args: str, code: int, given: str | None = None) -> Result:
        credentials.store(Credentials(URL, self.site.values[who]))
        result = self.run(*args, transport=httpx2.MockTransport(self._answer), given=given)
        assert result.exit_code == code, (args, result.exit_code, result.stdout, result.stderr, result.exception)
        return result

    def json(self, who: str, *args: str, code: int = 0) -> dict[str, Any]:
        """The document of `one ARGS -o json`."""
        document: dict[str, Any] = json.loads(self.one(who, *args, "-o", "json", code=code))
        return document

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        return self.loop.call(self._ask, request)

    async def _ask(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.raw_path.decode()
        async with self.site.client() as client:
            answer = await client.request(request.method, path, headers=request.headers, content=request.content)
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: Callable[..., Result]) -> Iterator[Road]:
    """The site of tests/web, living in a thread of its own so that commands can block."""
    url = f"sqlite+aiosqlite:///{tmp_path}/one.db"
    with start_blocking_portal() as loop, loop.wrap_async_context_manager(_site(tmp_path, url, monkeypatch)) as site:
        yield Road(loop, site, one)


@asynccontextmanager
async def _site(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    world_of, site_of = (asynccontextmanager(made.__wrapped__) for made in (world, web.site))  # type: ignore[attr-defined]
    async with world_of(tmp_path, url) as made, site_of(made, monkeypatch) as site:
        yield site


def answers(*replies: httpx2.Response | Exception) -> tuple[httpx2.MockTransport, list[httpx2.Request]]:
    """A portal that gives these answers in turn (the last one again and again), and what it was asked."""
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        reply = replies[min(len(asked), len(replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        return httpx2.Response(reply.status_code, headers=reply.headers, content=reply.content)

    return httpx2.MockTransport(answer), asked


def problem(status: int, code: str = "x", detail: str = "the detail", **more: Any) -> httpx2.Response:
    """A problem+json answer."""
    return httpx2.Response(status, json={"code": code, "detail": detail, "status": status, "requestId": "r1", **more})


def events(*sent: tuple[str, str, dict[str, Any]]) -> httpx2.Response:
    """A stream of (event, id, data)."""
    text = "".join(f"id: {at}\nevent: {name}\ndata: {json.dumps(data)}\n\n" for name, at, data in sent)
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=text)


def signed_in() -> None:
    """A stored login."""
    credentials.store(Credentials(URL, "one_test"))
