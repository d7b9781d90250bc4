"""A submission as slurmrestd's submit call wants it: every option written on every component.

Source: /slurm/v0.0.42/job/submit in slurmrestd's OpenAPI document; docs/agent.md says why each option is there.
"""

from __future__ import annotations

from typing import Any

from slurm.submission import Component, Submission

WARN_BEFORE_LIMIT_S = 120
EARLY_S = 60  # how much too early Slurm may send it (sbatch(1), --signal)


def submit_body(submission: Submission) -> dict[str, Any]:
    """`{"script": ..., "jobs": [component 0, ...]}`; one component goes as "job", for "jobs" makes even one a hetjob.

    The script is component 0's, as with sbatch.
    """
    jobs = [_job(submission, component) for component in submission.components]
    return {"script": submission.script} | ({"job": jobs[0]} if len(jobs) == 1 else {"jobs": jobs})


def _job(submission: Submission, component: Component) -> dict[str, Any]:
    job: dict[str, Any] = {
        "name": component.name,
        "account": component.account,
        "partition": component.partition,
        "qos": component.qos,
        "nice": component.nice,
        "nodes": str(component.nodes),
        "minimum_nodes": component.nodes,
        "maximum_nodes": component.nodes,
        "tasks": component.nodes,
        "tasks_per_node": 1,
        "cpus_per_task": component.cpus,
        "memory_per_node": {"set": True, "number": component.memory_mib},
        "time_limit": {"set": True, "number": component.time_limit_min},
        "requeue": False,
        "hold": component.hold,
        "comment": component.comment,
        "wckey": component.wckey,
        "current_working_directory": submission.working_directory,
        "standard_output": submission.output,
        "standard_input": "/dev/null",
        "environment": list(submission.environment),
        "flags": ["KILL_INVALID_DEPENDENCY"],
    }
    if component.time_limit_min * 60 > WARN_BEFORE_LIMIT_S + EARLY_S:
        job["kill_warning_signal"] = "TERM"
        job["kill_warning_delay"] = {"set": True, "number": WARN_BEFORE_LIMIT_S}
        job["kill_warning_flags"] = ["BATCH_JOB"]
    if component.gres:
        job["tres_per_node"] = f"gres/{component.gres}"
    if component.constraint:
        job["constraints"] = component.constraint
    if component.dependency:
        job["dependency"] = component.dependency
    return job
