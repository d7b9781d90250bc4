"""Batch scripts of the project handed to the lab's real Slurm with sbatch, as user kim, and what came of them."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slurm.runnerjob import After, ContainerCommand, Input, RunnerGroup, RunnerJob, RunnerStep
from slurm.script import batch_script
from tests.slurm.runner.harness import check_events

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / ".lab/shared"  # /shared on every node
FOLDER = "lab-tests"
SIF = f"/shared/{FOLDER}/python.sif"
USER = "kim"
PATIENCE_S = 120.0
LIVE = ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED")

# A small image: the node's own Python and what it is linked to.
MAKE_ROOT = """
import glob, os, shutil, subprocess, sysconfig
root, standard = "/shared/lab-tests/rootfs", sysconfig.get_path("stdlib")
shutil.rmtree(root, ignore_errors=True)
shutil.copytree(standard, root + standard, symlinks=True, ignore=shutil.ignore_patterns("test", "__pycache__", "site-packages"))
python = os.path.realpath("/usr/bin/python3")
files = [python, *glob.glob(standard + "/lib-dynload/*.so")]
words = subprocess.run(["ldd", *files], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
for path in {python, *(word for word in words if word.startswith("/") and not word.endswith(":"))}:
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    shutil.copy2(os.path.realpath(path), root + path)
for folder in ("tmp", "var/tmp", "proc", "sys", "dev", "etc", "home", "root", "bin"):
    os.makedirs(os.path.join(root, folder), exist_ok=True)
os.symlink(python, root + "/usr/bin/python3")
for name in ("passwd", "group"):
    open(root + "/etc/" + name, "w").close()
"""


def on(node: str, *command: str, timeout_s: float = PATIENCE_S, check: bool = True) -> str:
    """Run a command as root on a host of the lab; its output."""
    argv = [str(ROOT / "lab/lab"), "exec", node, "--", *command]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert ran.returncode == 0 or not check, f"{command}: {ran.returncode}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def as_kim(*command: str, check: bool = True) -> str:
    """Run a command as kim on the controller."""
    return on("ctl", "runuser", "-u", USER, "--", "env", "-i", "--chdir=/", "PATH=/usr/bin:/bin", *command, check=check)


def make_sif() -> None:
    """The image of these tests, once."""
    if (SHARED / FOLDER / "python.sif").exists():
        return
    (SHARED / FOLDER).mkdir(exist_ok=True)
    on("ctl", "python3", "-c", MAKE_ROOT)
    on("ctl", "chown", USER, f"/shared/{FOLDER}")
    on("ctl", "runuser", "-u", USER, "--", "apptainer", "build", "--force", SIF, f"/shared/{FOLDER}/rootfs")


def python(code: str, *args: str, gpus: bool = False) -> ContainerCommand:
    """A payload in the image's Python."""
    options = ("--containall", "--no-eval", *(("--nv",) if gpus else ()), "--pwd", "/")
    return ContainerCommand(
        options, (SIF, "/usr/bin/python3", "-c", "import json, os, signal, socket, sys, time\n" + code, *args)
    )


def step(
    name: str, code: str, *, after: tuple[str, ...] = (), beside: tuple[str, ...] = (), **values: Any
) -> RunnerStep:
    """The step T/<name>, after some and beside others."""
    edges = [After(f"T/{other}") for other in after] + [After(f"T/{other}", "started") for other in beside]
    inputs = tuple(Input(f"T/{other}", other) for other in after)
    container = python(code, gpus=bool(values.get("gpus")))
    plain: dict[str, Any] = {"group": 0, "cpus": 1, "memory_mib": 500, "container": container, **values}
    return RunnerStep(id=f"T/{name}", task_id="T", node_id=name, after=tuple(edges), inputs=inputs, **plain)


A100 = RunnerGroup("A100", gpus=4, shards=0, cpus=8, memory_mib=8000, nodes=1)
V100 = RunnerGroup("tesla_v100", gpus=2, shards=0, cpus=4, memory_mib=4000, nodes=1)
SHARDS = RunnerGroup("tesla_v100", gpus=0, shards=4, cpus=4, memory_mib=4000, nodes=1)


@dataclass(frozen=True)
class LabJob:
    """A job handed to Slurm."""

    job_id: int
    run_dir: Path
    output_file: Path

    def wait(self, patience_s: float = PATIENCE_S) -> None:
        """Until Slurm has written the end of every component into accounting."""
        wait_for(self._is_over, "end", patience_s)
        if (self.run_dir / "job.0.json").exists():
            check_events(self.run_dir)

    def _is_over(self) -> bool:
        rows = self.rows()
        return bool(rows) and not any(row["state"] in LIVE for row in rows)

    def rows(self) -> list[dict[str, str]]:
        """Accounting rows: components and steps, in sacct's order."""
        names = ("id", "name", "state", "exit", "tres", "user")
        fields = "JobID,JobName,State,ExitCode,AllocTRES,User"
        text = as_kim("sacct", "-nP", "-D", "-j", str(self.job_id), "-o", fields)
        return [dict(zip(names, line.split("|"), strict=True)) for line in text.splitlines()]

    def states(self) -> dict[str, str]:
        """State by what a row is: "+0" and the like for components ("" for a plain job), the name for steps."""
        keyed = {}
        for row in self.rows():
            is_step = "." in row["id"]
            keyed[row["name"] if is_step else row["id"].removeprefix(str(self.job_id))] = row["state"].split()[0]
        return keyed

    @property
    def events(self) -> list[dict[str, Any]]:
        """The runner's events, none before there are any."""
        return lines_of(self.run_dir / "events.0.jsonl")

    def launcher(self, name: str, rank: int = 0) -> list[dict[str, Any]]:
        """Events of one launcher."""
        return lines_of(self.run_dir / f"steps/T/{name}/t1/events.{rank}.jsonl")

    def ends(self) -> dict[str, tuple[str, str]]:
        """Result and reason of each step."""
        ended = [event for event in self.events if event["event"] == "step_ended"]
        return {event["step"].removeprefix("T/"): (event["result"], event["reason"]) for event in ended}

    def log(self, name: str, stream: str = "stdout", number: int = 1) -> str:
        """One log of a step, "" before it is there."""
        path = self.run_dir / f"steps/T/{name}/t{number}/{stream}.log"
        return path.read_text() if path.exists() else ""

    @property
    def output(self) -> str:
        """What the batch script itself said."""
        return self.output_file.read_text()

    def cancel_gracefully(self) -> None:
        """The signal that a graceful cancel sends to the runner alone."""
        as_kim("scancel", "--batch", "--signal=USR1", str(self.job_id))


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The complete records of a JSON lines file."""
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def wait_for(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> None:
    """Look until `condition` is true."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.2)


def submit(*steps: RunnerStep, groups: tuple[RunnerGroup, ...] = (A100,), time_min: int = 5, **values: Any) -> LabJob:
    """Hand a job to Slurm as kim, with an environment as empty as slurmrestd's."""
    workload = "W-" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(6))
    run_dir = f"/shared/runs/{USER}/{workload}/a1"
    plain: dict[str, Any] = {"config": {"app": {"app_id": "APP-LAB"}, "training": None}, "stop_grace_s": 10.0, **values}
    job = RunnerJob(
        workload=workload, attempt=1, job_index=0, app_id="APP-LAB", run_dir=run_dir, scratch="/tmp", groups=groups,
        checkpoint_dir=f"/shared/runs/{USER}/{workload}/checkpoint", steps=steps, **plain,
    )  # fmt: skip
    script = SHARED / FOLDER / f"{workload}.py"
    script.write_text(batch_script(job))
    script.chmod(0o644)
    output = f"/shared/runs/.out/{workload}-a1-j0.log"
    argv = ["sbatch", "--parsable", f"--output={output}", "--chdir=/shared", "--no-requeue", "--signal=B:TERM@120"]
    for index, group in enumerate(groups):
        argv += [":"] if index else []
        argv += component(group, workload, time_min, 512 if index == 0 else 0)
    answer = as_kim(*argv, f"/shared/{FOLDER}/{workload}.py")
    return LabJob(int(answer), SHARED / run_dir.removeprefix("/shared/"), SHARED / output.removeprefix("/shared/"))


def component(group: RunnerGroup, name: str, time_min: int, runner_mib: int) -> list[str]:
    """One het group's sbatch options; everything is written on every one."""
    gres = f"gpu:{group.gres_type}:{group.gpus}" if group.gpus else f"shard:{group.shards}"
    partition = "a100" if group.gres_type == "A100" else "v100"
    size = [
        f"--nodes={group.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={group.cpus}",
        f"--mem={group.memory_mib + runner_mib}",
    ]
    return [
        f"--job-name={name}",
        f"--partition={partition}",
        f"--gres={gres}",
        f"--time={time_min}",
        "--account=lab",
        *size,
    ]
