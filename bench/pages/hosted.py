"""The laboratory behind a web process of its own, and somebody signed in to it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2
import structlog

from bench.pages.database import postgres
from bench.pages.laboratory import PASSWORD, ROOT, Laboratory, build, settings_in

_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
_START_S = 60.0


@asynccontextmanager
async def hosted() -> AsyncIterator[tuple[Laboratory, str]]:
    """(the laboratory, the portal's address); all of it is gone afterwards."""
    structlog.configure(processors=[_dropped])
    with postgres() as url, tempfile.TemporaryDirectory(prefix="one-bench-pages-") as name:
        settings = settings_in(Path(name), url)
        laboratory = await build(settings)
        try:
            with _serving(Path(name), settings.model_dump_json()) as address:
                yield laboratory, address
        finally:
            await laboratory.world.maker.kw["bind"].dispose()


@contextmanager
def _serving(folder: Path, settings: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = folder / "settings.json"
    path.write_text(settings)
    server = subprocess.Popen([sys.executable, "-m", "bench.pages.server", str(path), str(port)], cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + _START_S
        while not _answers(address):
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the web process does not start")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(_START_S)


def _answers(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/healthz", timeout=5).is_success
    except httpx2.TransportError:
        return False


async def signed_in(address: str, name: str, connections: int = 1) -> httpx2.AsyncClient:
    """A browser's requests as this person."""
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    browser = httpx2.AsyncClient(base_url=address, timeout=120, limits=limits)
    found = _TOKEN.search((await browser.get("/login")).text)
    assert found is not None
    fields = {"form_token": found[1], "username": name, "password": PASSWORD, "next": "/"}
    answer = await browser.post("/login", data=fields)
    if answer.status_code != httpx2.codes.SEE_OTHER:
        raise RuntimeError(f"{name} is not let in: {answer.status_code}")
    return browser


def _dropped(*_: object) -> structlog.types.EventDict:
    raise structlog.DropEvent
