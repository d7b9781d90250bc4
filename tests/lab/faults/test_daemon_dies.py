"""The daemon is killed (SIGKILL) at chosen points of a hand-over; a proxy holds the call at which it dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.commandline import One
from lab.hosts import on, until
from tests.lab.faults.breaking import back, held_call, kill_9, scancel, stopped
from tests.lab.faults.held import LONG_S, completes, going_on, handed_in, held_app, held_pair, let_go
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import agree, example

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
POINTS = {
    "before": ("submit", "request", "before the job is handed over: nothing has reached Slurm"),
    "during": ("submit", "sent", "while the agent submits: nobody hears the answer"),
    "after": ("submit", "answer", "after Slurm has the job, before the row says so"),
}


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_the_hand_over(point: str, kim: One, admin: One, specs: Path, story: Story) -> None:
    """The daemon is killed at one point of the hand-over of a hetjob; the job is in Slurm exactly once."""
    verb, where, what = POINTS[point]
    with held_call(verb, where) as call:
        run = story.watch("hetjob", handed_in(kim, held_pair(), specs))
        call.reached()
        story.note(f"one-daemon is killed {what}")
        kill_9("svc", "one-daemon")
    back("svc", "one-daemon")
    going_on(run)
    assert len(run.leaders()) == 1
    let_go(run)
    run.reaches("completed", timeout_s=LONG_S)
    assert len(run.now()["attempts"]) == 1
    agree(run, state="completed")
    agree_in_the_end(admin, story)


def test_killed_between_the_jobs_of_a_staged_plan(kim: One, admin: One, specs: Path, story: Story) -> None:
    """The daemon is killed when the first job of a staged plan is in Slurm and the second is not."""
    spec = example("rl-design-opt")
    spec["tasks"][0]["components"][1]["resources"].update(gpu_count=2, memory="64GB")
    words = ("--set", "training_config.episodes=20", "--form", "staged")
    with held_call("submit", "answer") as call:
        run = story.watch("staged", handed_in(kim, spec, specs, *words))
        call.reached()
        story.note("one-daemon is killed: the first job is in Slurm, the second is an intent")
        kill_9("svc", "one-daemon")
    back("svc", "one-daemon")
    assert len(run.leaders()) > 1
    run.reaches("completed", timeout_s=LONG_S)
    agree(run, state="completed")
    agree_in_the_end(admin, story)


def test_away_while_everything_goes_on(kim: One, admin: One, specs: Path, story: Story) -> None:
    """The daemon is stopped: one workload ends, one is cancelled outside, one is submitted; it catches up with all."""
    ends, cancelled = (story.watch(name, handed_in(kim, held_app(), specs)) for name in ("ends", "cancelled"))
    for run in (ends, cancelled):
        going_on(run)
        run.reaches("running")
    (leader,) = cancelled.leaders()
    names = ",".join(job["name"] for run in (ends, cancelled) for job in run.now()["slurmJobs"])
    with stopped("svc", "one-daemon"):
        story.note("one-daemon is stopped")
        let_go(ends)
        scancel(str(leader))
        comes = story.watch("comes", handed_in(kim, held_app(), specs))
        story.note(f"'ends' may end, scancel {leader}, 'comes' is submitted")
        until("both have ended", lambda: not on("ctl", "squeue", "--noheader", f"--name={names}"), timeout_s=LONG_S)
        assert [run.now()["state"] for run in (ends, cancelled, comes)] == ["running", "running", "submitted"]
    story.note("one-daemon is started")
    ends.reaches("completed", timeout_s=LONG_S)
    cancelled.reaches("cancelled", timeout_s=LONG_S)
    completes(comes)
    for run, state in ((ends, "completed"), (cancelled, "cancelled"), (comes, "completed")):
        agree(run, state=state)
    agree_in_the_end(admin, story)
