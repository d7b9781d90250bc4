"""The portal on loopback with a scene to look at: `python -m tests.browser.site` (or started beside the browser tests)."""

from __future__ import annotations

import argparse
import asyncio
import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import uvicorn

from portal import jsonlog
from portal.settings import Settings
from portal.web.app import create_app
from tests.browser import scene
from tests.daemon.world import World

ROUND_S = 5.0
Build = Callable[[Settings], Awaitable[World]]
"""Makes what the portal shows, from nothing."""
Adjust = Callable[[Settings], Settings]


@asynccontextmanager
async def running(
    folder: Path, port: int = 0, build: Build = scene.build, adjust: Adjust = lambda settings: settings
) -> AsyncIterator[tuple[Settings, World]]:
    """Serve what `build` makes, by settings that `adjust` may change; their public_url is the address."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    settings = adjust(scene.settings_in(folder, listener.getsockname()[1]))
    world = await build(settings)
    app = create_app(settings, store=world.store)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None, timeout_graceful_shutdown=1))
    me = pwd.getpwuid(os.getuid())  # whose runs the scene's run directories are; the people have no accounts here
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        with patch("pwd.getpwnam", lambda _name: me):
            yield settings, world
    finally:
        server.should_exit = True
        await serving
        await world.maker.kw["bind"].dispose()


async def _show(folder: Path, port: int, *, still: bool) -> None:
    async with running(folder, port) as (settings, world):
        names = ", ".join(world.actors)
        print(f"{settings.web.public_url} - sign in as {names}; password {scene.PASSWORD}", flush=True)
        while True:
            await asyncio.sleep(ROUND_S)
            if not still:
                await world.round(ROUND_S)


def main() -> None:
    """Serve until interrupted; the scene's daemon goes on unless --still."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--still", action="store_true", help="nothing moves by itself: for screenshots")
    given = parser.parse_args()
    jsonlog.configure()
    folder = Path(tempfile.mkdtemp(prefix="one-site-"))
    try:
        asyncio.run(_show(folder, given.port, still=given.still))
    except KeyboardInterrupt:
        print("stopped")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
