"""A small process-design simulator: steer a reactor's temperature and pressure to where it is efficient and safe."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

BATCH_STEPS = 100  # a batch of the process ends after so many steps, or at max_steps_per_episode
TEMPERATURES = (300.0, 1000.0)  # degrees Celsius that the plant can be set to
PRESSURES = (1.0, 41.0)  # bar
RESPONSE = 0.35  # part of the way to its set point that the plant goes in one step
TEMPERATURE_NOISE, PRESSURE_NOISE = 2.0, 0.1  # standard deviations of one step's disturbance
TEMPERATURE_MARGIN, PRESSURE_MARGIN = 40.0, 4.0  # safety falls from 1 to 0 within this distance of a limit
IDLE = (420.0, 12.0)  # where every episode begins, and what an untrained policy sets
REWARD_SCALE = 100.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plant:
    """The efficiency surface exp(-((T - temp_opt) / temp_width)^2 - ((P - pressure_opt) / pressure_width)^2)."""

    temp_opt: float
    temp_width: float
    pressure_opt: float
    pressure_width: float

    def efficiency(self, temperature: float, pressure: float) -> float:
        """0 to 1."""
        x = (temperature - self.temp_opt) / self.temp_width
        y = (pressure - self.pressure_opt) / self.pressure_width
        return float(np.exp(-x * x - y * y))


@dataclass(frozen=True)
class Limits:
    """Safe is below `max_temp` degrees and above `min_pressure` bar."""

    max_temp: float
    min_pressure: float

    def safety(self, temperature: float, pressure: float) -> float:
        """1 inside both limits with their margins, 0 outside either."""
        cool = min(max((self.max_temp - temperature) / TEMPERATURE_MARGIN, 0.0), 1.0)
        pressed = min(max((pressure - self.min_pressure) / PRESSURE_MARGIN, 0.0), 1.0)
        return cool * pressed


@dataclass(frozen=True)
class Weights:
    """What the reward counts: efficiency_weight * efficiency + safety_weight * safety, times 100."""

    efficiency: float
    safety: float


@dataclass(frozen=True)
class Design:
    """Everything that makes an environment; env-simulator writes it, the others read it."""

    plant: Plant
    limits: Limits
    weights: Weights
    seed: int
    max_steps: int

    def reward(self, temperature: float, pressure: float) -> float:
        """0 to 100 for weights that sum to 1."""
        efficiency = self.plant.efficiency(temperature, pressure)
        safety = self.limits.safety(temperature, pressure)
        return REWARD_SCALE * (self.weights.efficiency * efficiency + self.weights.safety * safety)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Design:
        """Raises KeyError, TypeError for another shape."""
        return cls(
            plant=Plant(**raw["plant"]),
            limits=Limits(**raw["limits"]),
            weights=Weights(**raw["weights"]),
            seed=int(raw["seed"]),
            max_steps=int(raw["max_steps"]),
        )


def design_from_training(training: dict[str, Any], plant: Plant) -> Design:
    """A design from `training_config`; the defaults are those of the specification's example."""
    env, reward = training.get("env_config") or {}, training.get("reward_params") or {}
    return Design(
        plant=plant,
        limits=Limits(float(env.get("max_temp", 850)), float(env.get("min_pressure", 10))),
        weights=Weights(float(reward.get("efficiency_weight", 0.6)), float(reward.get("safety_weight", 0.4))),
        seed=int(env.get("simulation_seed", 42)),
        max_steps=min(int(training.get("max_steps_per_episode", 500)), BATCH_STEPS),
    )


class ReactorEnv(gymnasium.Env[Array, Array]):
    """Action: the set points of temperature and pressure. Observation: both as they are. All scaled to -1..1."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.observation_space = gymnasium.spaces.Box(-1.5, 1.5, (2,), np.float64)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float64)
        self.temperature, self.pressure = IDLE
        self.steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed, options=options)
        self.temperature, self.pressure = IDLE
        self.steps = 0
        return scaled(self.temperature, self.pressure), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        temperature, pressure = unscaled(np.clip(action, -1.0, 1.0))
        noise = self.np_random.standard_normal(2)
        self.temperature += RESPONSE * (temperature - self.temperature) + TEMPERATURE_NOISE * float(noise[0])
        self.pressure += RESPONSE * (pressure - self.pressure) + PRESSURE_NOISE * float(noise[1])
        self.steps += 1
        reward = self.design.reward(self.temperature, self.pressure)
        return scaled(self.temperature, self.pressure), reward, False, self.steps >= self.design.max_steps, {}


def scaled(temperature: float, pressure: float) -> Array:
    """Degrees and bar as -1..1 over what the plant can be set to."""
    (cold, hot), (low, high) = TEMPERATURES, PRESSURES
    return np.array([2 * (temperature - cold) / (hot - cold) - 1, 2 * (pressure - low) / (high - low) - 1])


def unscaled(point: Array) -> tuple[float, float]:
    """Degrees and bar of a point in -1..1."""
    (cold, hot), (low, high) = TEMPERATURES, PRESSURES
    return cold + (hot - cold) * (float(point[0]) + 1) / 2, low + (high - low) * (float(point[1]) + 1) / 2
