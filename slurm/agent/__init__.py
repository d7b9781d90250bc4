"""The privileged process: a Unix socket checked by peer credentials, a few fixed verbs, nothing else.

Requests are served by one thread a connection. PySlurm holds Python's lock during every call, so with the native road a
slow controller makes everybody wait: that is why it lives in this process and in no other (docs/agent.md).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

import structlog

from slurm.agent.config import AgentConfig, load_config
from slurm.agent.ledger import Ledger
from slurm.agent.rest import Rest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.roads import choose_road
from slurm.agent.server import AgentServer
from slurm.agent.tokens import Signer
from slurm.agent.verbs import Verbs
from slurm.errors import SlurmError

DEFAULT_CONFIG = "/etc/one/agent.toml"

log = structlog.get_logger("one.agent")


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
