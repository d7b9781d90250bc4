"""What the nodes are asked, on a simulated cluster whose jobs do what the script would do, and the script itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.serve import nodecheck
from portal.serve.discover import Granted
from portal.serve.nodecheck import NodeCheck, Site
from slurm.errors import SlurmRefused
from slurm.fake import FakeSlurm
from slurm.fake.cluster import lab_cluster

Told = list[tuple[str, dict[str, object]]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodecheck, "LOOK_S", 0.001)


def asked(tmp_path: Path, runs: Callable[[str], None]) -> tuple[NodeCheck, FakeSlurm, Told]:
    """A check of two partitions; `runs(script)` is what a job does, which then ends."""
    slurm, told = FakeSlurm(lab_cluster(users=("kim",))), []

    def started(job: object) -> None:
        runs(slurm.submissions[-1].script)
        slurm.cluster.end_after(job.job_id, 1)  # type: ignore[attr-defined]

    slurm.cluster.on_start = started
    (tmp_path / nodecheck.FOLDER).mkdir()
    site = Site("kim", Granted("lab", "one-normal", ("a100",)), tmp_path, "/bin/true", "/usr/bin:/bin")
    check = NodeCheck(slurm, site, tmp_path / "nodes.json", lambda code, **facts: told.append((code, facts)))
    return check, slurm, told


def on_the_node(script: str) -> None:
    ran = subprocess.run([sys.executable, "-IS", "-"], input=script, text=True, capture_output=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


async def turned(check: NodeCheck, slurm: FakeSlurm) -> None:
    """Run it while the cluster's clock goes on."""
    import anyio

    async def turn() -> None:
        while True:
            slurm.cluster.advance(1)
            await anyio.sleep(0.001)

    async with anyio.create_task_group() as group:
        group.start_soon(turn)
        await check.run()
        group.cancel_scope.cancel()


async def test_a_good_partition_is_told_once_and_asked_once(tmp_path: Path) -> None:
    check, slurm, told = asked(tmp_path, on_the_node)
    await turned(check, slurm)
    assert [code for code, _ in told] == ["nodes_asked", "nodes_ok"]
    assert list((tmp_path / nodecheck.FOLDER).iterdir()) == []
    (sent,) = slurm.submissions
    assert (sent.owner, sent.components[0].comment, sent.components[0].nice) == ("kim", "", 0)
    await turned(check, slurm)
    assert len(slurm.submissions) == 1


async def test_a_folder_that_the_node_does_not_see(tmp_path: Path) -> None:
    check, slurm, told = asked(tmp_path, lambda script: None)
    await turned(check, slurm)
    code, facts = told[-1]
    assert (code, facts["shared"], facts["partition"]) == ("nodes_no_shared", tmp_path, "a100")
    assert not (tmp_path / "nodes.json").exists()


async def test_a_node_without_apptainer(tmp_path: Path) -> None:
    check, slurm, told = asked(tmp_path, lambda script: on_the_node(script.replace("/bin/true", "/no/apptainer")))
    await turned(check, slurm)
    code, facts = told[-1]
    assert code == "nodes_no_apptainer"
    assert "No such file" in str(facts["why"])


async def test_slurms_no_is_told(tmp_path: Path) -> None:
    check, slurm, told = asked(tmp_path, on_the_node)
    slurm.refuse_next = SlurmRefused("Requested node configuration is not available", code=2014)
    await turned(check, slurm)
    assert told[-1][0] == "nodes_refused"
    assert "not available" in str(told[-1][1]["why"])


async def test_a_lost_answer_is_looked_for_and_not_repeated(tmp_path: Path) -> None:
    check, slurm, told = asked(tmp_path, on_the_node)
    slurm.lose_next_answer = True
    await turned(check, slurm)
    assert told[-1][0] == "nodes_ok"
    assert len(slurm.submissions) == 1


@pytest.mark.parametrize("name", ["a'b", 'a"b\\n', "한 글", "{x}"])
def test_hostile_paths_reach_the_script_as_they_are(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    on_the_node(nodecheck.SCRIPT.format(target=str(target), program="/bin/true"))
    assert set(json.loads(target.read_text())) == {"host", "apptainer", "why"}
