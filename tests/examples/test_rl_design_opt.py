"""The specification's example as programs: each needs the one before, the curve rises, equal seeds give equal models."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import stat
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from .stage import EXAMPLES, Stage, app

pytestmark = pytest.mark.whole

CHAIN = (
    ("CL-REF-001", "env-simulator", None),
    ("CL-REF-002", "rl-agent", "CL-REF-001"),
    ("CL-REF-003", "reward-calc", "CL-REF-002"),
    ("CL-REF-004", "param-optimizer", "CL-REF-003"),
    ("CL-REF-010", "data-loader", "CL-REF-004"),
)
PROGRAMS = {node: f"rl-design-opt/{program}" for node, program, _ in CHAIN}


def stage(root: Path, *, episodes: int | None = None, seed: int = 42) -> Stage:
    data = root / "data"
    subprocess.run([sys.executable, EXAMPLES / "rl-design-opt/make_training_data.py", data], check=True, timeout=30)
    spec = app("rl-design-opt")
    spec["storage"]["path"] = str(data)
    spec["training_config"]["env_config"]["simulation_seed"] = seed
    return Stage(root, spec, {"ONE_EPISODES": str(episodes)} if episodes else {})


def run_chain(root: Path, *, episodes: int, seed: int = 42) -> Stage:
    made = stage(root, episodes=episodes, seed=seed)
    for node, _, before in CHAIN:
        if before:
            made.give(node, f"TASK-001/{before}" if node == "CL-REF-010" else before, before)
        done = made.run(node, PROGRAMS[node])
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    return made


def train(made: Stage) -> None:
    """The first two components."""
    assert made.run("CL-REF-001", PROGRAMS["CL-REF-001"]).returncode == 0
    made.give("CL-REF-002", "CL-REF-001", "CL-REF-001")
    assert made.run("CL-REF-002", PROGRAMS["CL-REF-002"]).returncode == 0


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def mann_kendall(values: list[float]) -> float:
    """The trend's z: above 1.645 is a significant rise, below -1.645 a fall."""
    score = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    count = len(values)
    spread = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return (score - math.copysign(1, score)) / spread if score else 0.0


def test_the_programs_are_those_of_the_apps_images() -> None:
    spec = app("rl-design-opt")
    names = {part["component_id"]: part["name"] for task in spec["tasks"] for part in task["components"]}
    assert {node: f"rl-design-opt/{name}" for node, name in names.items()} == PROGRAMS


def test_a_whole_run_learns_and_leaves_a_model(tmp_path: Path) -> None:
    made = run_chain(tmp_path, episodes=200)
    rewards = made.rewards("CL-REF-002")
    assert len(rewards) == 200
    assert sum(rewards[:10]) / 10 < 50
    assert sum(rewards[-10:]) / 10 > 90
    assert [made.rewards(node) for node in PROGRAMS if node != "CL-REF-002"] == [[], [], [], []]
    assert sorted(digests(tmp_path / "model")) == ["design.json", "policy.safetensors"]
    design = json.loads((tmp_path / "model" / "design.json").read_text())
    assert design["expected_reward"] > 95
    assert 700 < design["temperature_c"] < 850
    assert design["pressure_bar"] > 10
    summary = json.loads((made.folder("CL-REF-010") / "out" / "summary.json").read_text())
    assert (summary["rows"], summary["validation_rows"], summary["design"]) == (400, 80, design)
    for path in (tmp_path / "model").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o040, f"{path.name} cannot be read by the platform's group"


def test_the_same_seed_gives_the_same_model_and_ten_episodes_rise(tmp_path: Path) -> None:
    models = []
    for number, seed in enumerate((42, 42, 43)):
        made = stage(tmp_path / str(number), episodes=10, seed=seed)
        train(made)
        rewards = made.rewards("CL-REF-002")
        assert len(rewards) == 10
        assert mann_kendall(rewards) > 1.645
        models.append(digests(made.root / "model"))
    assert models[0] == models[1]
    assert models[0] != models[2]


def test_a_resumed_run_ends_like_one_that_was_not_interrupted(tmp_path: Path) -> None:
    whole, cut = stage(tmp_path / "whole", episodes=130), stage(tmp_path / "cut", episodes=110)
    train(whole)
    train(cut)
    done = cut.run("CL-REF-002", PROGRAMS["CL-REF-002"], {"ONE_EPISODES": "130", "ONE_RESUME": "1"})
    assert "resuming after episode 100" in done.stdout
    assert digests(tmp_path / "whole/model") == digests(tmp_path / "cut/model")


@pytest.mark.parametrize(("node", "before"), [(node, before) for node, _, before in CHAIN if before])
def test_without_the_component_before_it_fails_and_says_so(tmp_path: Path, node: str, before: str) -> None:
    done = stage(tmp_path, episodes=10).run(node, PROGRAMS[node])
    assert done.returncode == 1
    assert done.stderr.startswith(f"{node}: ")
    assert f"{before} has to run before this component" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", "temperature_c,pressure_bar,efficiency\n1,2,x\n", ""])
def test_training_data_that_is_missing_or_broken_is_named(tmp_path: Path, content: str | None) -> None:
    made = stage(tmp_path)
    file = tmp_path / "data" / "measurements.csv"
    if content is None:
        shutil.rmtree(tmp_path / "data")
    else:
        file.write_text(content)
    done = made.run("CL-REF-001", PROGRAMS["CL-REF-001"])
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_is_no_policy_is_refused(tmp_path: Path) -> None:
    made = stage(tmp_path)
    out = made.folder("CL-REF-002") / "out"
    assert made.run("CL-REF-001", PROGRAMS["CL-REF-001"]).returncode == 0
    shutil.copyfile(made.folder("CL-REF-001") / "out" / "env.json", out / "env.json")
    (out / "policy.safetensors").write_bytes(b"\x80\x04not a policy")
    made.give("CL-REF-003", "CL-REF-002", "CL-REF-002")
    done = made.run("CL-REF-003", PROGRAMS["CL-REF-003"])
    assert done.returncode == 1
    assert "is not a safetensors file" in done.stderr
