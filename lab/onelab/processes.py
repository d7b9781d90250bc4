"""Finds and ends the processes of this checkout's lab, by what the kernel says and not by what a file remembers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

PROC = Path("/proc")
POLL_S = 0.1
EMPTY_TIMEOUT_S = 10


@dataclass(frozen=True)
class Machine:
    """A running nspawn process (`pid`) and the node's init (`init_pid`, None until it is forked), host pids."""

    pid: int
    init_pid: int | None
    started_s: float


def is_nspawn_of(cmdline: bytes, root: Path) -> bool:
    """Say whether /proc/PID/cmdline (NUL-separated) is a systemd-nspawn that boots `root`."""
    words = cmdline.split(b"\0")
    return (
        Path(os.fsdecode(words[0])).name == "systemd-nspawn"
        and b"--boot" in words
        and any(pair == (b"-D", os.fsencode(root)) for pair in pairwise(words))
    )


def find_machine(root: Path) -> Machine | None:
    """Return the machine that runs from `root`; processes inside other pid namespaces are never taken for it."""
    for pid in _pids():
        try:
            if is_nspawn_of((PROC / str(pid) / "cmdline").read_bytes(), root) and _same_namespace(pid):
                return Machine(pid, _child_in_new_namespace(pid), _started_s(pid))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return None


def stop(pids: Iterable[int], signal_number: int) -> None:
    """Send a signal; a process that is gone already is what was wanted."""
    for pid in pids:
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            continue


def wait_until(done: Callable[[], bool], timeout_s: float) -> bool:
    """Ask `done` until it says yes; say whether it did within `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True


def kill_cgroup(group: Path) -> None:
    """Kill every process below a cgroup folder, of either version, and remove it with all its children.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (cgroup.kill, since Linux 5.14).
    """
    if not group.exists():
        return
    kill = group / "cgroup.kill"
    if kill.exists():
        kill.write_text("1")
    else:
        stop(_members(group), signal.SIGKILL)
    wait_until(lambda: not _members(group), timeout_s=EMPTY_TIMEOUT_S)
    for folder, _, _ in os.walk(group, topdown=False):
        os.rmdir(folder)


def _members(group: Path) -> list[int]:
    return [int(pid) for path in group.rglob("cgroup.procs") for pid in path.read_text().split()]


def _pids() -> Iterable[int]:
    return (int(name) for name in os.listdir(PROC) if name.isdigit())


def _same_namespace(pid: int) -> bool:
    return os.readlink(PROC / str(pid) / "ns/pid") == os.readlink(PROC / "self/ns/pid")


def _child_in_new_namespace(parent: int) -> int | None:
    for pid in _pids():
        try:
            if _stat_field(pid, 4) == parent and not _same_namespace(pid):
                return pid
        except (FileNotFoundError, ProcessLookupError):
            continue
    return None


def _started_s(pid: int) -> float:
    """Seconds since boot at which the process started (proc_pid_stat(5), field 22, in clock ticks)."""
    return _stat_field(pid, 22) / os.sysconf("SC_CLK_TCK")


def _stat_field(pid: int, number: int) -> int:
    """Return a field of /proc/PID/stat, counted from 1; the command's name may hold spaces and brackets."""
    after_name = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return int(after_name[number - 3])
