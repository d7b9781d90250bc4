"""What the runner inside the allocation gets: the plan, the command lines and the configuration, as JSON.

Who puts what into the payload's environment: `RunnerJob.env` carries the App's env_vars and ONE_EPISODES,
`RunnerStep.env` the ONE_PARAM_<NAME> of the component; the launcher adds everything that depends on the run
(ONE_RUN_ID, ONE_APP_ID, ONE_TASK_ID, ONE_NODE_ID, ONE_HOST_*, ONE_TEST_RUN, ONE_ITERATION, ONE_RESUME, ONE_NODES,
ONE_NODE_RANK, ONE_MASTER_*, ONE_PORT, CUDA_VISIBLE_DEVICES, PYTHONUNBUFFERED).
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Literal

DEFAULT_LAUNCH_BACKOFF_S = (5.0, 15.0, 45.0, 135.0)


@dataclass(frozen=True)
class After:
    """Start when `step` has ended well ("finished") or as soon as it runs and is ready ("started").

    "begun" is the plan's order, not the graph's: start no earlier than `step`, because the group's size relies on it.
    """

    step: str
    when: Literal["finished", "started", "begun"] = "finished"


@dataclass(frozen=True)
class Input:
    """The outputs of `step`, read-only at /one/in/`at` ("CL-REF-001", or "TASK-001/CL-REF-001" across tasks)."""

    step: str
    at: str


@dataclass(frozen=True)
class Ready:
    """When a part is ready: it listens on `port` (a number or "auto"), or `file` exists. Exactly one.

    `file` is a path inside, below /one/out: what is elsewhere in a container can be seen from inside only.
    """

    port: int | Literal["auto"] | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        if (self.port is None) == (self.file is None):
            raise ValueError("ready names exactly one of port and file")
        if self.file is not None and posixpath.normpath(self.file) != self.file:
            raise ValueError(f"the ready file {self.file!r} is not a normal path")
        if self.file is not None and not self.file.startswith("/one/out/"):
            raise ValueError(f"the ready file {self.file!r} is not below /one/out")


@dataclass(frozen=True)
class ContainerCommand:
    """`apptainer exec OPTIONS ... COMMAND`: the command begins with the SIF's path (containers.runtime.exec_argv)."""

    options: tuple[str, ...]
    command: tuple[str, ...]


@dataclass(frozen=True)
class RunnerGroup:
    """What one het group holds, per node; memory in MiB without the runner's own share.

    The group is given back when the steps `released_after` have ended and another group still has work; empty: never.
    """

    gres_type: str | None
    gpus: int
    shards: int
    cpus: int
    memory_mib: int
    nodes: int
    released_after: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunnerStep:
    """One step: its demands per node (memory in MiB), what it waits for, what runs. `group` counts from 0.

    `after` names steps of this job only; `inputs` may name any step of the run. Times in seconds.
    """

    id: str
    task_id: str
    node_id: str
    group: int
    cpus: int
    memory_mib: int
    container: ContainerCommand
    nodes: int = 1
    gpus: int = 0
    shards: int = 0
    gres_type: str | None = None
    after: tuple[After, ...] = ()
    inputs: tuple[Input, ...] = ()
    service: bool = False
    ready: Ready | None = None
    ready_timeout_s: float = 600.0
    retries: int = 0
    time_limit_s: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunnerJob:
    """Everything one Slurm job does. `run_dir` ends in <unix user>/<workload>/a<attempt>.

    `resume_from` is another run's `checkpoint_dir`, of the same user: what is in it is copied before anything starts.
    `launch_backoff_s` are the waits between the tries of an srun that ended before its launcher began.
    Raises ValueError when groups, steps and edges do not fit together.
    """

    workload: str
    attempt: int
    job_index: int
    app_id: str
    run_dir: str
    checkpoint_dir: str
    scratch: str
    groups: tuple[RunnerGroup, ...]
    steps: tuple[RunnerStep, ...]
    config: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)
    apptainer: str = "apptainer"
    iterations: int = 1
    is_test: bool = False
    resume: bool = False
    resume_from: str | None = None
    stop_grace_s: float = 30.0
    launch_backoff_s: tuple[float, ...] = DEFAULT_LAUNCH_BACKOFF_S

    @property
    def het_size(self) -> int:
        """How many het groups the job must have when it starts."""
        return len(self.groups)

    def __post_init__(self) -> None:
        problems = [problem for step in self.steps for problem in self._misfits(step)]
        known = [step.id for step in self.steps]
        problems += [f"{step_id} is twice in the job" for step_id in sorted({i for i in known if known.count(i) > 1})]
        if problems:
            raise ValueError("; ".join(problems))

    def _misfits(self, step: RunnerStep) -> list[str]:
        """Why `step` can never run in this job."""
        if not 0 <= step.group < len(self.groups):
            return [f"{step.id} is in group {step.group} of {len(self.groups)}"]
        group = self.groups[step.group]
        known = {other.id for other in self.steps}
        missing = [
            f"{step.id} waits for {edge.step}, which is not in this job"
            for edge in step.after
            if edge.step not in known
        ]
        large = [
            f"{step.id} needs {getattr(step, name)} {name}, its group has {getattr(group, name)}"
            for name in ("nodes", "cpus", "memory_mib", "gpus", "shards")
            if getattr(step, name) > getattr(group, name)
        ]
        return missing + large

    def to_json(self) -> str:
        """The job as the runner reads it: ASCII, one key a line (a line each step and group), keys in the order of the fields."""
        body = {**vars(self), "het_size": self.het_size}
        return "{\n" + ",\n".join(f' "{name}": {_lines(value)}' for name, value in body.items()) + "\n}"


def _lines(value: Any) -> str:
    """A value as JSON: parts of the job a line each, anything else in one."""
    if isinstance(value, tuple) and any(is_dataclass(part) for part in value):
        return "[\n  " + ",\n  ".join(_encode(part) for part in value) + "\n ]"
    return _encode(value)


def _plain(part: Any) -> dict[str, Any]:
    """A part of the job as JSON has it. json.dumps asks for it, so that nothing is copied (`asdict` copies every value)."""
    fields = vars(part)
    return {name: value for name, value in fields.items() if value is not None} if isinstance(part, Ready) else fields


_encode = json.JSONEncoder(default=_plain).encode
