"""The privileged process: a Unix socket checked by peer credentials, a few fixed verbs, nothing else.

Requests are served by one thread a connection. PySlurm holds Python's lock during every call, so with the native road a
slow controller makes everybody wait: that is why it lives in this process and in no other (docs/agent.md).
"""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import stat
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from slurm import protocol
from slurm.agent.config import AgentConfig, load_config
from slurm.agent.ledger import Ledger
from slurm.agent.rest import Rest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.roads import choose_road
from slurm.agent.tokens import Signer
from slurm.agent.verbs import Verbs
from slurm.errors import NotPermitted, SlurmError

DEFAULT_CONFIG = "/etc/one/agent.toml"
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


def build(config: AgentConfig) -> AgentServer:
    """The server and everything behind it. Raises SlurmError when the configuration cannot work."""
    signer = Signer.from_file(config.jwt_key)
    calls = SlurmRest(Rest(signer, socket=config.rest_socket, timeout_s=config.rest_timeout_s), config.operator)
    road = choose_road(config, calls)
    log.info("road chosen", road=road.reader.name, reason=road.reason)
    verbs = Verbs(config, calls, road, Ledger(config.ledger))
    return AgentServer(config.socket, config.peer_uids(), verbs)


def main() -> None:
    """Serve until SIGTERM; exits 1 with a message when the configuration is unsafe or wrong."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        server = build(load_config(Path(os.environ.get("ONE_AGENT_CONFIG", DEFAULT_CONFIG))))
    except SlurmError as error:
        sys.exit(f"one-agent: {error}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    with server:
        notify("READY=1")
        server.serve_forever(poll_interval=0.2)
    log.info("stopped")


def notify(state: str) -> None:
    """Tell systemd. Source: sd_notify(3); a leading @ is the abstract namespace. Does nothing without $NOTIFY_SOCKET."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(state.encode(), address)


def _remove_stale(path: Path) -> None:
    try:
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    except FileNotFoundError:
        return
