"""The shared file system cannot be written for a while: what runs goes on, what comes fails with the reason and runs again."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import accounting
from lab.commandline import One
from slurm.inside.runner import EXIT_REFUSED
from tests.lab.faults.held import LONG_S, going_on, held_app, let_go
from tests.lab.faults.smallfs import SmallFileSystem, small_runs_of
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import Run, agree, leader_row, submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def lee() -> One:
    """A researcher whose run directories no other test looks at."""
    return One.of("lee")


@pytest.mark.parametrize("fault", ["full", "read_only"])
def test_the_shared_file_system_is(fault: str, lee: One, admin: One, specs: Path, story: Story) -> None:
    """The run directories cannot be written: one workload goes on through it, one comes and fails with the reason."""
    with small_runs_of("lee") as disk:
        stays = submitted(lee, held_app(), specs)
        story.watch("stays", stays)
        going_on(stays)
        stays.reaches("running")
        comes = _comes_meanwhile(fault, disk, stays, lee, specs, story)
        let_go(stays)
        stays.reaches("completed", timeout_s=LONG_S)
        assert len(stays.now()["attempts"]) == 1
        again = Run(lee, lee.json("rerun", comes.id)["id"])
        story.watch("again", again)
        going_on(again)
        let_go(again)
        again.reaches("completed", timeout_s=LONG_S)
        for run in (stays, again):
            agree(run, state="completed")
        agree_in_the_end(admin, story)


def _comes_meanwhile(fault: str, disk: SmallFileSystem, stays: Run, lee: One, specs: Path, story: Story) -> Run:
    with disk.full() if fault == "full" else disk.read_only():
        story.note(f"the file system of lee's run directories is {fault.replace('_', '-')}")
        comes = submitted(lee, held_app(), specs)
        story.watch("comes", comes)
        failure = comes.reaches("failed", timeout_s=LONG_S)["failure"]
        assert failure["cause"] == "not_begun", failure
        story.note(f"comes: {lee.text('why', comes.id).splitlines()[0]}")
        row = leader_row(accounting.settled_rows(comes.leaders()), *comes.leaders())
        assert (row.user, row.word, row.exit_code) == ("lee", "FAILED", f"{EXIT_REFUSED}:0"), row
        assert stays.now()["state"] == "running"
    story.note("it can be written again")
    return comes
