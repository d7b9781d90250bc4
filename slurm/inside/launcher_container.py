"""How the payload is started: apptainer's argument list, the /one mounts and the exact environment (Python 3.6)."""

import os
import pwd
import re
import stat
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from slurm.inside.runner_paths import Job, Step, checkpoint_dir, config_dir, metrics_file, model_dir, out_dir

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SECRETS = ".config/one/secrets"
MASTER_PORTS = range(20000, 32000)  # below Linux's ephemeral ports
_KEPT = ("PATH", "LANG", "TZ")


class Mount(NamedTuple):
    """A folder or file of the node shown inside the container."""

    source: str
    target: str
    read_only: bool


class Rank(NamedTuple):
    """Which of the step's launchers this is, where the first one runs, which GPUs Slurm gave it.

    `devices` is what the payload gets, counted from 0 where cgroups hide the others; `gpus` are the node's own numbers.
    """

    number: int
    size: int
    host: str
    master: str
    master_port: int
    devices: str
    gpus: str


def this_rank(environ: Dict[str, str], host: str) -> Rank:
    """What Slurm told this task. All ranks must agree on the master's port without talking: it follows from the ids."""
    numbers = [int(environ.get(name, "0")) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID")]
    port = MASTER_PORTS[(numbers[0] * 97 + numbers[1]) % len(MASTER_PORTS)]
    nodes = environ.get("SLURM_STEP_NODELIST", host)
    return Rank(
        int(environ.get("SLURM_PROCID", "0")),
        int(environ.get("SLURM_STEP_NUM_TASKS", "1")),
        host,
        first_host(nodes),
        port,
        environ.get("CUDA_VISIBLE_DEVICES", ""),
        environ.get("SLURM_STEP_GPUS", environ.get("CUDA_VISIBLE_DEVICES", "")),
    )


def first_host(nodes: str) -> str:
    """The first host of a Slurm node list: "gpu[07-09,12],cpu1" -> "gpu07".

    Source: https://slurm.schedmd.com/scontrol.html (hostlist expressions)
    """
    return re.sub(r"\[([^],-]+)[^]]*\]", r"\1", nodes).split(",")[0]


def one_mounts(job: Job, step: Step, iteration: int) -> List[Mount]:
    """The /one folders of the step; inputs and configuration are read-only."""
    inputs = [Mount(out_dir(job, iteration, given["step"]), "/one/in/" + given["at"], True) for given in step["inputs"]]
    mounts = [
        *inputs,
        Mount(out_dir(job, iteration, step["id"]), "/one/out", False),
        Mount(model_dir(job, iteration), "/one/model", False),
        Mount(checkpoint_dir(job, iteration, step["id"]), "/one/checkpoint", False),
        Mount(metrics_file(job, iteration, step["id"]), "/one/metrics.jsonl", False),
        Mount(config_dir(job, iteration, step["id"]), "/one/config", True),
    ]
    secrets = own_secrets(pwd.getpwuid(os.getuid()).pw_dir)
    return mounts + ([Mount(secrets, "/one/secrets", True)] if secrets else [])


def own_secrets(home: str) -> Optional[str]:
    """The user's own secrets folder, if it is really his and nobody else may look into it."""
    path = os.path.join(home, SECRETS)
    try:
        found = os.lstat(path)
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return path if private else None


def mount_option(mount: Mount) -> str:
    """The value of one --mount. Apptainer reads it as a line of CSV: every field is quoted, quotes are doubled.

    Raises ValueError for a path with a line end, which would begin a second mount.
    """
    fields = ["type=bind", "src=" + mount.source, "dst=" + mount.target] + (["ro"] if mount.read_only else [])
    value = ",".join('"%s"' % field.replace('"', '""') for field in fields)
    if "\n" in value or "\r" in value:
        raise ValueError("a path with a line end cannot be mounted: %r" % value)
    return value


def apptainer_argv(job: Job, step: Step, mounts: Sequence[Mount], scratch: str) -> List[str]:
    """The words that run the payload; no value of the environment is among them."""
    container = step["container"]
    options = [word for mount in mounts for word in ("--mount", mount_option(mount))]
    return [
        job["apptainer"],
        "--quiet",
        "exec",
        *container["options"],
        "--workdir",
        scratch,
        *options,
        *container["command"],
    ]


def payload_env(
    job: Job, step: Step, iteration: int, rank: Rank, hosts: Dict[str, Any], resume: bool, port: Optional[int]
) -> Dict[str, str]:
    """The variables that the payload sees beside its image's own."""
    env: Dict[str, str] = {"PYTHONUNBUFFERED": "1"}
    env.update(job["env"])
    env.update(step["env"])
    env.update(
        ONE_RUN_ID=job["workload"],
        ONE_APP_ID=job["app_id"],
        ONE_TASK_ID=step["task_id"],
        ONE_NODE_ID=step["node_id"],
        ONE_TEST_RUN="1" if job["is_test"] else "0",
        ONE_ITERATION=str(iteration),
        ONE_NODES=str(rank.size),
        ONE_NODE_RANK=str(rank.number),
        ONE_MASTER_ADDR=rank.master,
        ONE_MASTER_PORT=str(rank.master_port),
        CUDA_VISIBLE_DEVICES=rank.devices if step["gpus"] or step["shards"] else "",
    )
    env.update({"ONE_HOST_" + variable_part(node): place["hosts"][0] for node, place in hosts.items()})
    if resume:
        env["ONE_RESUME"] = "1"
    if port is not None:
        env["ONE_PORT"] = str(port)
    return env


def variable_part(name: str) -> str:
    """An id as part of a variable's name: "CL-REF-001" -> "CL_REF_001"."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def apptainer_env(environ: Dict[str, str], payload: Dict[str, str], scratch: str) -> Dict[str, str]:
    """Apptainer's own environment: nothing of the job's but what it needs, and the payload's as APPTAINERENV_*."""
    user = pwd.getpwuid(os.getuid())
    env = {name: environ[name] for name in _KEPT if name in environ}
    env.setdefault("PATH", DEFAULT_PATH)
    env.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    env.update(APPTAINER_TMPDIR=scratch, APPTAINER_CACHEDIR=scratch)
    env.update({"APPTAINERENV_" + name: kept_whole(value) for name, value in payload.items()})
    return env


def kept_whole(value: str) -> str:
    """A value such that the payload gets `value`.

    Apptainer (seen with 1.4.5) turns \\r\\n into \\n: the shell parser that it reads its own exports with drops a
    carriage return before a line end, but only one. Source: https://github.com/mvdan/sh (syntax/lexer.go)
    """
    return value.replace("\r\n", "\r\r\n")
