"""The batch script as text: golden, Python 3.6, standard library only; jobs that do not fit together."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from slurm.inside.runner import ending_for
from slurm.inside.runner_steps import gres_option, srun_argv
from slurm.runnerjob import (
    After,
    ContainerCommand,
    Input,
    Ready,
    RunnerGroup,
    RunnerJob,
    RunnerStep,
)
from slurm.script import LAUNCHER_MODULES, RUNNER_MODULES, batch_script, launcher_source

GOLDEN = Path(__file__).parent / "golden"
OLDEST = (3, 6)
CONTAINER = ContainerCommand(
    ("--containall", "--no-eval", "--nv", "--pwd", "/app"),
    ("/images/sha256-ab.sif", "train", "--name", "it's $(id), 가"),
)
ENV_SIM = RunnerStep(
    id="TASK-001/CL-ENV-001", task_id="TASK-001", node_id="CL-ENV-001", group=1, cpus=4, memory_mib=65536, gpus=1,
    gres_type="tesla_v100", service=True, ready=Ready(port="auto"), ready_timeout_s=60.0, container=CONTAINER,
)  # fmt: skip
AGENT = RunnerStep(
    id="TASK-001/CL-AGT-001", task_id="TASK-001", node_id="CL-AGT-001", group=0, cpus=16, memory_mib=131072, gpus=4,
    gres_type="A100", nodes=2, after=(After("TASK-001/CL-ENV-001", "started"),), retries=1, time_limit_s=3600.0,
    inputs=(Input("TASK-000/CL-DAT-001", "TASK-000/CL-DAT-001"),), params={"lr": 0.001, "이름": "가"},
    env={"ONE_PARAM_LR": "0.001"}, container=CONTAINER,
)  # fmt: skip
JOB = RunnerJob(
    workload="W-ABC234", attempt=2, job_index=1, app_id="APP-A1B2C3", run_dir="/shared/runs/kim/W-ABC234/a2",
    checkpoint_dir="/shared/runs/kim/W-ABC234/checkpoint", scratch="/tmp", steps=(ENV_SIM, AGENT),
    groups=(
        RunnerGroup("A100", gpus=4, shards=0, cpus=16, memory_mib=131072, nodes=2),
        RunnerGroup("tesla_v100", gpus=1, shards=0, cpus=4, memory_mib=65536, nodes=1, released_after=(ENV_SIM.id,)),
    ),
    config={"app": {"app_id": "APP-A1B2C3"}, "training": {"episodes": 1000}},
    env={"NCCL_DEBUG": "INFO", "HOSTILE": "$(id)\n'''"},
)  # fmt: skip


def test_the_script_is_exactly_this() -> None:
    """Refresh with `python -m tests.slurm.runner.test_script` and read the difference."""
    assert batch_script(JOB) == (GOLDEN / "two_groups.py.txt").read_text("utf-8")


def test_an_srun_is_exactly_this() -> None:
    job = json.loads(JOB.to_json())
    lines = [json.dumps(srun_argv(job, step, 1, 1, False)) for step in job["steps"]]
    assert [line.replace(sys.executable, "PYTHON") for line in lines] == (
        GOLDEN / "sruns.jsonl"
    ).read_text().splitlines()


def test_the_job_in_the_script_is_the_job() -> None:
    tree = ast.parse(batch_script(JOB))
    values = {node.targets[0].id: ast.literal_eval(node.value) for node in tree.body[:2]}  # type: ignore[attr-defined]
    assert values == {"JOB": JOB.to_json(), "LAUNCHER": launcher_source()}


@pytest.mark.parametrize("text", [batch_script(JOB), launcher_source()], ids=["batch script", "launcher"])
def test_old_systems_can_run_it(text: str) -> None:
    tree = ast.parse(text, feature_version=OLDEST)
    assert text.isascii()
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in modules} <= sys.stdlib_module_names
    assert not modules & {"dataclasses", "__future__"}


@pytest.mark.parametrize("modules", [RUNNER_MODULES, LAUNCHER_MODULES])
def test_no_name_is_defined_twice_in_one_script(modules: tuple[str, ...]) -> None:
    names: list[str] = []
    for module in modules:
        body = ast.parse((Path("slurm/inside") / module).read_text("utf-8")).body
        names += [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        targets = [node.targets for node in body if isinstance(node, ast.Assign)]
        names += [target.id for group in targets for target in group if isinstance(target, ast.Name)]
    assert sorted(names) == sorted(set(names) | ({"Job", "Step"} & set(names)))


def test_the_launcher_starts_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "launcher.py"
    path.write_text(launcher_source())
    ran = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=30, check=False)
    assert "not enough values to unpack" in ran.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": 2}, "in group 2 of 2"),
        ({"gpus": 5}, "needs 5 gpus, its group has 4"),
        ({"nodes": 3}, "needs 3 nodes, its group has 2"),
        ({"memory_mib": 131073}, "memory_mib"),
        ({"after": (After("T/elsewhere"),)}, "waits for T/elsewhere"),
        ({"id": ENV_SIM.id}, "is twice in the job"),
    ],
)
def test_a_job_that_cannot_run_is_not_made(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(JOB, steps=(ENV_SIM, replace(AGENT, **change)))  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{}, {"port": 80, "file": "/x"}])
def test_ready_names_one_thing(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Ready(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["up", "/etc/passwd", "/one/out/../../etc/passwd", "/one/output/x", "/one/out/"])
def test_a_ready_file_is_below_out(path: str) -> None:
    with pytest.raises(ValueError, match="ready file"):
        Ready(file=path)


@pytest.mark.parametrize(
    ("demand", "option"),
    [
        ({"gpus": 2, "gres_type": "A100"}, "--gres=gpu:A100:2"),
        ({"gpus": 2, "gres_type": None}, "--gres=gpu:2"),
        ({"shards": 3, "gres_type": "A100"}, "--gres=shard:3"),
        ({}, "--gres=none"),
    ],
)
def test_gres_is_always_given(demand: dict[str, object], option: str) -> None:
    assert gres_option({"gpus": 0, "shards": 0, "gres_type": None, **demand}) == option


def test_a_term_is_the_limit_only_near_it() -> None:
    assert [ending_for(15, 1000.0, end) for end in (1180.0, 1181.0, None)] == ["time_limit", "cancelled", "cancelled"]


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / "two_groups.py.txt").write_text(batch_script(JOB), "utf-8")
    golden_job = json.loads(JOB.to_json())
    golden_sruns = [json.dumps(srun_argv(golden_job, step, 1, 1, False)) for step in golden_job["steps"]]
    (GOLDEN / "sruns.jsonl").write_text("\n".join(golden_sruns).replace(sys.executable, "PYTHON") + "\n")
