"""Agents of the checkout's code, started on the lab's svc beside the installed one, and a stage to play the contract on."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from slurm.socketclient import AgentClient
from tests.slurm.client.contract import ACCOUNT, LIMITED_QOS, OWNER

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / ".lab/shared"  # /shared on every node
FOLDER = "lab-agent"
PYTHON = "/opt/one/venv/bin/python"
KEY = "/etc/one/credentials/jwt_hs256.key"
PATIENCE_S = 180.0
POLL_S = 0.25
ADMIN_COMMENT = os.environ.get("LAB_SUITE") != "trixie"
"""Whether the lab's Slurm takes AdminComment of ended jobs: from 25.11 on."""
QOS = ("one-high", "one-normal", "one-low", "one-test", LIMITED_QOS)
CONFIG = """
socket = "/shared/{folder}/agent.sock"
allowed_peers = ["root"]
users_group = "one-users"
partitions = ["a100", "v100"]
accounts = ["{account}"]
qos = [{qos}]
operator = "one-operator"
rest_socket = "{rest_socket}"
admin_comment = {admin_comment}
jwt_key = "$CREDENTIALS_DIRECTORY/jwt_hs256.key"
road = "{road}"
ledger = "/shared/{folder}/ledger.jsonl"
"""


def on(node: str, *command: str, timeout_s: float = PATIENCE_S, check: bool = True) -> str:
    """Run a command as root on a host of the lab; its output."""
    argv = [str(ROOT / "lab/lab"), "exec", node, "--", *command]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert ran.returncode == 0 or not check, f"{command}: {ran.returncode}: {ran.stdout}{ran.stderr}"
    return ran.stdout


class LabStage:
    """One agent on the real cluster."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.client = AgentClient(socket)

    def directory(self) -> str:
        return f"/shared/{FOLDER}/out"

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not await condition():
            assert time.monotonic() < deadline, f"not within {PATIENCE_S:g} s: {what}"
            await anyio.sleep(POLL_S)


def lay_out() -> None:
    """The checkout's package and the jobs' folder where svc and the nodes see them."""
    folder = SHARED / FOLDER
    folder.mkdir(exist_ok=True)
    shutil.rmtree(folder / "slurm", ignore_errors=True)
    shutil.copytree(ROOT / "slurm", folder / "slurm", ignore=shutil.ignore_patterns("__pycache__"))
    on("svc", "install", "-d", "-o", OWNER, "-m", "0755", f"/shared/{FOLDER}/out")


@contextmanager
def limited_qos() -> Iterator[None]:
    """A QOS of at most 8 GPUs a user that refuses more at submit, made for these tests."""
    limits = ("MaxTRESPerUser=gres/gpu=8", "Flags=DenyOnLimit", "Priority=667")
    on("ctl", "sacctmgr", "-i", "add", "qos", LIMITED_QOS, *limits, check=False)
    on("ctl", "sacctmgr", "-i", "modify", "user", OWNER, "where", f"account={ACCOUNT}", "set", f"qos+={LIMITED_QOS}")
    try:
        yield
    finally:
        on("ctl", "sacctmgr", "-i", "modify", "user", OWNER, "set", f"qos-={LIMITED_QOS}", check=False)
        on("ctl", "sacctmgr", "-i", "delete", "qos", LIMITED_QOS, check=False)


@contextmanager
def deaf_slurmrestd() -> Iterator[str]:
    """A slurmrestd of ours whose controller and database are ports where nobody listens; its socket."""
    unit, folder = "one-contract-deaf", f"/shared/{FOLDER}/deaf"
    conf = on("svc", "cat", "/etc/slurm/slurm.conf").splitlines()
    kept = [line for line in conf if not line.startswith(("SlurmctldPort", "AccountingStoragePort"))]
    shutil.rmtree(SHARED / FOLDER / "deaf", ignore_errors=True)
    on("svc", "install", "-d", "-o", "slurmrestd", folder)
    (SHARED / FOLDER / "deaf/slurm.conf").write_text(
        "\n".join([*kept, "SlurmctldPort=9", "AccountingStoragePort=9", ""])
    )
    for name in ("cgroup.conf", "gres.conf"):
        on("svc", "cp", f"/etc/slurm/{name}", folder)
    command = ("/usr/sbin/slurmrestd", "-f", f"{folder}/slurm.conf", "-a", "rest_auth/jwt", f"unix:{folder}/rest.sock")
    options = ("--collect", "-p", "User=slurmrestd", "-p", "Environment=SLURM_JWT=daemon")
    on("svc", "systemctl", "stop", unit, check=False)
    on("svc", "systemd-run", f"--unit={unit}", *options, *command)
    try:
        yield f"{folder}/rest.sock"
    finally:
        on("svc", "systemctl", "stop", unit, check=False)


@contextmanager
def running_agent(name: str, rest_socket: str = "/run/slurmrestd/slurmrestd.sock") -> Iterator[LabStage]:
    """The checkout's agent as a transient unit, gone at the end; its road is the first word of its name."""
    unit, folder = f"one-contract-{name}", SHARED / FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    on("svc", "install", "-d", "-o", "one-agent", "-m", "0755", f"/shared/{FOLDER}/{name}")
    config = SHARED / FOLDER / f"{name}.toml"
    names = ", ".join(f'"{qos}"' for qos in QOS)
    config.write_text(
        CONFIG.format(
            folder=f"{FOLDER}/{name}",
            road=name.partition("-")[0],
            account=ACCOUNT,
            qos=names,
            rest_socket=rest_socket,
            admin_comment=str(ADMIN_COMMENT).lower(),
        )
    )
    config.chmod(0o644)
    properties = (
        "Type=notify",
        "User=one-agent",
        "SupplementaryGroups=slurmrestd",
        f"LoadCredential=jwt_hs256.key:{KEY}",
        f"Environment=ONE_AGENT_CONFIG=/shared/{FOLDER}/{name}.toml",
        f"Environment=PYTHONPATH=/shared/{FOLDER}",
    )
    options = [word for value in properties for word in ("-p", value)]
    on("svc", "systemctl", "stop", unit, check=False)
    on("svc", "systemd-run", f"--unit={unit}", "--collect", *options, PYTHON, "-P", "-m", "slurm.agent")
    try:
        yield LabStage(folder / "agent.sock")
    finally:
        on("svc", "systemctl", "stop", unit, check=False)
