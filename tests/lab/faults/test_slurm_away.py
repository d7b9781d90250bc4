"""Slurm's own services go away while workloads wait, run and end: nothing is ever called failed for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab.commandline import One
from lab.hosts import until
from tests.lab.faults.breaking import back, kill_9, stopped
from tests.lab.faults.held import LONG_S, completes, going_on, held_app, held_pair, let_go
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import Run, agree, submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
OUTAGE_S = 120
LOOK_EVERY_S = 2


def goes_on(run: Run) -> None:
    """Whatever is away, the workload is not called ended."""
    document = run.now()
    assert document["state"] == "running", document


def test_slurmctld_away_for_two_minutes(kim: One, admin: One, specs: Path, story: Story) -> None:
    """slurmctld is stopped for 2 minutes: one workload ends meanwhile, one goes on, one is submitted."""
    ends = story.watch("ends", submitted(kim, held_app(), specs))
    stays = story.watch("stays", submitted(kim, held_pair(), specs))
    for run in (ends, stays):
        going_on(run)
        run.reaches("running")
    with stopped("ctl", "slurmctld"):
        begun = time.monotonic()
        story.note("slurmctld is stopped")
        until("the portal says so", lambda: kim.asked("status")["unreachableSince"], timeout_s=LONG_S)
        story.note("the portal says that Slurm is unreachable since then")
        comes = story.watch("comes", submitted(kim, held_app(), specs))
        let_go(ends)
        story.note("'ends' may end; 'comes' is submitted")
        while time.monotonic() - begun < OUTAGE_S:
            assert kim.asked("status")["unreachableSince"]
            goes_on(ends)
            goes_on(stays)
            assert comes.now()["state"] in ("submitted", "queued")
            time.sleep(LOOK_EVERY_S)
    story.note("slurmctld is started")
    until("Slurm is seen again", lambda: not kim.asked("status")["unreachableSince"], timeout_s=LONG_S)
    ends.reaches("completed", timeout_s=LONG_S)
    for run in (comes, stays):
        completes(run)
    for run in (ends, stays, comes):
        assert len(run.now()["attempts"]) == 1
        agree(run, state="completed")
    agree_in_the_end(admin, story)


def test_slurmdbd_slurmrestd_and_agent(kim: One, admin: One, specs: Path, story: Story) -> None:
    """slurmdbd is stopped as a workload ends, slurmrestd and agent are killed: unknown, not failed, until slurmdbd is back."""
    ends = story.watch("ends", submitted(kim, held_app(), specs))
    stays = story.watch("stays", submitted(kim, held_pair(), specs))
    for run in (ends, stays):
        going_on(run)
        run.reaches("running")
    with stopped("ctl", "slurmdbd"):
        story.note("slurmdbd is stopped, and 'ends' may end")
        let_go(ends)
        for unit in ("slurmrestd", "one-agent"):
            kill_9("svc", unit)
        story.note("slurmrestd and one-agent are killed")
        comes = story.watch("comes", submitted(kim, held_app(), specs))
        for unit in ("slurmrestd", "one-agent"):
            back("svc", unit)
        until("'ends' is unknown", lambda: ends.now()["unknownSince"], timeout_s=LONG_S)
        goes_on(ends)
        goes_on(stays)
    story.note("slurmdbd is started")
    ends.reaches("completed", timeout_s=LONG_S)
    for run in (comes, stays):
        completes(run)
    for run in (ends, stays, comes):
        assert len(run.now()["attempts"]) == 1
        agree(run, state="completed")
    agree_in_the_end(admin, story)
