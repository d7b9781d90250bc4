"""ring: the ranks of one component, a rank a node, meet over TCP and fit one line through data that each has a part of."""

from __future__ import annotations

import json
import os
import socket
import time

import numpy as np
from oneapp import contract, tensors

TIMEOUT_S = 120.0
RETRY_S = 0.2
ROUNDS = 200
RATE = 0.5
ROWS_A_RANK = 2000
SEED = 42
TRUE_LINE = (3.0, -2.0)


def environment() -> tuple[int, int, str, int]:
    """Rank, ranks, and where rank 0 listens. Raises Missing outside a run."""
    try:
        rank, size = int(os.environ["ONE_NODE_RANK"]), int(os.environ["ONE_NODES"])
        return rank, size, os.environ["ONE_MASTER_ADDR"], int(os.environ["ONE_MASTER_PORT"])
    except KeyError as exc:
        raise contract.Missing(f"{exc.args[0]} is not set: this program runs as a component on several nodes") from exc


class Peer:
    """A connection that carries one JSON list of numbers a line."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection, self._lines = connection, connection.makefile("rb")

    def send(self, numbers: np.ndarray) -> None:
        self._connection.sendall(json.dumps(numbers.tolist()).encode() + b"\n")

    def receive(self) -> np.ndarray:
        """Raises Missing when the other rank is gone."""
        line = self._lines.readline()
        if not line:
            raise contract.Missing("another rank closed its connection before the work was done")
        return np.array(json.loads(line))


def meet(rank: int, size: int, address: str, port: int) -> list[Peer]:
    """Rank 0 gets a peer for every other rank, the others one for rank 0. Raises Missing when they do not come."""
    if rank == 0:
        with socket.create_server(("", port)) as listener:
            listener.settimeout(TIMEOUT_S)
            try:
                return [Peer(listener.accept()[0]) for _ in range(size - 1)]
            except TimeoutError as exc:
                raise contract.Missing(f"not all {size} ranks came within {TIMEOUT_S:.0f} s") from exc
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return [Peer(socket.create_connection((address, port), timeout=TIMEOUT_S))]
        except OSError as exc:
            if time.monotonic() > deadline:
                raise contract.Missing(f"rank 0 at {address}:{port} does not answer: {exc}") from exc
            time.sleep(RETRY_S)


def mean_over_ranks(rank: int, size: int, peers: list[Peer], numbers: np.ndarray) -> np.ndarray:
    """The same mean on every rank: gathered at rank 0, sent back."""
    if rank != 0:
        peers[0].send(numbers)
        return peers[0].receive()
    mean = np.asarray((numbers + sum(peer.receive() for peer in peers)) / size)
    for peer in peers:
        peer.send(mean)
    return mean


def main() -> None:
    rank, size, address, port = environment()
    rng = np.random.default_rng([SEED, rank])
    x = rng.uniform(-1, 1, ROWS_A_RANK)
    y = TRUE_LINE[0] * x + TRUE_LINE[1] + 0.1 * rng.standard_normal(ROWS_A_RANK)
    contract.say(f"rank {rank} of {size} on {socket.gethostname()}, rank 0 is {address}:{port}")
    peers = meet(rank, size, address, port)
    line = np.zeros(2)
    for number in range(1, ROUNDS + 1):
        error = line[0] * x + line[1] - y
        mean = mean_over_ranks(rank, size, peers, np.array([(error * x).mean(), error.mean(), (error**2).mean()]))
        line -= RATE * mean[:2]
        if rank == 0:
            contract.report(round=number, loss=round(float(mean[2]), 6))
    if rank == 0:
        tensors.save(contract.model("line.safetensors"), {"line": line})
        contract.write_json(contract.out("line.json"), {"slope": line[0], "offset": line[1], "ranks": size})
    contract.say(f"rank {rank}: y = {line[0]:.3f} x + {line[1]:.3f}")


if __name__ == "__main__":
    contract.run(main)
