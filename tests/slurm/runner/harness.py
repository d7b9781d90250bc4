"""A runner on a cluster of stubs: real processes and files, no Slurm, no container."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.domain.events import read_run
from slurm.runnerjob import After, ContainerCommand, Input, RunnerGroup, RunnerJob, RunnerStep
from slurm.script import batch_script

PATIENCE_S = 30.0
JOB_ID = "77"
PRELUDE = "import json, os, signal, socket, sys, time\nat = json.loads(os.environ['STUB_AT'])\n"
FASTER = {
    "STOP_POLL_S = 0.5": "STOP_POLL_S = 0.05",
    "POLL_S = 0.25": "POLL_S = 0.02",
    "POLL_S = 0.1": "POLL_S = 0.02",
    "UNLAUNCHED_STOP_S = 5.0": "UNLAUNCHED_STOP_S = 0.2",
    "SCANCEL_RETRY_S = 10.0": "SCANCEL_RETRY_S = 0.1",
    "monotonic() + 1.0": "monotonic() + 0.0",
    "USAGE_POLL_S = 10.0": "USAGE_POLL_S = 0.05",
}
GROUP = RunnerGroup("A100", gpus=4, shards=0, cpus=8, memory_mib=8000, nodes=1)
FOREVER = "while True: time.sleep(1)"
ON_TERM = "signal.signal(signal.SIGTERM, lambda *_: (print('told to end'), sys.exit({code})))\n"


def wait_for_file(path: Path) -> str:
    """Code of a payload that goes on when the file is there."""
    return f"while not os.path.exists({str(path)!r}): time.sleep(0.01)\n"


def wait_for_text(path: Path, text: str) -> str:
    """Code of a payload that goes on when the file says so."""
    return wait_for_file(path) + f"while {text!r} not in open({str(path)!r}).read(): time.sleep(0.01)\n"


def python(code: str) -> ContainerCommand:
    """A payload in Python; `at` maps the paths inside to the folders outside."""
    command = ("/images/sha256-0.sif", sys.executable, "-IS", "-c", PRELUDE + code)
    return ContainerCommand(("--containall", "--no-eval", "--pwd", "/"), command)


def step(
    name: str, code: str = "pass", *, after: tuple[str, ...] = (), beside: tuple[str, ...] = (), **values: Any
) -> RunnerStep:
    """The step T/<name>, after some and beside others (both by name), reading the outputs of those it is after."""
    edges = [After(f"T/{other}") for other in after] + [After(f"T/{other}", "started") for other in beside]
    plain: dict[str, Any] = {"group": 0, "cpus": 1, "memory_mib": 100, "container": python(code), **values}
    inputs = tuple(Input(f"T/{other}", other) for other in after)
    return RunnerStep(id=f"T/{name}", task_id="T", node_id=name, after=tuple(edges), inputs=inputs, **plain)


@dataclass(frozen=True)
class Ran:
    """What a finished runner left."""

    code: int
    output: str
    run_dir: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        """The runner's events."""
        return read_lines(self.run_dir / "events.0.jsonl")

    def kinds(self) -> list[str]:
        """Their names, in order."""
        return [event["event"] for event in self.events]

    def ends(self, name: str) -> list[tuple[str, str]]:
        """Result and reason of every try of the step."""
        mine = [event for event in self.events if event["event"] == "step_ended" and event["step"] == f"T/{name}"]
        return [(event["result"], event["reason"]) for event in mine]

    def end(self, name: str) -> dict[str, Any]:
        """The last word about the step."""
        return [event for event in self.events if event["event"] == "step_ended" and event["step"] == f"T/{name}"][-1]

    def when(self, kind: str, name: str) -> float:
        """When the last such event of the step was."""
        times = [event["t"] for event in self.events if event["event"] == kind and event.get("step") == f"T/{name}"]
        return float(times[-1])

    def log(self, name: str, stream: str = "stdout", number: int = 1) -> str:
        """One log of the step."""
        return (self.run_dir / f"steps/T/{name}/t{number}/{stream}.log").read_text()

    def launcher(self, name: str, rank: int = 0, number: int = 1) -> list[dict[str, Any]]:
        """The events of one launcher."""
        return read_lines(self.run_dir / f"steps/T/{name}/t{number}/events.{rank}.jsonl")

    @property
    def first_failure(self) -> dict[str, Any]:
        """What the runner reports as the cause."""
        last = self.events[-1]
        assert last["event"] == "runner_ended"
        return dict(last["first_failure"])


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON lines file, none if it does not exist."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def check_events(run_dir: Path) -> None:
    """The portal's strict reader understands every line that job 0's runner wrote, and agrees with its verdict."""
    steps = [step["id"] for step in json.loads((run_dir / "job.0.json").read_text())["steps"]]
    lines = read_lines(run_dir / "events.0.jsonl")
    report = read_run([steps], {0: lines})
    assert report.faults == ()
    assert report.runners[0].ok == lines[-1]["ok"]


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Look until `condition` is true; fails after a long patience."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"never happened: {what}")


class Cluster:
    """A folder with the stubs on PATH, a runs folder, and what the stubs noted."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.runs = home / "runs"
        self.scratch = home / "scratch"
        self.processes: list[subprocess.Popen[str]] = []
        for folder in (self.runs, self.scratch, home / "bin"):
            folder.mkdir()
        for stub in ("srun", "scancel", "apptainer"):
            source = (Path(__file__).parent / "stubs" / f"{stub}.py").read_text()
            path = home / "bin" / stub
            path.write_text(f"#!{sys.executable} -IS\n{source}")
            path.chmod(0o755)

    @property
    def run_dir(self) -> Path:
        """The attempt's folder."""
        return self.runs / "kim" / "W-AAAAAA" / "a1"

    def job(self, *steps: RunnerStep, **values: Any) -> RunnerJob:
        """A job of one group unless given."""
        plain: dict[str, Any] = {
            "workload": "W-AAAAAA",
            "attempt": 1,
            "job_index": 0,
            "app_id": "APP-1",
            "run_dir": str(self.run_dir),
            "checkpoint_dir": str(self.run_dir.parent / "checkpoint"),
            "scratch": str(self.scratch),
            "groups": (GROUP,),
            "config": {"app": {"app_id": "APP-1"}, "training": None},
            "stop_grace_s": 5.0,
            "launch_backoff_s": (0.01, 0.01),
        }
        return RunnerJob(steps=steps, **{**plain, **values})

    def tell(self, name: str, text: str) -> None:
        """Tell a stub what to do."""
        (self.home / name).write_text(text)

    def start(self, job: RunnerJob, *, replace: dict[str, str] | None = None, **env: str) -> subprocess.Popen[str]:
        """The batch script, started as slurmd would, with shorter waits."""
        text = batch_script(job)
        for old, new in {**FASTER, **(replace or {})}.items():
            assert old in text, old
            text = text.replace(old, new)
        path = self.home / "slurm_script"
        path.write_text(text)
        het = {"SLURM_HET_SIZE": str(job.het_size)} if job.het_size > 1 else {}
        environ = {"PATH": f"{self.home / 'bin'}:/usr/bin:/bin", "SLURM_JOB_ID": JOB_ID, **het, **env}
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        process = subprocess.Popen([sys.executable, "-IS", str(path)], env=environ, **streams)
        self.processes.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Ran:
        """Wait for its end."""
        output, _ = process.communicate(timeout=PATIENCE_S)
        for job_file in self.runs.glob("*/*/*/job.0.json"):
            check_events(job_file.parent)
        return Ran(process.returncode, output, self.run_dir)

    def run(self, job: RunnerJob, **options: Any) -> Ran:
        """From start to end."""
        return self.finish(self.start(job, **options))

    def wait_for_event(self, kind: str, **values: Any) -> None:
        """Until the runner has written such an event."""
        path = self.run_dir / "events.0.jsonl"
        wait_for(
            lambda: any(event["event"] == kind and values.items() <= event.items() for event in read_lines(path)), kind
        )

    def wait_until_running(self, *names: str) -> None:
        """Until all of the steps' payloads have said something on stdout."""
        logs = [self.run_dir / f"steps/T/{name}/t1/stdout.log" for name in names]
        wait_for(lambda: all(log.exists() and log.read_text() for log in logs), f"output of {names}")

    @property
    def sruns(self) -> list[dict[str, Any]]:
        """Every call of srun."""
        return read_lines(self.home / "srun.jsonl")

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Every call of apptainer."""
        return read_lines(self.home / "apptainer.jsonl")

    @property
    def scancels(self) -> list[str]:
        """Every call of scancel."""
        log = self.home / "scancel.log"
        return log.read_text().splitlines() if log.exists() else []

    def close(self) -> None:
        """End what a failed test left running: the runner stops its steps itself."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.communicate(timeout=PATIENCE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
