"""What is read from /proc, and the small rules of the launcher."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from slurm.inside.launcher_container import first_host, this_rank, variable_part
from slurm.inside.launcher_payload import decode
from slurm.inside.launcher_proc import (
    Process,
    all_processes,
    gpu_use,
    holds_socket,
    listening_inodes,
    oom_kills,
    parse_stat,
    tree_of,
)
from slurm.inside.runner_files import last_lines, read_events

REST = "S 41 7 7 0 -1 4194560 100 200 0 0 150 50 25 25 20 0 1 0 1000 12345678 256 18446744073709551615 1 1 0"


@pytest.mark.parametrize("name", ["python3", "a (b) c", ") S 1 2", "tmux: server"])
def test_a_process_name_may_be_anything(name: str) -> None:
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    assert parse_stat(f"42 ({name}) {REST}") == Process(41, 250 / ticks, 256 * page / 1048576)


def test_the_tree_is_this_process_and_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        processes = all_processes()
        assert child.pid in tree_of(os.getpid(), processes)
        assert tree_of(child.pid, processes) == [child.pid]
        assert processes[child.pid].parent == os.getpid()
        child.communicate(b"\n")


def test_a_loop_free_tree_of_a_gone_process_is_itself() -> None:
    assert tree_of(999999999, all_processes()) == [999999999]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_listener_is_found_with_its_owner(family: socket.AddressFamily) -> None:
    with socket.socket(family) as listener:
        listener.bind(("", 0))
        port = listener.getsockname()[1]
        assert listening_inodes(port) == set()
        listener.listen()
        inodes = listening_inodes(port)
        assert len(inodes) == 1
        assert holds_socket([os.getpid()], inodes)
        assert not holds_socket([1, os.getppid(), 999999999], inodes)


def test_memory_kills_are_counted_where_cgroups_tell(tmp_path: Path) -> None:
    folder = tmp_path / "system.slice/slurmstepd.scope/job_7/step_1"
    folder.mkdir(parents=True)
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 2\noom_kill 2\noom_group_kill 0\n")
    assert oom_kills("12:cpu:/x\n0::/system.slice/slurmstepd.scope/job_7/step_1\n", str(tmp_path)) == 2
    assert oom_kills("0::/elsewhere\n", str(tmp_path)) == 0
    assert oom_kills("4:memory:/slurm\n", str(tmp_path)) == 0


def smi(folder: Path, body: str) -> None:
    """An nvidia-smi that says `body`."""
    path = folder / "nvidia-smi"
    path.write_text(f"#!{sys.executable} -IS\nimport sys\nassert sys.argv[2].endswith('nounits'), sys.argv\n{body}\n")
    path.chmod(0o755)


def test_gpus_are_measured_where_they_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_use("0,1") is None
    smi(tmp_path, "assert sys.argv[3] == '--id=0,1'; print('0, 37, 5120'); print('1, 0, 12')")
    assert gpu_use("0,1") == [{"index": 0, "util": 37, "mem_mib": 5120}, {"index": 1, "util": 0, "mem_mib": 12}]
    smi(tmp_path, "print('0, [N/A], 5120')")
    assert gpu_use("0") is None
    smi(tmp_path, "sys.exit(6)")
    assert gpu_use("0") is None


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu1", "gpu1"),
        ("gpu[1-2]", "gpu1"),
        ("gpu[07-09,12],cpu1", "gpu07"),
        ("gpu[3,5]", "gpu3"),
        ("rack[1-2]node[04-05]", "rack1node04"),
        ("a-1.b.c,gpu2", "a-1.b.c"),
    ],
)
def test_the_master_is_the_first_host(nodes: str, first: str) -> None:
    assert first_host(nodes) == first


def test_ranks_agree_on_the_masters_port_without_talking() -> None:
    step = {
        "SLURM_JOB_ID": "4000000000",
        "SLURM_STEP_ID": "3",
        "SLURM_STEP_NODELIST": "n[1-2]",
        "SLURM_STEP_NUM_TASKS": "2",
    }
    ranks = [this_rank({**step, "SLURM_PROCID": str(number)}, f"n{number + 1}") for number in (0, 1)]
    assert [(rank.number, rank.size, rank.master) for rank in ranks] == [(0, 2, "n1"), (1, 2, "n1")]
    assert ranks[0].master_port == ranks[1].master_port
    assert 20000 <= ranks[0].master_port < 32000
    assert ranks[0].master_port != this_rank({**step, "SLURM_STEP_ID": "4"}, "n1").master_port


@pytest.mark.parametrize(
    ("code", "meaning"),
    [(0, (0, None)), (7, (7, None)), (137, (137, 9)), (-11, (139, 11)), (255, (255, None)), (128, (128, None))],
)
def test_exit_codes(code: int, meaning: tuple[int, int | None]) -> None:
    assert decode(code) == meaning


def test_an_id_in_a_variables_name() -> None:
    assert variable_part("CL-REF.001-b") == "CL_REF_001_B"


def test_half_a_line_is_not_an_event_yet(tmp_path: Path) -> None:
    path = tmp_path / "events"
    assert read_events(str(path)) == []
    path.write_text('{"event": "started"}\n{"event": "en')
    assert read_events(str(path)) == [{"event": "started"}]


def test_last_lines_are_few_and_short(tmp_path: Path) -> None:
    quiet, loud = tmp_path / "stderr", tmp_path / "stdout"
    quiet.write_text("\n \n")
    loud.write_text("".join(f"{number}\n" for number in range(100000)) + "x" * 5000)
    lines = last_lines(str(tmp_path / "missing"), str(quiet), str(loud))
    assert (len(lines), lines[0], lines[-1]) == (20, "99981", "x" * 2000)
    assert last_lines(str(quiet)) == []
