"""Ways to break the lab, each of which mends it at the end: stopped, killed and frozen services, dead nodes, a held call."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.hosts import ROOT, LabTrouble, on, until

MENDED_S = 180.0
UNITS = {
    "ctl": ("mariadb", "munge", "slurmdbd", "slurmctld"),
    "svc": (
        "postgresql", "minio", "docker-registry", "slurmrestd", "one-agent", "one-convert.socket", "one-web", "one-daemon",
    ),
}  # fmt: skip
PROXY = Path(__file__).with_name("proxy.py")
AGENT = "/run/one-agent/agent.sock"
FAULT = "/run/one-fault"


@contextmanager
def stopped(host: str, *units: str) -> Iterator[None]:
    """These services do not run until the block ends."""
    on(host, "systemctl", "stop", *units)
    try:
        yield
    finally:
        on(host, "systemctl", "start", *units, timeout_s=MENDED_S)


@contextmanager
def without_power(host: str) -> Iterator[None]:
    """The host is off, as after a power cut, until the block ends."""
    _lab("kill", host)
    try:
        yield
    finally:
        _lab("boot", host)


def _lab(*words: str) -> None:
    """The lab's own command line. Raises LabTrouble."""
    argv = [str(ROOT / "lab" / "lab"), *words]
    ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MENDED_S)
    if ran.returncode != 0:
        raise LabTrouble(f"lab {' '.join(words)}: {ran.stdout}{ran.stderr}")


def kill_9(host: str, unit: str) -> None:
    """End a service's processes as a crash does; systemd starts it again by itself."""
    on(host, "systemctl", "kill", "--signal=SIGKILL", unit)


def back(host: str, unit: str) -> None:
    """Wait until systemd has it running again."""
    until(f"{unit} runs again", lambda: active(host, unit), timeout_s=MENDED_S)


def active(host: str, unit: str) -> bool:
    """Whether the service runs."""
    return on(host, "systemctl", "is-active", unit, check=False).strip() == "active"


def nodes_are_up() -> None:
    """Wait until every node takes work again; one that Slurm set down without a reason of ours is resumed."""

    def look() -> bool:
        try:
            states = on("ctl", "sinfo", "--noheader", "--Node", "--format=%N %t").splitlines()
        except LabTrouble:
            return False
        bad = {
            line.split()[0]
            for line in states
            if line.split()[1].rstrip("~#$@-") not in ("idle", "mix", "alloc", "comp")
        }
        for node in sorted(bad):
            on("ctl", "scontrol", "update", f"nodename={node}", "state=resume", check=False)
        return not bad

    until("every node takes work", look, timeout_s=MENDED_S, interval_s=2)


def mend() -> None:
    """Start everything that a test has left stopped."""
    for host, units in UNITS.items():
        on(host, "systemctl", "reset-failed", check=False)
        on(host, "systemctl", "start", *units, timeout_s=MENDED_S)
    nodes_are_up()


@contextmanager
def held_call(verb: str, point: str) -> Iterator[HeldCall]:
    """A proxy between daemon and agent that holds the next call of `verb` at `point` (request, sent or answer)."""
    user = ("-p", "User=one-daemon", "-p", "SupplementaryGroups=one-agent")
    on("svc", "install", "-d", "-o", "one-daemon", "-m", "0755", FAULT)
    on("svc", "bash", "-c", f"cat > {FAULT}/proxy.py <<'END'\n{PROXY.read_text()}\nEND")
    on("svc", "mv", AGENT, f"{AGENT}.real")
    try:
        command = ("/usr/bin/python3", f"{FAULT}/proxy.py", f"{FAULT}/agent.sock", f"{AGENT}.real", verb, point)
        on("svc", "systemd-run", "--unit=one-fault-proxy", "--collect", *user, *command)
        until("the proxy listens", lambda: exists(f"{FAULT}/agent.sock"), timeout_s=MENDED_S)
        on("svc", "ln", "-s", f"{FAULT}/agent.sock", AGENT)
        yield HeldCall()
    finally:
        on("svc", "rm", "-f", AGENT, check=False)
        on("svc", "mv", f"{AGENT}.real", AGENT, check=False)
        on("svc", "systemctl", "stop", "one-fault-proxy", check=False)
        on("svc", "rm", "-rf", FAULT, check=False)


class HeldCall:
    """The call that the proxy holds."""

    def reached(self) -> None:
        """Wait until the daemon has made it and it stands still at the chosen point."""
        until("the call is held", lambda: exists(f"{FAULT}/held"), timeout_s=MENDED_S)


def exists(path: str) -> bool:
    """Whether this path is there on svc."""
    return on("svc", "ls", "-d", path, check=False).strip() == path


def scancel(*words: str) -> None:
    """As an admin on the controller's host."""
    on("ctl", "scancel", *words)


def first_step(leader: int, component: int) -> str:
    """The numeric name of a running step of this component ("421.3")."""

    def look() -> str | None:
        words = ("squeue", "--steps", "--noheader", "--format=%i", f"--jobs={leader},{component}")
        steps: Sequence[str] = on("ctl", *words, check=False).split()
        return next((step for step in steps if step.rpartition(".")[2].isdigit()), None)

    return until(f"job {component} has a step", look, timeout_s=MENDED_S)
