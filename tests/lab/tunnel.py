"""A port of a lab's host that listens there on localhost only, on a free port of this machine while a test needs it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from lab.hosts import STATE, address, until

OPEN_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0


@contextmanager
def tunnel(node: str, port: int) -> Iterator[int]:
    """The local port that leads to `node`'s localhost:`port` by ssh."""
    local = _free_port()
    options = ["-F", "/dev/null", "-o", f'UserKnownHostsFile="{STATE}/ssh/known_hosts"', "-o", "IdentitiesOnly=yes"]
    options += ["-o", "ConnectTimeout=5", "-o", "ExitOnForwardFailure=yes", "-i", f"{STATE}/ssh/id_ed25519"]
    forward = f"127.0.0.1:{local}:localhost:{port}"
    argv = ["ssh", *options, "-N", "-L", forward, "-l", "root", address(node)]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        until(f"a tunnel to {node}:{port}", lambda: _answers(process, local), timeout_s=OPEN_TIMEOUT_S, interval_s=0.1)
        yield local
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, f"ssh ended with {process.returncode}"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
