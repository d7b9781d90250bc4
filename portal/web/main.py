"""`one-web`: the HTTP server process."""

from __future__ import annotations

import uvicorn

from portal import jsonlog
from portal.settings import load_settings
from portal.web.app import create_app

KEEP_ALIVE_S = 30
SHUTDOWN_S = 5


def main() -> None:
    """Serve until told to stop; open log streams get SHUTDOWN_S to end."""
    jsonlog.configure()
    settings = load_settings()
    uvicorn.run(
        create_app(settings),
        host=settings.web.host,
        port=settings.web.port,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
