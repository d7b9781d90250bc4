"""reward-calc: runs the learnt policy without exploration and says what it earns, and why."""

from __future__ import annotations

import shutil

import numpy as np
from oneapp import contract
from oneapp.policy import Policy
from oneapp.reactor import Design, ReactorEnv

BEFORE = "CL-REF-002"
EVALUATIONS = 30


def evaluate(design: Design, policy: Policy, seed: int) -> dict[str, float]:
    """One episode: mean reward, efficiency and safety, the steps outside the limits, and where it ended."""
    env = ReactorEnv(design)
    observation, _ = env.reset(seed=seed)
    rows, ended = [], False
    while not ended:
        observation, reward, _, ended, _ = env.step(policy.mean(observation))
        safety = design.limits.safety(env.temperature, env.pressure)
        rows.append((reward, design.plant.efficiency(env.temperature, env.pressure), safety, float(safety == 0)))
    reward, efficiency, safety, _ = np.mean(rows, axis=0)
    return {
        "reward": float(reward),
        "efficiency": float(efficiency),
        "safety": float(safety),
        "breaches": float(np.sum(rows, axis=0)[3]),
        "temperature_c": env.temperature,
        "pressure_bar": env.pressure,
    }


def main() -> None:
    design = Design.from_json(contract.input_json(BEFORE, "env.json"))
    policy = Policy.load(contract.input_file(BEFORE, "policy.safetensors"))
    results = [evaluate(design, policy, seed=design.seed + number) for number in range(EVALUATIONS)]
    for number, result in enumerate(results, start=1):
        # Not "reward": the reward of an episode is what the agent earned while it learnt.
        contract.report(episode=number, efficiency=round(result["efficiency"], 4), safety=round(result["safety"], 4))
    means = {name: float(np.mean([result[name] for result in results])) for name in results[0]}
    contract.write_json(contract.out("rewards.json"), {"episodes": EVALUATIONS, "mean": means, "results": results})
    for name in ("env.json", "policy.safetensors"):
        shutil.copyfile(contract.input_file(BEFORE, name), contract.out(name))
    contract.say(f"the policy earns {means['reward']:.1f} of 100 with {means['breaches']:.1f} breaches an episode")


if __name__ == "__main__":
    contract.run(main)
