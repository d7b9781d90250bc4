"""The agent's door: a Unix socket checked by peer credentials, one thread a connection, verbs called by name."""

from __future__ import annotations

import os
import socket
import socketserver
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from slurm import protocol
from slurm.agent.verbs import Verbs
from slurm.errors import NotPermitted, SlurmError

IDLE_S = 60
_PEER = struct.Struct("3i")

log = structlog.get_logger("one.agent")


def answer(verbs: Verbs, line: bytes) -> bytes:
    """One request line -> one answer line; every error of the package is an answer."""
    try:
        request = protocol.decode_request(line)
        arguments = {name: getattr(request, name) for name in type(request).model_fields if name != "verb"}
        call: Callable[..., Any] = getattr(verbs, request.verb)
        return protocol.encode_result(request.verb, call(**arguments))
    except SlurmError as error:
        log.info("answered no", error=type(error).__name__, message=str(error))
        return protocol.encode_error(error)


class AgentServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens on the configured socket; other peers than the allowed uids are told no and cut off."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, path: Path, peers: frozenset[int], verbs: Verbs) -> None:
        self.peers = peers
        self.verbs = verbs
        _remove_stale(path)
        before = os.umask(0o117)
        try:
            super().__init__(str(path), _Connection)
        finally:
            os.umask(before)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is logged with its cause; the others go on."""
        log.error("connection failed", exc_info=True)


class _Connection(socketserver.StreamRequestHandler):
    server: AgentServer
    timeout = IDLE_S

    def handle(self) -> None:
        uid = peer_uid(self.connection)
        if uid not in self.server.peers:
            log.warning("peer refused", uid=uid)
            # Closing with a request unread would reset the connection, and the answer with it.
            self._line()
            self.wfile.write(protocol.encode_error(NotPermitted(f"uid {uid} may not talk to the agent")))
            return
        while line := self._line():
            self.wfile.write(answer(self.server.verbs, line))

    def _line(self) -> bytes:
        try:
            line = self.rfile.readline(protocol.MAX_REQUEST_BYTES + 1)
        except TimeoutError:
            return b""
        return line if line.endswith(b"\n") else b""


def peer_uid(connection: socket.socket) -> int:
    """The uid at the other end. Source: unix(7), SO_PEERCRED gives pid, uid, gid."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return int(_PEER.unpack(credentials)[1])


def _remove_stale(path: Path) -> None:
    try:
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    except FileNotFoundError:
        return
