"""The lab's hosts as the demo and the tests reach them: a command on one, the portal's address, and waiting for something."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".lab"
SHARED = STATE / "shared"
"""`/shared` on every host of the lab."""
CA_FILE = STATE / "ca" / "ca.crt"
PORTAL_PORT = 8000
COMMAND_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.5


class LabTrouble(Exception):
    """The lab is missing, or it did not do what was asked; the text names what and the cure."""


def on(node: str, *command: str, timeout_s: float = COMMAND_TIMEOUT_S, check: bool = True) -> str:
    """Run a command as root on a host and return its standard output; every word arrives as it is.

    Raises LabTrouble, with both outputs, when it fails (unless `check` is off) or takes longer than `timeout_s`.
    """
    argv = [str(ROOT / "lab" / "lab"), "exec", node, "--", *command]
    try:
        ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise LabTrouble(f"{node}: {' '.join(command)}: no end within {timeout_s:g} s") from error
    if check and ran.returncode != 0:
        raise LabTrouble(f"{node}: {' '.join(command)}: exit {ran.returncode}: {ran.stdout}{ran.stderr}")
    return ran.stdout


def as_user(node: str, user: str, *command: str, check: bool = True) -> str:
    """Run a command on a host as a Unix user with a bare environment. Raises LabTrouble."""
    clean = ("env", "-i", "--chdir=/", "PATH=/usr/bin:/bin", "LANG=C.UTF-8")
    return on(node, "runuser", "-u", user, "--", *clean, *command, check=check)


def address(node: str) -> str:
    """A host's address on the lab's network. Raises LabTrouble when no lab was made here."""
    inventory = STATE / "inventory.yml"
    try:
        text = inventory.read_text()
    except FileNotFoundError as error:
        raise LabTrouble(f"no lab here ({inventory} is missing): run `make up` first") from error
    found = re.search(rf"^\s+{re.escape(node)}: {{ansible_host: ([0-9.]+)}}$", text, re.MULTILINE)
    if found is None:
        raise LabTrouble(f"{inventory} names no host {node}")
    return found.group(1)


def secret(name: str) -> str:
    """What Ansible made up once for this lab. Raises LabTrouble when it made no such thing."""
    found = list(STATE.rglob(f"secrets/{name}"))
    if len(found) != 1:
        raise LabTrouble(f"{STATE} holds {len(found)} secrets of the name {name}: run `make up` first")
    return found[0].read_text().split()[0]


def portal_url() -> str:
    """Where the portal's HTTP API answers. Raises LabTrouble."""
    return f"http://{address('svc')}:{PORTAL_PORT}"


def until(what: str, look: Callable[[], T | None], *, timeout_s: float, interval_s: float = POLL_INTERVAL_S) -> T:
    """Look again and again until the answer is truthy, and return it. Raises LabTrouble after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise LabTrouble(f"not within {timeout_s:g} s: {what}")
        time.sleep(interval_s)
    return found
