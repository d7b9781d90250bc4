"""Stands between daemon and agent and holds one call: python3 proxy.py LISTEN AGENT VERB request|sent|answer

request: the agent never gets it; sent: the agent gets it and nobody waits for its answer; answer: the agent has answered.
From then on, whoever made the call waits until it is killed; every other call passes. Runs on svc, standard library only.
"""

import json
import socket
import sys
import threading
from pathlib import Path

listen, agent, verb, point = sys.argv[1:]
once = threading.Lock()


def line_of(connection: socket.socket) -> bytes:
    """One line, or what came before the end."""
    got = b""
    while not got.endswith(b"\n"):
        piece = connection.recv(1 << 20)
        if not piece:
            break
        got += piece
    return got


def serve(daemon: socket.socket) -> None:
    """One connection, one call."""
    with daemon, socket.socket(socket.AF_UNIX) as real:
        request = line_of(daemon)
        hold = bool(request) and json.loads(request)["verb"] == verb and once.acquire(blocking=False)
        if hold and point == "request":
            stand_still(daemon)
            return
        real.connect(agent)
        real.sendall(request)
        if hold and point == "sent":
            stand_still(daemon)
            line_of(real)
            return
        answer = line_of(real)
        if hold:
            stand_still(daemon)
            return
        daemon.sendall(answer)


def stand_still(daemon: socket.socket) -> None:
    """Say that the call is held, and wait until the daemon is gone."""
    Path(listen).with_name("held").touch()
    daemon.recv(1)


with socket.socket(socket.AF_UNIX) as server:
    server.bind(listen)
    server.listen(64)
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
