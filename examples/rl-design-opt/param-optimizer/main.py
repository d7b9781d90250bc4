"""param-optimizer: searches the set points around the policy's own for the design that the plant is built with."""

from __future__ import annotations

import numpy as np
from oneapp import contract
from oneapp.reactor import Design, scaled, unscaled

BEFORE = "CL-REF-003"
ROUNDS, CANDIDATES, ELITE = 12, 64, 8
FIRST_SPREAD = 0.1
DISTURBANCES = 32


def expected_reward(design: Design, point: np.ndarray, disturbances: np.ndarray) -> float:
    """Mean reward of holding a set point while the plant is disturbed."""
    return float(np.mean([design.reward(*unscaled(point + shift)) for shift in disturbances]))


def search(design: Design, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Cross-entropy search: draw, keep the best, narrow down; the best point seen and what it earns."""
    rng = np.random.default_rng(design.seed)
    disturbances = 0.02 * rng.standard_normal((DISTURBANCES, 2))
    centre, spread = start, np.full(2, FIRST_SPREAD)
    best, best_reward = start, expected_reward(design, start, disturbances)
    for number in range(1, ROUNDS + 1):
        points = np.clip(centre + spread * rng.standard_normal((CANDIDATES, 2)), -1, 1)
        rewards = np.array([expected_reward(design, point, disturbances) for point in points])
        elite = points[np.argsort(-rewards)[:ELITE]]
        centre, spread = elite.mean(axis=0), elite.std(axis=0)
        if rewards.max() > best_reward:
            best, best_reward = points[rewards.argmax()], float(rewards.max())
        contract.report(round=number, best=round(best_reward, 4))
    return best, best_reward


def main() -> None:
    design = Design.from_json(contract.input_json(BEFORE, "env.json"))
    policy = contract.input_json(BEFORE, "rewards.json")["mean"]
    start = scaled(policy["temperature_c"], policy["pressure_bar"])
    best, reward = search(design, start)
    temperature, pressure = unscaled(best)
    found = {
        "temperature_c": round(temperature, 3),
        "pressure_bar": round(pressure, 3),
        "expected_reward": round(reward, 4),
        "efficiency": round(design.plant.efficiency(temperature, pressure), 4),
        "safety": round(design.limits.safety(temperature, pressure), 4),
        "policy_reward": round(policy["reward"], 4),
    }
    contract.write_json(contract.out("design.json"), found)
    contract.write_json(contract.model("design.json"), found)
    contract.say(f"best design: {temperature:.1f} C, {pressure:.2f} bar, {reward:.1f} of 100")


if __name__ == "__main__":
    contract.run(main)
