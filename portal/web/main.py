"""`one-web`: the HTTP server process."""

from __future__ import annotations

import socket

import uvicorn

from portal import heap, jsonlog
from portal.settings import load_settings
from portal.web.app import create_app

KEEP_ALIVE_S = 30
SHUTDOWN_S = 5


def main() -> None:
    """Serve until told to stop; open log streams get SHUTDOWN_S to end."""
    jsonlog.configure()
    settings = load_settings()
    config = uvicorn.Config(
        create_app(settings),
        host=settings.web.host,
        port=settings.web.port,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    listener = config.bind_socket()
    forget_dead_peers(listener, settings.limits.slow_client_s)
    heap.settle()
    uvicorn.Server(config).run(sockets=[listener])


def forget_dead_peers(listener: socket.socket, limit_s: float) -> None:
    """Let the kernel end a connection whose peer takes nothing for `limit_s`, with what is still buffered for it.

    Closing is not enough: a closed socket is kept until its buffer is sent. Connections inherit the listener's option.
    Source: tcp(7), TCP_USER_TIMEOUT
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limit_s * 1000))
