"""What `lab/lab status` and `lab/lab logs` show."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass

from onelab.addressing import address
from onelab.inventory import ssh_argv
from onelab.layout import NODES, Layout, Node
from onelab.processes import find_machine
from onelab.record import Record

HEADINGS = ("node", "address", "state", "systemd", "uptime", "groups")
ASK_TIMEOUT_S = 10
JOURNAL_TIMEOUT_S = 60
CONSOLE_LINES = 200


@dataclass(frozen=True)
class Row:
    """One line of the status table."""

    node: str
    address: str
    state: str
    systemd: str
    uptime: str
    groups: str


def rows(layout: Layout, made: Record) -> list[Row]:
    with ThreadPoolExecutor(max_workers=len(NODES)) as pool:
        return list(pool.map(lambda each: _row(layout, made, each), NODES))


def table(lines: Sequence[Row]) -> str:
    """Return the rows under headings, in columns."""
    cells = [HEADINGS, *(astuple(line) for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in padded)


def duration(seconds: float) -> str:
    """Return `4d 3h`, `3h 12m`, `12m 5s` or `5s`."""
    whole = int(seconds)
    days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"


def console_tail(layout: Layout, node: Node) -> str:
    """Return the end of what the node printed on its console, over all its boots."""
    console = layout.console(node)
    if not console.exists():
        return ""
    return "\n".join(console.read_text(errors="replace").splitlines()[-CONSOLE_LINES:])


def journal_argv(layout: Layout, made: Record, node: Node, lines: int, unit: str | None) -> list[str]:
    """Return the command that prints the node's journal: its own if it runs, else the files it left behind."""
    wanted = ["--no-pager", "-n", str(lines), *(["-u", unit] if unit else [])]
    if find_machine(layout.root(node)) is not None:
        return ssh_argv(layout, str(address(made.subnet, node)), ["journalctl", *wanted])
    return ["journalctl", "-D", str(layout.upper(node) / "var/log/journal"), *wanted]


def _row(layout: Layout, made: Record, node: Node) -> Row:
    where = str(address(made.subnet, node))
    groups = ",".join(node.groups)
    machine = find_machine(layout.root(node))
    if machine is None:
        return Row(node.name, where, "off", "-", "-", groups)
    uptime = duration(time.clock_gettime(time.CLOCK_BOOTTIME) - machine.started_s)
    return Row(node.name, where, "on", _systemd_state(layout, where), uptime, groups)


def _systemd_state(layout: Layout, where: str) -> str:
    """Return what `systemctl is-system-running` says; it ends non-zero for all states but `running`."""
    argv = ssh_argv(layout, where, ["systemctl", "is-system-running"])
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ASK_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return "no answer"
    return done.stdout.strip() or "no answer"
