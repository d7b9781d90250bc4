"""env-simulator: calibrates the reactor from the plant's measurements and records how it runs untrained."""

from __future__ import annotations

import json

import numpy as np
from oneapp import contract, measurements
from oneapp.policy import Policy
from oneapp.reactor import Design, Plant, ReactorEnv, design_from_training

LEAST_EFFICIENCY = 0.05  # below this the measuring error outweighs the logarithm
BASELINE_EPISODES = 20


def calibrate(table: np.ndarray) -> Plant:
    """Least squares on the logarithm, which is a parabola in each variable. Raises Missing without a maximum."""
    useful = table[table[:, 2] > LEAST_EFFICIENCY]
    temperature, pressure, efficiency = useful.T
    terms = np.column_stack([np.ones(len(useful)), temperature, temperature**2, pressure, pressure**2])
    # The logarithm magnifies the error of small efficiencies: weigh each row by its efficiency.
    fit = np.linalg.lstsq(terms * efficiency[:, None], np.log(efficiency) * efficiency, rcond=None)[0]
    if not (fit[2] < 0 and fit[4] < 0):
        raise contract.Missing("the measurements show no temperature and pressure of best efficiency")
    return Plant(
        temp_opt=float(-fit[1] / (2 * fit[2])),
        temp_width=float(np.sqrt(-1 / fit[2])),
        pressure_opt=float(-fit[3] / (2 * fit[4])),
        pressure_width=float(np.sqrt(-1 / fit[4])),
    )


def baseline(design: Design) -> list[dict[str, float]]:
    """Mean rewards of an untrained policy with exploration."""
    env, policy, episodes = ReactorEnv(design), Policy(), []
    for number in range(BASELINE_EPISODES):
        rng = np.random.default_rng([design.seed, number])
        observation, _ = env.reset(seed=int(rng.integers(2**31)))
        rewards, ended = [], False
        while not ended:
            observation, reward, _, ended, _ = env.step(policy.sample(observation, rng))
            rewards.append(reward)
        episodes.append({"episode": number, "reward": float(np.mean(rewards))})
    return episodes


def main() -> None:
    table = measurements.read(contract.training_data(measurements.FILE))
    plant = calibrate(table)
    contract.say(f"calibrated from {len(table)} measurements: {plant}")
    design = design_from_training(contract.config("training"), plant)
    contract.write_json(contract.out("env.json"), design.to_json())
    episodes = baseline(design)
    contract.out("baseline.jsonl").write_text("".join(json.dumps(line) + "\n" for line in episodes))
    mean = float(np.mean([line["reward"] for line in episodes]))
    contract.say(f"an untrained policy earns {mean:.1f} of 100")


if __name__ == "__main__":
    contract.run(main)
