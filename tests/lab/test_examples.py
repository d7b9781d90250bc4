"""The two example Apps whose parts meet, on real Slurm: a service beside its agent, and one component on two nodes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from containers.image import ImageConfig
from containers.runtime import exec_argv
from slurm.runnerjob import After, ContainerCommand, Ready, RunnerStep

from .convert_harness import Pushed, ask, on_ok
from .runner_harness import A100, FOLDER, SHARED, V100, LabJob, lines_of, submit

pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LABELS = {"A100": "A100", "V100": "tesla_v100"}
# On svc, with the installed package: what the daemon does with a tag.
RESOLVE = """
import json, sys
from pathlib import Path
import anyio
from containers.convert import load_settings
from containers.reference import from_spec
from containers.registry import resolve
found = anyio.run(resolve, from_spec(*sys.argv[1:]), load_settings(Path("/etc/one/portal.toml")).access)
print(json.dumps({"name": found.reference.name, "digest": found.digest, "config": found.config.to_json()}))
"""


def app(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads((EXAMPLES / name / "app.json").read_text(encoding="utf-8"))
    return spec


def runnable(image: dict[str, str]) -> ContainerCommand:
    """The App's image, resolved, converted, and its words."""
    text = on_ok("svc", "/opt/one/venv/bin/python", "-I", "-c", RESOLVE, image["registry"], image["tag"])
    found = json.loads(text)
    config = ImageConfig.from_json(found["config"])
    answer = ask(Pushed(found["name"], found["digest"], config))[-1]
    assert answer["ok"], answer
    container = exec_argv(answer["sif"], config, gpus=True)
    return ContainerCommand(container.options, container.command)


def step_of(component: dict[str, Any], **values: Any) -> RunnerStep:
    """A component of TASK-001 as the runner gets it."""
    resources = component["resources"]
    return RunnerStep(
        id=f"TASK-001/{component['component_id']}",
        task_id="TASK-001",
        node_id=component["component_id"],
        cpus=1,
        memory_mib=1000,
        container=runnable(component["image"]),
        gpus=resources["gpu_count"],
        gres_type=LABELS[resources["gpu_type"]],
        nodes=resources.get("nodes", 1),
        service=component.get("service", False),
        **values,
    )


def run(spec: dict[str, Any], *steps: RunnerStep, **values: Any) -> LabJob:
    (SHARED / FOLDER).mkdir(exist_ok=True)
    job = submit(*steps, config={"app": spec, "training": spec.get("training_config")}, **values)
    job.wait()
    return job


def results(job: LabJob) -> dict[str, str]:
    return {event["step"]: event["result"] for event in job.events if event["event"] == "step_ended"}


def said(job: LabJob, node: str, stream: str = "stdout") -> str:
    return (job.run_dir / f"steps/TASK-001/{node}/t1/{stream}.log").read_text()


def test_an_agent_learns_from_a_simulator_on_another_kind_of_node() -> None:
    spec = app("co-running")
    simulator, agent = spec["tasks"][0]["components"]
    job = run(
        spec,
        step_of(agent, group=0, after=(After("TASK-001/SIM-001", "started"),)),
        step_of(simulator, group=1, ready=Ready(port="auto"), ready_timeout_s=simulator["ready"]["timeout_s"]),
        groups=(A100, V100),
        env={"ONE_EPISODES": "100"},
    )
    assert results(job) == {"TASK-001/AGENT-001": "completed", "TASK-001/SIM-001": "completed"}, job.output
    assert job.states()["+0"] == "COMPLETED"
    rewards = [line["reward"] for line in lines_of(job.run_dir / "steps/TASK-001/AGENT-001/metrics.jsonl")]
    assert len(rewards) == 100
    assert sum(rewards[-10:]) > sum(rewards[:10]) + 300
    assert (job.run_dir / "model/policy.safetensors").stat().st_mode & 0o040
    assert "from gpu3:" in said(job, "AGENT-001")
    assert "nobody needs the simulator any more" in said(job, "SIM-001")


def test_an_agent_without_its_simulator_fails_and_says_so() -> None:
    spec = app("co-running")
    job = run(spec, step_of(spec["tasks"][0]["components"][1], group=0), groups=(A100,))
    assert results(job) == {"TASK-001/AGENT-001": "failed"}
    assert "hosts.json does not name SIM-001" in said(job, "AGENT-001", "stderr")
    assert job.events[-1]["first_failure"]["step"] == "TASK-001/AGENT-001"


def test_one_component_on_two_nodes_agrees_on_its_line() -> None:
    spec = app("two-nodes")
    job = run(spec, step_of(spec["tasks"][0]["components"][0], group=0), groups=(replace(A100, nodes=2),))
    assert results(job) == {"TASK-001/RING-001": "completed"}, job.output
    lines = said(job, "RING-001").splitlines()
    assert {line.split(" on ")[1].split(",")[0] for line in lines if " of 2 on " in line} == {"gpu1", "gpu2"}
    found = json.loads((job.run_dir / "steps/TASK-001/RING-001/out/line.json").read_text())
    assert (found["ranks"], round(found["slope"]), round(found["offset"])) == (2, 3, -2)
    assert (job.run_dir / "model/line.safetensors").is_file()
