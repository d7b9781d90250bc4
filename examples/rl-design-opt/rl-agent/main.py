"""rl-agent: learns to run the reactor, episode by episode; the policy is the run's model."""

from __future__ import annotations

import os
import shutil

import numpy as np
from oneapp import contract
from oneapp.policy import Episode, Learner
from oneapp.reactor import Design, ReactorEnv

BEFORE = "CL-REF-001"
CHECKPOINT_EVERY = 100
LOG_LINES = 20


def asked_episodes() -> int:
    """ONE_EPISODES (test runs) goes before training.json, which goes before params.json."""
    configured = contract.config("training").get("episodes") or contract.config("params").get("episodes", 1000)
    return int(os.environ.get("ONE_EPISODES") or configured)


def make_learner() -> Learner:
    """With the hyperparameters of training.json."""
    training, params = contract.config("training"), contract.config("params")
    rate = float(training.get("learning_rate") or params.get("lr", 0.001))
    return Learner(rate, float(training.get("gamma", 0.99)), int(training.get("batch_size", 64)))


def play(env: ReactorEnv, learner: Learner, rng: np.random.Generator, seed: int) -> Episode:
    """One episode with exploration."""
    observation, _ = env.reset(seed=seed)
    observations, actions, rewards = [observation], [], []
    ended = False
    while not ended:
        action = learner.policy.sample(observation, rng)
        observation, reward, terminated, truncated, _ = env.step(action)
        observations.append(observation)
        actions.append(action)
        rewards.append(reward)
        ended = terminated or truncated
    return Episode(np.array(observations), np.array(actions), np.array(rewards))


def resume(learner: Learner) -> int:
    """Go on from the checkpoint of an earlier attempt, if there is one; the episodes that it has behind it."""
    state, progress = contract.checkpoint("learner.safetensors"), contract.checkpoint("progress.json")
    if not (contract.resuming() and state.is_file() and progress.is_file()):
        return 0
    learner.restore(state)
    done = int(contract.read_json(progress)["episodes"])
    contract.say(f"resuming after episode {done}")
    return done


def save_checkpoint(learner: Learner, episodes: int) -> None:
    learner.save(contract.checkpoint("learner.safetensors"))
    contract.write_json(contract.checkpoint("progress.json"), {"episodes": episodes})


def train(env: ReactorEnv, learner: Learner, done: int, episodes: int) -> None:
    """Each episode has random numbers of its own, so a resumed run ends like one that was not interrupted."""
    seed = env.design.seed
    for number in range(done + 1, episodes + 1):
        rng = np.random.default_rng([seed, number])
        episode = play(env, learner, rng, int(rng.integers(2**31)))
        learner.learn(episode, rng)
        reward = float(episode.rewards.mean())
        contract.report(episode=number, reward=round(reward, 4))
        if number % max(1, episodes // LOG_LINES) == 0:
            contract.say(f"episode {number}: reward {reward:.1f}")
        if number % CHECKPOINT_EVERY == 0:
            save_checkpoint(learner, number)


def main() -> None:
    design = Design.from_json(contract.input_json(BEFORE, "env.json"))
    episodes, learner = asked_episodes(), make_learner()
    contract.say(f"{episodes} episodes, learning rate {learner.rate}, batch {learner.batch_size}, seed {design.seed}")
    train(ReactorEnv(design), learner, resume(learner), episodes)
    learner.policy.save(contract.model("policy.safetensors"))
    learner.policy.save(contract.out("policy.safetensors"))
    shutil.copyfile(contract.input_file(BEFORE, "env.json"), contract.out("env.json"))
    contract.say("the policy is in /one/model/policy.safetensors")


if __name__ == "__main__":
    contract.run(main)
