"""Somebody with a shell in the web process of the lab: reads no key, reaches no Slurm, becomes nobody else, writes nowhere.

The attempts of web_shell_probe.py run in a copy of one-web's own unit (all of it but what it starts), so in its sandbox;
each must fail there, and each must succeed where it may: as root, and for the agent as one-daemon.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import SHARED, on

pytestmark = [pytest.mark.lab, pytest.mark.beside]
HOST, WEB, UNIT = "svc", "one-web", "one-web-shell"
FOLDER = "web-shell"
PROBE, PLAN, CONF = f"/shared/{FOLDER}/probe.py", f"/shared/{FOLDER}/plan.json", f"/shared/{FOLDER}/slurm.conf"
PYTHON = "/usr/bin/python3"
OUTPUT = f"/run/{UNIT}.out"
AGENT = "/run/one-agent/agent.sock"
SOCKETS = ("/run/slurmrestd/slurmrestd.sock", "/run/munge/munge.socket.2", "/run/one-convert.sock")
FOLDERS = (
    "/etc",
    "/etc/one",
    "/etc/systemd/system",
    "/home",
    "/opt/one/venv/bin",
    "/root",
    "/run",
    "/shared/runs",
    "/srv",
    "/training-data",
    "/usr/local/bin",
    "/var/lib",
    "/var/lib/one-agent",
    "/var/log",
    "/var/spool/cron",
)
KEYS = ("/etc/one/credentials", "/run/credentials", "/etc/munge", "/etc/slurm", "/root", "/etc/ssl/private")
"""Whatever lies in here and is not for everybody, apart from what systemd hands the web process itself."""
USERS = ("root", "one-daemon", "one-agent", "slurmrestd", "kim")
CHANGED = ("Type=", "ExecStart=", "Restart=", "RestartSec=", "WantedBy=", "[Install]")
ASK_AGENT = "ask the agent"
MUTE = "order slurmctld"
"""Not tried as root: it would work, and do something. Its control is that root is answered at all."""


@pytest.fixture(scope="module", autouse=True)
def laid_out() -> Iterator[None]:
    """The probe and its plan where svc sees them."""
    folder = SHARED / FOLDER
    folder.mkdir(exist_ok=True)
    try:
        _write(folder / "probe.py", (Path(__file__).parent / "web_shell_probe.py").read_text())
        _write(folder / "slurm.conf", on(HOST, "cat", "/etc/slurm/slurm.conf"))
        _write(folder / "plan.json", json.dumps(_plan()))
        folder.chmod(0o755)
        yield
    finally:
        shutil.rmtree(folder)


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


def _plan() -> dict[str, Any]:
    """What there is to try on this host: only what exists, so that no attempt fails for want of its object."""
    closed = ("-type", "f", "!", "-perm", "-o=r", "!", "-path", "/run/credentials/one-web.service/*")
    reads = on(HOST, "find", *KEYS, *closed, check=False).split("\n")
    folders = on(HOST, "find", *FOLDERS, "-maxdepth", "0", "-type", "d", check=False).split("\n")
    return {
        "reads": [path for path in reads if path],
        "sockets": SOCKETS,
        "folders": [folder for folder in folders if folder],
        "users": USERS,
        "agent": AGENT,
        "slurm_conf": CONF,
        "pid": _main_pid("one-daemon.service"),
    }


def _main_pid(unit: str) -> int:
    return int(on(HOST, "systemctl", "show", "--property=MainPID", "--value", unit))


def _inside() -> dict[str, Any]:
    """What the probe says in a copy of the web process's unit."""
    text = on(HOST, "systemctl", "cat", f"{WEB}.service")
    kept = [line for line in text.splitlines() if not line.startswith(CHANGED)]
    start = f"ExecStart={PYTHON} -I -B {PROBE} {PLAN}"
    unit = [*kept, "[Service]", "Type=oneshot", start, f"StandardOutput=truncate:{OUTPUT}", "TimeoutStartSec=300"]
    _write(SHARED / FOLDER / "unit", "\n".join(unit) + "\n")
    place = f"/run/systemd/system/{UNIT}.service"
    try:
        on(HOST, "install", "-m", "0644", f"/shared/{FOLDER}/unit", place)
        on(HOST, "systemctl", "daemon-reload")
        on(HOST, "systemctl", "start", f"{UNIT}.service", timeout_s=320)
        found: dict[str, Any] = json.loads(on(HOST, "cat", OUTPUT))
        return found
    finally:
        on(HOST, "rm", "-f", place, OUTPUT)
        on(HOST, "systemctl", "daemon-reload")


def _outside(*prefix: str, only: tuple[str, ...] = ()) -> dict[str, str]:
    """The same without the sandbox, as root or as `prefix` makes it."""
    said = on(HOST, *prefix, PYTHON, "-I", "-B", PROBE, PLAN, *only, timeout_s=320)
    attempts: dict[str, str] = json.loads(said)["attempts"]
    return attempts


def test_every_attempt_fails_in_the_sandbox_of_the_running_web_process() -> None:
    found = _inside()
    lines = on(HOST, "cat", f"/proc/{_main_pid(f'{WEB}.service')}/status").splitlines()
    running = dict(line.split(":", 1) for line in lines)
    assert found["status"] == {name: running[name].split() for name in found["status"]}, "another sandbox"
    attempts = found["attempts"]
    assert len([name for name in attempts if name.startswith("read /")]) > 5, attempts
    assert {ASK_AGENT, MUTE, "connect /run/munge/munge.socket.2", "setuid root"} <= attempts.keys()
    assert [name for name, error in attempts.items() if not error] == []


def test_every_attempt_succeeds_where_it_may() -> None:
    names = tuple(name for name in _names() if name not in (ASK_AGENT, MUTE))
    refused = {name: error for name, error in _outside(only=names).items() if error}
    assert refused == {}, "these prove nothing in the sandbox"
    daemon = ("runuser", "--user", "one-daemon", "--supp-group", "one-agent", "--")
    assert _outside(*daemon, only=(ASK_AGENT,)) == {ASK_AGENT: ""}


def test_the_agent_refuses_the_web_user_without_any_sandbox() -> None:
    """Even with the group that may open the socket: the agent asks the kernel who is at the other end."""
    web = ("runuser", "--user", WEB, "--supp-group", "one-agent", "--")
    assert _outside(*web, only=(ASK_AGENT,))[ASK_AGENT].startswith("PermissionError")


def _names() -> list[str]:
    """Of all attempts, as the probe itself names them."""
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[2]); import probe; "
        "print(json.dumps(list(probe.attempts(json.load(open(sys.argv[1]))))))"
    )
    said: list[str] = json.loads(on(HOST, PYTHON, "-B", "-c", code, PLAN, f"/shared/{FOLDER}"))
    return said
