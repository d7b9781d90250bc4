"""Where everything of a run lies: the one owner of the run directory's names, inside the allocation (Python 3.6)."""

import os
from typing import Any, Dict

Job = Dict[str, Any]
Step = Dict[str, Any]


def job_file(job: Job) -> str:
    """What the runner of this job got; its launchers read it."""
    return os.path.join(job["run_dir"], "job.%d.json" % job["job_index"])


def launcher_file(job: Job) -> str:
    """The launcher's copy on the shared file system: the batch script exists on group 0's first node only."""
    return os.path.join(job["run_dir"], "launcher.%d.py" % job["job_index"])


def runner_events_file(job: Job) -> str:
    """The runner's own events."""
    return os.path.join(job["run_dir"], "events.%d.jsonl" % job["job_index"])


def base_dir(job: Job, iteration: int) -> str:
    """The run directory, or a folder of it for each iteration (counted from 1) where the graph runs several times."""
    return job["run_dir"] if job["iterations"] == 1 else os.path.join(job["run_dir"], "i%d" % iteration)


def step_dir(job: Job, iteration: int, step_id: str) -> str:
    """The step's folder; an id is TASK/NODE and so is the folder."""
    return os.path.join(base_dir(job, iteration), "steps", step_id)


def out_dir(job: Job, iteration: int, step_id: str) -> str:
    """/one/out of the step."""
    return os.path.join(step_dir(job, iteration, step_id), "out")


def config_dir(job: Job, iteration: int, step_id: str) -> str:
    """/one/config of the step."""
    return os.path.join(step_dir(job, iteration, step_id), "config")


def metrics_file(job: Job, iteration: int, step_id: str) -> str:
    """/one/metrics.jsonl of the step."""
    return os.path.join(step_dir(job, iteration, step_id), "metrics.jsonl")


def try_dir(job: Job, iteration: int, step_id: str, number: int) -> str:
    """Logs, events and the stop file of one try, counted from 1."""
    return os.path.join(step_dir(job, iteration, step_id), "t%d" % number)


def launcher_events_file(folder: str, rank: int) -> str:
    """The events of one rank's launcher in the folder of its try."""
    return os.path.join(folder, "events.%d.jsonl" % rank)


def model_dir(job: Job, iteration: int) -> str:
    """/one/model of every step."""
    return os.path.join(base_dir(job, iteration), "model")


def checkpoint_dir(job: Job, iteration: int, step_id: str) -> str:
    """/one/checkpoint of the step: beside the attempts, but each iteration of a test begins without one."""
    if job["iterations"] == 1:
        return os.path.join(job["checkpoint_dir"], step_id)
    return os.path.join(base_dir(job, iteration), "checkpoint", step_id)
