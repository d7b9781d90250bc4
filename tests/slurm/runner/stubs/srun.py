"""Stands in for srun: starts one launcher a task as Slurm would, and fails the ways the real one does when told to."""

import json
import os
import subprocess
import sys
import time

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def told(name: str, step: str) -> str:
    """The text of the file NAME or NAME.<step> in the stub's folder: how a test tells the stub what to do."""
    for path in (os.path.join(HOME, name + "." + step.replace("/", "_")), os.path.join(HOME, name)):
        if os.path.exists(path):
            with open(path) as file:
                return file.read().strip()
    return ""


def parse(argv: list[str]) -> tuple[dict[str, str], list[str]]:
    """Long options with values, then the command."""
    options: dict[str, str] = {}
    for index, word in enumerate(argv):
        if not word.startswith("--"):
            return options, argv[index:]
        name, _, value = word[2:].partition("=")
        options[name] = value
    raise SystemExit("srun: error: no command")


def task_env(options: dict[str, str], rank: int, step_number: int) -> dict[str, str]:
    """What Slurm sets in a task."""
    group, size = options.get("het-group", "0"), int(options["ntasks"])
    nodes = f"n{group}x0" if size == 1 else f"n{group}x[0-{size - 1}]"
    env = dict(os.environ, SLURM_PROCID=str(rank), SLURM_NTASKS=str(size), SLURM_STEP_NUM_TASKS=str(size))
    env.update(SLURM_STEP_ID=str(step_number), SLURMD_NODENAME=f"n{group}x{rank}", SLURM_STEP_NODELIST=nodes)
    env.pop("CUDA_VISIBLE_DEVICES", None)
    kind, _, rest = options["gres"].partition(":")
    if kind == "gpu":
        env["CUDA_VISIBLE_DEVICES"] = ",".join(str(index) for index in range(int(rest.rpartition(":")[2])))
    elif kind == "shard":
        env["CUDA_VISIBLE_DEVICES"] = "0"
    return env


def run_tasks(options: dict[str, str], command: list[str], step_number: int) -> int:
    """All ranks to their end; a bad one ends the others."""
    with (
        open(options["output"].replace("%%", "%"), "wb") as out,
        open(options["error"].replace("%%", "%"), "wb") as err,
    ):
        tasks = [
            subprocess.Popen(command, env=task_env(options, rank, step_number), stdout=out, stderr=err)
            for rank in range(int(options["ntasks"]))
        ]
        while any(task.poll() is None for task in tasks):
            if any(task.poll() for task in tasks):
                for task in tasks:
                    task.terminate()
            time.sleep(0.01)
    return max(task.returncode if task.returncode >= 0 else 128 - task.returncode for task in tasks)


def main() -> int:
    options, command = parse(sys.argv[1:])
    calls = os.path.join(HOME, "srun.jsonl")
    step = options["job-name"]
    with open(calls, "a") as file:
        file.write(json.dumps({"t": time.time(), "argv": sys.argv[1:], "options": options}) + "\n")
    with open(calls) as file:
        step_number = len(file.readlines())
    failures = int(told("srun_fails", step) or "0")
    if failures >= step_number:
        print("srun: error: Unable to contact slurm controller (connect failure)", file=sys.stderr)
        return 1
    if told("srun_waits", step):
        time.sleep(600)
    code = run_tasks(options, command, step_number)
    time.sleep(float(told("srun_late", step) or "0"))
    return code


sys.exit(main())
