"""simulator: a service that steps the reactor for whoever connects; one JSON object a line, over TCP."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import threading
from typing import Any

import numpy as np
from oneapp import contract
from oneapp.reactor import Plant, ReactorEnv, design_from_training

PLANT = Plant(temp_opt=820.0, temp_width=260.0, pressure_opt=22.0, pressure_width=16.0)
MAX_LINE_BYTES = 4096
IDLE_TIMEOUT_S = 300


class Session(socketserver.StreamRequestHandler):
    """One client with an environment of its own: {"reset": seed} or {"action": [temperature, pressure]}."""

    timeout = IDLE_TIMEOUT_S

    def handle(self) -> None:
        env = ReactorEnv(design_from_training(contract.config("training"), PLANT))
        contract.say(f"{self.client_address[0]} connected")
        while line := self.rfile.readline(MAX_LINE_BYTES):
            try:
                answer = reply(env, json.loads(line))
            except (ValueError, KeyError, TypeError) as exc:
                answer = {"error": f"not a request: {exc!r}"}
            self.wfile.write(json.dumps(answer).encode() + b"\n")


def reply(env: ReactorEnv, request: dict[str, Any]) -> dict[str, Any]:
    """The environment's answer. Raises KeyError, TypeError, ValueError for other requests."""
    if "reset" in request:
        observation, _ = env.reset(seed=int(request["reset"]))
        return {"observation": observation.tolist()}
    action = np.array(request["action"], dtype=np.float64).reshape(2)
    observation, reward, terminated, truncated, _ = env.step(action)
    return {"observation": observation.tolist(), "reward": reward, "ended": terminated or truncated}


class Server(socketserver.ThreadingTCPServer):
    """A thread a client."""

    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    port = os.environ.get("ONE_PORT")
    if not port:
        raise contract.Missing('ONE_PORT is not set: give this component `"ready": {"port": "auto"}`')
    with Server(("", int(port)), Session) as server:
        # The platform ends a service with TERM when those that need it have ended: that is its success.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        contract.say(f"the simulator listens on port {port}")
        server.serve_forever()
    contract.say("stopped: nobody needs the simulator any more")


if __name__ == "__main__":
    contract.run(main)
