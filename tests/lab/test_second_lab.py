"""A second checkout's lab beside the first: node death, a crash, and nothing left behind."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).resolve().parents[2]
NODES = ("ctl", "svc", "gpu1", "gpu2", "gpu3")


@dataclass(frozen=True)
class SecondLab:
    """A checkout with just what the lab tool reads."""

    checkout: Path

    @property
    def lab_id(self) -> str:
        return hashlib.sha256(str(self.checkout).encode()).hexdigest()[:6]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [str(self.checkout / "lab" / "lab"), *words]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def nspawn_pids(self) -> list[int]:
        marker = os.fsencode(self.checkout / ".lab" / "nodes")
        found = []
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdigit() else []
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words and words[0].endswith(b"systemd-nspawn") and any(word.startswith(marker) for word in words):
                found.append(int(folder.name))
        return found

    def leftovers(self) -> dict[str, list[str]]:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        return {
            "processes": [str(pid) for pid in self.nspawn_pids()],
            "mounts": [line for line in mounts if str(self.checkout) in line],
            "interfaces": [name for name in os.listdir("/sys/class/net") if self.lab_id in name],
            "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/one-{self.lab_id}")],
        }


NOTHING: dict[str, list[str]] = {"processes": [], "mounts": [], "interfaces": [], "cgroups": []}


@pytest.fixture
def second(tmp_path: Path) -> Iterator[SecondLab]:
    shutil.copytree(CHECKOUT / "lab", tmp_path / "lab")
    for name in ("uv.lock", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    lab = SecondLab(tmp_path)
    yield lab
    lab.run("down", "--purge")


def test_hosts_live_die_and_leave_nothing_behind(second: SecondLab) -> None:
    second.ok("up", "--no-apply")
    assert len(second.nspawn_pids()) == len(NODES)
    assert second.ok("exec", "gpu3", "--", "getent", "hosts", "registry.avatar.io").split()[1] == "svc"
    assert second.ok("exec", "ctl", "--", "printf", "%s|", "a b", "$(id)", "한국어", "") == "a b|$(id)|한국어||"
    assert second.run("exec", "ctl", "--", "bash", "-c", "exit 7").returncode == 7

    second.ok("exec", "gpu3", "--", "touch", "/root/kept")
    second.ok("exec", "gpu3", "--", "systemd-cat", "echo", "last words")
    second.ok("kill", "gpu3")
    assert "gpu3" in next(line for line in second.run("status").stdout.splitlines() if " off " in line)
    logs = second.ok("logs", "gpu3")
    assert "terminated by signal KILL" in logs
    assert "last words" in logs
    second.ok("boot", "gpu3")
    second.ok("exec", "gpu3", "--", "test", "-e", "/root/kept")

    second.ok("down")
    assert second.leftovers() == NOTHING
    second.ok("up", "--no-apply")
    second.ok("exec", "gpu3", "--", "test", "-e", "/root/kept")


def test_down_and_up_after_a_crash(second: SecondLab) -> None:
    second.ok("up", "--no-apply")
    for pid in second.nspawn_pids()[:3]:
        os.kill(pid, signal.SIGKILL)
    second.ok("up", "--no-apply")
    assert second.ok("status").count(" on ") == len(NODES)

    for pid in second.nspawn_pids():
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(second.checkout / ".lab" / "logs")
    (second.checkout / ".lab" / "lab.json").unlink()
    second.ok("down")
    assert second.leftovers() == NOTHING


def test_the_first_labs_hosts_go_on(second: SecondLab) -> None:
    first = SecondLab(CHECKOUT)
    before = sorted(first.nspawn_pids())
    assert len(before) == len(NODES), "this test needs the running lab: make up"
    second.ok("up", "--no-apply")
    second.ok("down", "--purge")
    assert sorted(first.nspawn_pids()) == before
    assert second.leftovers() == NOTHING
