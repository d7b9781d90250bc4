"""`one-web`: the HTTP server process."""

from __future__ import annotations

import structlog
import uvicorn

from portal.settings import load_settings
from portal.web.app import create_app

KEEP_ALIVE_S = 30
SHUTDOWN_S = 5


def main() -> None:
    """Serve until told to stop; open log streams get SHUTDOWN_S to end."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    )
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
