"""A Gaussian policy with linear means, learnt by an actor and a critic in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oneapp import tensors
from oneapp.reactor import IDLE, REWARD_SCALE, scaled
from oneapp.tensors import Array

EXPLORATION = 0.2  # standard deviation of an action while learning
TRACE = 0.9  # lambda of the generalised advantage
VALUE_RATE, VALUE_RIDGE = 0.3, 0.1
ADAM_MEAN, ADAM_SQUARE, ADAM_SMALL = 0.9, 0.999, 1e-8
STATE = ("weights", "value", "adam_mean", "adam_square", "updates")


@dataclass
class Episode:
    """What happened: one row a step; `observations` has one row more, the state at the end."""

    observations: Array
    actions: Array
    rewards: Array


class Policy:
    """Set points as `weights @ [1, temperature, pressure]`; an untrained policy leaves the plant idle."""

    def __init__(self, weights: Array | None = None) -> None:
        idle = np.column_stack([scaled(*IDLE), np.zeros((2, 2))])
        self.weights = idle if weights is None else weights

    def mean(self, observation: Array) -> Array:
        """The best action as far as it is known."""
        return np.asarray(self.weights[:, 0] + self.weights[:, 1:] @ observation)

    def sample(self, observation: Array, rng: np.random.Generator) -> Array:
        """An action to learn from."""
        return self.mean(observation) + EXPLORATION * rng.standard_normal(2)

    def save(self, path: Path) -> None:
        tensors.save(path, {"weights": self.weights})

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Raises Missing for a file that is not a policy."""
        return cls(tensors.load(path, ("weights",))["weights"])


class Learner:
    """A policy and what learning it needs: the critic's weights and Adam's memory.

    `rate` is for one transition; a batch of n moves by rate * sqrt(n) (square-root scaling).
    """

    def __init__(self, rate: float, gamma: float, batch_size: int) -> None:
        self.rate, self.gamma, self.batch_size = rate, gamma, batch_size
        self.policy = Policy()
        self.value = np.zeros(6)
        self.adam_mean, self.adam_square, self.updates = np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(1)

    def learn(self, episode: Episode, rng: np.random.Generator) -> None:
        """Improve critic and policy from one episode, in batches of its steps in random order."""
        advantages = self._advantages(episode)
        order = rng.permutation(len(advantages))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            self._improve(episode.observations[rows], episode.actions[rows], advantages[rows])

    def _advantages(self, episode: Episode) -> Array:
        """Generalised advantages; the critic moves towards the returns. Source: https://arxiv.org/abs/1506.02438"""
        features = _features(episode.observations)
        values = features @ self.value
        surprise = episode.rewards / REWARD_SCALE + self.gamma * values[1:] - values[:-1]
        advantages, total = np.empty(len(surprise)), 0.0
        for step in range(len(surprise) - 1, -1, -1):
            total = surprise[step] + self.gamma * TRACE * total
            advantages[step] = total
        known = features[:-1]
        ridge = known.T @ known + VALUE_RIDGE * np.eye(known.shape[1])
        self.value += VALUE_RATE * np.linalg.solve(ridge, known.T @ advantages)
        return advantages

    def _improve(self, observations: Array, actions: Array, advantages: Array) -> None:
        """One step along the policy's gradient."""
        weights = (advantages - advantages.mean()) / (advantages.std() + ADAM_SMALL)
        states = np.column_stack([np.ones(len(observations)), observations])
        scores = (actions - states @ self.policy.weights.T) / EXPLORATION**2
        gradient = (scores * weights[:, None]).T @ states / len(states)
        self.policy.weights += self.rate * np.sqrt(len(states)) * self._adam(gradient)

    def _adam(self, gradient: Array) -> Array:
        """The gradient, scaled. Source: https://arxiv.org/abs/1412.6980 (algorithm 1)."""
        self.updates += 1
        count = float(self.updates[0])
        self.adam_mean += (1 - ADAM_MEAN) * (gradient - self.adam_mean)
        self.adam_square += (1 - ADAM_SQUARE) * (gradient**2 - self.adam_square)
        mean = self.adam_mean / (1 - ADAM_MEAN**count)
        square = self.adam_square / (1 - ADAM_SQUARE**count)
        return np.asarray(mean / (np.sqrt(square) + ADAM_SMALL))

    def save(self, path: Path) -> None:
        """Everything, so that learning can go on from here."""
        memory = {name: getattr(self, name) for name in STATE if name != "weights"}
        tensors.save(path, {"weights": self.policy.weights, **memory})

    def restore(self, path: Path) -> None:
        """Raises Missing for a file that `save` did not write."""
        state = tensors.load(path, STATE)
        self.policy = Policy(state.pop("weights"))
        for name, tensor in state.items():
            setattr(self, name, tensor)


def _features(observations: Array) -> Array:
    """What the critic sees: the state, its squares and its product."""
    product = observations[:, 0] * observations[:, 1]
    return np.column_stack([np.ones(len(observations)), observations, observations**2, product])
