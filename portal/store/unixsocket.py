"""HTTP over a Unix socket for urllib3, which the `minio` client speaks through."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError


def pool_at(path: Path) -> type[urllib3.HTTPConnectionPool]:
    """A pool whose connections all go to the socket at `path`, whatever host they are asked for."""

    class Connection(HTTPConnection):
        """One of them."""

        def _new_conn(self) -> socket.socket:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            made.settimeout(self.timeout if isinstance(self.timeout, (int, float)) else None)
            try:
                made.connect(os.fspath(path))
            except OSError as error:
                made.close()
                raise NewConnectionError(self, f"{path}: {error}") from error
            return made

    class Pool(urllib3.HTTPConnectionPool):
        """All of them."""

        ConnectionCls = Connection

    return Pool
