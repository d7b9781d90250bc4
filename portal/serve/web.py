"""The web server inside `one serve`: uvicorn on a socket that is bound first, stopped by whoever serves and by no signal."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import uvicorn
from litestar import Litestar

from portal.serve.errors import ServeError
from portal.serve.seaweed import LOOPBACK

KEEP_ALIVE_S = 30
SHUTDOWN_S = 2
BACKLOG = 128


class Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the order in which things end is not its business."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        """None are."""
        return nullcontext()


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """The socket of the portal, 0 for any free port. Raises ServeError (port_taken)."""
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((LOOPBACK, port))
            bound.listen(BACKLOG)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise ServeError("port_taken", port=port, why=error.strerror) from error
        yield bound


def server_of(app: Litestar) -> Server:
    """A server for the application; open log streams get SHUTDOWN_S to end."""
    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )
