"""What somebody with a shell in the web process would try; runs on svc with nothing but the standard library.

argv: the plan, a JSON file with `reads`, `sockets`, `folders`, `agent`, `slurm_conf`, `pid`, `users`, and the names of
attempts to make (none: all). Prints JSON: `status` of this process, and by attempt "" where it succeeded, else the error.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

TIMEOUT_S = 20
STATUS = ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "CapEff", "CapBnd")


def read(path: str) -> None:
    """Read a byte of a file."""
    with open(path, "rb") as file:
        file.read(1)


def connect(path: str) -> None:
    """Connect to a Unix socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(TIMEOUT_S)
        server.connect(path)


def ask_agent(path: str) -> None:
    """Be accepted by the agent for the least of its verbs."""
    with socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(TIMEOUT_S)
        agent.connect(path)
        agent.sendall(b'{"verb": "version"}\n')
        answer = json.loads(agent.makefile().readline() or '{"ok": false}')
    if not answer.get("ok"):
        raise PermissionError(str(answer)[:200])


def run(*words: str, **environment: str) -> None:
    """Run a program that must end well."""
    ran = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **environment},
    )
    if ran.returncode:
        raise PermissionError(f"{words[0]}: {ran.returncode}: {ran.stderr.decode(errors='replace')[-200:]}")


def become(user: str) -> None:
    """Be another Unix user, in a child."""
    child = os.fork()
    if child == 0:
        try:
            os.setuid(pwd.getpwnam(user).pw_uid)
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise PermissionError(f"setuid to {user}")


def write(folder: str) -> None:
    """Make a file in a folder; it is removed again."""
    path = os.path.join(folder, ".one-web-shell")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    os.unlink(path)


def attempts(plan: dict[str, Any]) -> dict[str, Callable[[], None]]:
    """By name."""
    found: dict[str, Callable[[], None]] = {}
    found |= {f"read {path}": partial(read, path) for path in plan["reads"]}
    found |= {f"connect {path}": partial(connect, path) for path in plan["sockets"]}
    found |= {f"write {folder}": partial(write, folder) for folder in plan["folders"]}
    for user in plan["users"]:
        found[f"setuid {user}"] = partial(become, user)
        found[f"su {user}"] = partial(run, "su", "-s", "/bin/sh", "-c", "true", user)
        unit = ("systemd-run", "--quiet", "--wait", "--collect", "--no-ask-password", f"--uid={user}", "true")
        found[f"systemd-run {user}"] = partial(run, *unit)
    found["signal the daemon"] = partial(os.kill, plan["pid"], 0)
    found["ask slurmctld"] = partial(run, "squeue", "--noheader", SLURM_CONF=plan["slurm_conf"])
    found["order slurmctld"] = partial(run, "scontrol", "reconfigure", SLURM_CONF=plan["slurm_conf"])
    found["ask the agent"] = partial(ask_agent, plan["agent"])
    return found


def tried(attempt: Callable[[], None]) -> str:
    """ "" where it succeeded."""
    try:
        attempt()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def status() -> dict[str, list[str]]:
    """Who this process is and what it may, as the kernel has it."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {name: lines[name].split() for name in STATUS}


def main() -> None:
    """See above."""
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    wanted = sys.argv[2:]
    made = {name: tried(one) for name, one in attempts(plan).items() if not wanted or name in wanted}
    print(json.dumps({"status": status(), "attempts": made}))


if __name__ == "__main__":
    main()
