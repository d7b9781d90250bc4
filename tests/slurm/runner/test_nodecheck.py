"""The test of a compute node against nodes that are played: what is well, what is broken, and what cannot be told."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from slurm.inside import nodecheck
from slurm.inside.nodecheck import FAILED, NO_END, NO_PROGRAM, OK, UNKNOWN, Node, Ran, Result, Wanted

SOURCE = Path(nodecheck.__file__)
WANTED = Wanted("", ("/shared/runs",), "/shared/images/x.sif", "http://127.0.0.1:9400/metrics")
NOON = 1_770_638_400.0
SMI_LIST = "GPU 0: NVIDIA A100 (UUID: GPU-1)\nGPU 1: NVIDIA A100 (UUID: GPU-2)\n"
METRICS = 'DCGM_FI_DEV_GPU_UTIL{gpu="0"} 3\nDCGM_FI_DEV_GPU_UTIL{gpu="1"} 4\n'
GONE = Ran(NO_PROGRAM, "", "it: No such file or directory")


class Played(Node):
    """A node of a job with two GPUs where everything is well, but for what a test says otherwise."""

    def __init__(self, **other: Ran) -> None:
        self.at, self.in_job, self.gpus = NOON, "7", ["nvidia0", "nvidia1"]
        self.metrics: str | OSError = METRICS
        self.controller_ahead_s, self.controller_stands = 0.0, False
        self.other, self.asked = other, list[tuple[str, ...]]()

    def run(self, *words: str) -> Ran:
        self.asked.append(words)
        name, answer = self._answer(words)
        return self.other.get(name, answer)

    def _answer(self, words: tuple[str, ...]) -> tuple[str, Ran]:
        if words[0] == "srun":
            if words[-1] == nodecheck.EAT:
                return "eater", Ran(137, "begun\n", "slurmstepd: error: Detected 1 oom_kill event\n")
            return "opener", Ran(0, "closed nvidia0 1\nclosed nvidia1 1\nsurvived\n", "")
        if words[:2] == ("apptainer", "--version"):
            return "version", Ran(0, "apptainer version 1.4.0\n", "")
        if words[0] == "apptainer":
            return ("nv", Ran(0, SMI_LIST, "")) if "--nv" in words else ("plain", Ran(0, "", ""))
        if words[0] == "scontrol":
            moment = NOON if self.controller_stands else self.at + self.controller_ahead_s
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment))
            return "scontrol", Ran(0, f"Configuration data as of {stamp}\nAccountingStorageHost = ctl\n", "")
        assert words[0] == "nvidia-smi", words
        return ("list", Ran(0, SMI_LIST, "")) if words[1] == "-L" else ("smi", Ran(0, "NVIDIA A100\n" * 2, ""))

    def job(self) -> str:
        return self.in_job

    def gpu_devices(self) -> list[str]:
        return self.gpus

    def get(self, url: str) -> str:
        if isinstance(self.metrics, OSError):
            raise self.metrics
        return self.metrics

    def clock(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def write_as(self, user: str, folder: str) -> str:
        return ""


@pytest.fixture(autouse=True)
def _as_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def of(node: Node, wanted: Wanted = WANTED) -> Mapping[str, Result]:
    return {one.name: one for one in nodecheck.checked(node, wanted)}


def test_a_node_where_all_is_well() -> None:
    found = of(Played())
    assert {name: one.status for name, one in found.items()} == dict.fromkeys(found, OK)
    assert len(found) == 8
    assert nodecheck.lines(list(found.values()))[-1] == "8 ok, 0 failed, 0 unknown"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("memory limit", {"eater": Ran(0, "begun\nsurvived\n", "")}),
        ("foreign GPUs", {"opener": Ran(0, "closed nvidia0 1\nopen nvidia1\nsurvived\n", "")}),
        ("apptainer", {"version": GONE}),
        ("apptainer", {"plain": Ran(255, "", "FATAL: could not create user namespace\n")}),
        ("apptainer --nv", {"nv": Ran(0, "GPU 0: NVIDIA A100\n", "")}),
        ("nvidia-smi", {"smi": Ran(9, "", "NVIDIA-SMI has failed\n")}),
    ],
)
def test_what_is_broken_is_named_with_its_cure(name: str, other: dict[str, Ran]) -> None:
    found = of(Played(**other))
    assert (found[name].status, bool(found[name].cure)) == (FAILED, True)
    assert [one.name for one in found.values() if one.status != OK and one.name != "apptainer --nv"] in ([name], [])


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("memory limit", {"eater": Ran(1, "", "srun: error: Unable to create step\n")}),
        ("memory limit", {"eater": Ran(NO_END, "begun\n", "")}),
        ("foreign GPUs", {"opener": GONE}),
        ("apptainer --nv", {"list": Ran(0, "", "")}),
        ("clock", {"scontrol": Ran(1, "", "Unable to contact slurm controller\n")}),
    ],
)
def test_what_did_not_take_place_is_unknown_and_never_ok(name: str, other: dict[str, Ran]) -> None:
    assert of(Played(**other))[name].status == UNKNOWN


def test_clocks() -> None:
    node = Played()
    node.controller_ahead_s = 90
    assert (of(node)["clock"].status, of(node)["clock"].says) == (FAILED, "90 s from slurmctld's")
    node.controller_stands = True
    assert of(node)["clock"].status == UNKNOWN, "an answer that stands still tells no time"


@pytest.mark.parametrize("change", ["no job", "no GPUs", "no image", "no exporter", "root"])
def test_what_cannot_be_told_here_is_said(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    node, wanted = Played(), WANTED
    if change == "no job":
        node.in_job, expected = "", {"memory limit", "foreign GPUs"}
    elif change == "no GPUs":
        node.gpus, expected = [], {"foreign GPUs", "apptainer --nv", "nvidia-smi", "DCGM"}
    elif change == "no image":
        wanted, expected = WANTED._replace(image=""), {"apptainer", "apptainer --nv"}
    elif change == "no exporter":
        node.metrics, expected = ConnectionRefusedError("refused"), {"DCGM"}
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        expected = {"folder /shared/runs"}
    found = of(node, wanted)
    assert {one.name for one in found.values() if one.status == UNKNOWN} == expected
    assert all(one.says for one in found.values() if one.status == UNKNOWN)
    if change == "no job":
        assert not [words for words in node.asked if words[0] == "srun"]


def test_an_exporter_without_the_use_of_gpus() -> None:
    node = Played()
    node.metrics = "DCGM_FI_DEV_GPU_TEMP 40\n"
    assert of(node)["DCGM"].status == FAILED


def test_a_folder_is_written_as_who_asks(tmp_path: Path) -> None:
    node = Node()
    assert node.write_as("", str(tmp_path)) == ""
    assert list(tmp_path.iterdir()) == []
    assert "No such file" in node.write_as("", str(tmp_path / "none"))
    if os.getuid() == 0:
        tmp_path.chmod(0o700)
        assert "Permission denied" in node.write_as("nobody", str(tmp_path))
        assert node.write_as("no-such-user", str(tmp_path)) == "no such Unix user: no-such-user"


@pytest.mark.parametrize("code", [nodecheck.EAT, nodecheck.OPEN_GPUS])
def test_the_code_of_the_steps_runs(code: str) -> None:
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split()[-1] == nodecheck.SURVIVED


def test_the_steps_ask_for_little_and_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURMD_NODENAME", "gpu1")
    node = Played()
    of(node)
    (eater,) = [words for words in node.asked if words[-1] == nodecheck.EAT]
    assert {"--overlap", "--exact", "--mem=64M", "--gres=none", "--nodelist=gpu1"} <= set(eater)


def test_programs_that_are_missing_or_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Node().run("/no/such/program").code == NO_PROGRAM
    monkeypatch.setattr(nodecheck, "TIMEOUT_S", 0.1)
    assert Node().run(sys.executable, "-c", "import time; time.sleep(30)").code == NO_END


def test_it_is_one_file_that_old_systems_can_run(capsys: pytest.CaptureFixture[str]) -> None:
    text = SOURCE.read_text()
    tree = ast.parse(text, feature_version=(3, 6))
    modules = {
        alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert modules <= sys.stdlib_module_names
    assert text.isascii()
    ends: Callable[[list[str]], int] = nodecheck.main
    assert ends(["--folder", "/no/such/folder", "--json"]) == 1
    assert '"status": "failed"' in capsys.readouterr().out
