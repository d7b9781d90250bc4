"""The rest of the lab tool's pure parts: prerequisites, versions, process identity, the status table."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from onelab import configure, prerequisites, record
from onelab.cli import parser
from onelab.commands import run, run_logged
from onelab.errors import CommandFailed, LabError, MissingPrerequisites, NotBuilt
from onelab.layers import Layers, go_version, locked_version
from onelab.layout import Layout
from onelab.processes import is_nspawn_of, stop, wait_until
from onelab.record import Record
from onelab.report import Row, duration, table

CHECKOUT = Path(__file__).resolve().parents[2]


def test_all_missing_prerequisites_are_named_at_once_with_their_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda command: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(prerequisites, "DISK_FREE_GIB", 10**9)
    with pytest.raises(MissingPrerequisites) as caught:
        prerequisites.require(tmp_path / "not" / "there")
    text = str(caught.value)
    assert "sudo lab/lab" in text
    assert (
        "apt-get install iproute2 mmdebstrap mount openssh-client openssl skopeo systemd systemd-container umoci util-linux"
        in text
    )
    assert "set ONE_LAB_CACHE elsewhere" in text


def test_tools_of_apply_are_looked_for_in_the_checkout_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda command: None)
    layout = Layout(tmp_path)
    assert configure.missing_tools(layout) == [
        "uv is missing: pip install uv",
        "ansible-playbook is missing: make venv",
    ]
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/ansible-playbook").touch()
    assert configure.missing_tools(layout) == ["uv is missing: pip install uv"]


def test_every_command_has_a_package_that_is_listed() -> None:
    assert set(prerequisites.COMMANDS.values()) <= set(prerequisites.PACKAGES)


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", [Path("/sys/fs/cgroup")]),
        ("cgroup /a cgroup rw,cpu 0 0\ncgroup2 /b/unified cgroup2 rw 0 0\n", [Path("/b/unified")]),
        ("tmpfs /cgroup2 tmpfs rw 0 0\n", []),
    ],
)
def test_cgroup2_is_found_on_pure_and_hybrid_machines(mounts: str, expected: list[Path]) -> None:
    assert prerequisites.cgroup_mounts(mounts, "cgroup2") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("go version go1.26.8 linux/amd64", (1, 26)), ("go version go1.9 linux", (1, 9)), ("not go", (0, 0))],
)
def test_go_versions_compare_as_numbers(text: str, expected: tuple[int, int]) -> None:
    assert go_version(text) == expected


def test_the_lock_names_pyslurm() -> None:
    assert locked_version(CHECKOUT / "uv.lock", "pyslurm") == "25.11.2"
    with pytest.raises(LabError, match="names no such-package"):
        locked_version(CHECKOUT / "uv.lock", "such-package")


ROOT = Path("/srv/one/.lab/nodes/ctl/root")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([b"systemd-nspawn", b"-q", b"-D", b"/srv/one/.lab/nodes/ctl/root", b"--boot", b""], True),
        ([b"/usr/bin/systemd-nspawn", b"-D", b"/srv/one/.lab/nodes/ctl/root", b"--boot", b""], True),
        ([b"systemd-nspawn", b"-D", b"/srv/one/.lab/nodes/ctl/root2", b"--boot", b""], False),
        ([b"systemd-nspawn", b"-D", b"/srv/two/.lab/nodes/ctl/root", b"--boot", b""], False),
        ([b"grep", b"systemd-nspawn", b"-D", b"/srv/one/.lab/nodes/ctl/root", b"--boot", b""], False),
        ([b""], False),
    ],
)
def test_only_this_checkouts_machine_is_taken_for_its_own(words: list[bytes], expected: bool) -> None:
    assert is_nspawn_of(b"\0".join(words), ROOT) is expected


def test_a_process_that_is_gone_already_is_no_error() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stop([child.pid], signal.SIGKILL)
    assert wait_until(lambda: child.poll() is not None, timeout_s=10)
    assert child.stdin is not None
    child.stdin.close()
    stop([child.pid], signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL


def test_a_failed_command_carries_what_it_said(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import sys; print('out'); print('why', file=sys.stderr); sys.exit(3)"]
    with pytest.raises(CommandFailed, match="ended with code 3") as caught:
        run(argv, timeout_s=20)
    assert caught.value.output == "out\nwhy\n"
    log = tmp_path / "logs" / "x.log"
    log.parent.mkdir()
    log.write_text("earlier\n")
    with pytest.raises(CommandFailed) as logged:
        run_logged(argv, log=log, timeout_s=20, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert (logged.value.code, logged.value.output) == (3, "out\nwhy\n")
    assert log.read_text() == "earlier\nout\nwhy\n"


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(CommandFailed, match="ran out of time") as caught:
        run([sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.2)
    assert caught.value.code is None


def test_the_record_of_a_lab_survives(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with pytest.raises(NotBuilt, match="lab/lab up"):
        record.load(layout)
    made = Record(IPv4Network("10.128.0.0/24"), Layers("b", "m", "v", ""))
    record.save(layout, made)
    assert record.load(layout) == made
    assert [path.name for path in layout.state.iterdir()] == ["lab.json"]


def test_the_topmost_layer_comes_first_and_an_empty_one_is_left_out() -> None:
    whole = Layers("/b", "/m", "/v", "/p", "/k")
    assert whole.lowers() == [Path("/p"), Path("/v"), Path("/k"), Path("/m"), Path("/b")]
    assert Layers("/b", "/m", "/v", "").lowers() == [Path("/v"), Path("/m"), Path("/b")]


def test_the_status_table_whole() -> None:
    lines = [
        Row("ctl", "10.1.2.10", "on", "running", "3h 12m", "slurm_controller,slurm_database"),
        Row("gpu1", "10.1.2.21", "off", "-", "-", "slurm_compute"),
    ]
    assert table(lines) == (
        "node  address    state  systemd  uptime  groups\n"
        "ctl   10.1.2.10  on     running  3h 12m  slurm_controller,slurm_database\n"
        "gpu1  10.1.2.21  off    -        -       slurm_compute"
    )


@pytest.mark.parametrize(
    ("seconds", "expected"), [(5.9, "5s"), (65, "1m 5s"), (3 * 3600 + 12 * 60, "3h 12m"), (4 * 86400 + 3700, "4d 1h")]
)
def test_uptimes_are_short(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_every_verb_and_setting_is_in_the_docs() -> None:
    docs = (CHECKOUT / "docs" / "lab.md").read_text()
    verbs = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)).choices
    missing = [verb for verb in verbs if f"`lab/lab {verb}" not in docs]
    missing += [name for name in ("ONE_LAB_CACHE", "LAB_SUITE") if name not in docs]
    assert missing == []
