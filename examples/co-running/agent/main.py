"""agent: learns from a simulator that runs beside it on another node."""

from __future__ import annotations

import json
import os
import socket
from types import TracebackType
from typing import Any

import numpy as np
from oneapp import contract
from oneapp.policy import Episode, Learner

SIMULATOR = "SIM-001"
TIMEOUT_S = 60.0
LOG_LINES = 20


class RemoteEnv:
    """The simulator's side of the conversation. Raises Missing when it is gone."""

    def __init__(self, host: str, port: int) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout=TIMEOUT_S)
        except OSError as exc:
            raise contract.Missing(f"the simulator at {host}:{port} does not answer: {exc}") from exc
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> RemoteEnv:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()

    def reset(self, seed: int) -> np.ndarray:
        return np.array(self._ask({"reset": seed})["observation"])

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool]:
        answer = self._ask({"action": action.tolist()})
        return np.array(answer["observation"]), float(answer["reward"]), bool(answer["ended"])

    def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            line = self._lines.readline()
        except OSError as exc:
            raise contract.Missing(f"the simulator stopped answering: {exc}") from exc
        if not line:
            raise contract.Missing("the simulator closed the connection before the training was over")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise contract.Missing(f"the simulator refused: {answer['error']}")
        return answer


def simulator_address() -> tuple[str, int]:
    """Where the simulator is, from hosts.json. Raises Missing when the App does not start it beside this component."""
    place = contract.config("hosts").get(SIMULATOR)
    if not place or not place.get("hosts") or not place.get("port"):
        raise contract.Missing(
            f'hosts.json does not name {SIMULATOR}: connect it to this component with `"when": "started"`'
        )
    return str(place["hosts"][0]), int(place["port"])


def play(env: RemoteEnv, learner: Learner, rng: np.random.Generator, seed: int) -> Episode:
    """One episode with exploration."""
    observations, actions, rewards = [env.reset(seed)], [], []
    ended = False
    while not ended:
        action = learner.policy.sample(observations[-1], rng)
        observation, reward, ended = env.step(action)
        observations.append(observation)
        actions.append(action)
        rewards.append(reward)
    return Episode(np.array(observations), np.array(actions), np.array(rewards))


def main() -> None:
    training = contract.config("training")
    episodes = int(os.environ.get("ONE_EPISODES") or training.get("episodes", 200))
    seed = int((training.get("env_config") or {}).get("simulation_seed", 42))
    learner = Learner(
        float(training.get("learning_rate", 0.001)),
        float(training.get("gamma", 0.99)),
        int(training.get("batch_size", 64)),
    )
    host, port = simulator_address()
    contract.say(f"learning {episodes} episodes from {host}:{port}")
    with RemoteEnv(host, port) as env:
        for number in range(1, episodes + 1):
            rng = np.random.default_rng([seed, number])
            episode = play(env, learner, rng, int(rng.integers(2**31)))
            learner.learn(episode, rng)
            reward = float(episode.rewards.mean())
            contract.report(episode=number, reward=round(reward, 4))
            if number % max(1, episodes // LOG_LINES) == 0:
                contract.say(f"episode {number}: reward {reward:.1f}")
    learner.policy.save(contract.model("policy.safetensors"))


if __name__ == "__main__":
    contract.run(main)
