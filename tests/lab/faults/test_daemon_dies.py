"""The daemon is killed (SIGKILL) at chosen points of a hand-over; a proxy holds the call at which it dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.commandline import One
from tests.lab.faults.breaking import back, held_call, kill_9
from tests.lab.faults.held import LONG_S, going_on, held_pair, let_go
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import agree, example, submitted

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
        run = story.watch("hetjob", submitted(kim, held_pair(), specs))
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
        run = story.watch("staged", submitted(kim, spec, specs, *words))
        call.reached()
        story.note("one-daemon is killed: the first job is in Slurm, the second is an intent")
        kill_9("svc", "one-daemon")
    back("svc", "one-daemon")
    assert len(run.leaders()) > 1
    run.reaches("completed", timeout_s=LONG_S)
    agree(run, state="completed")
    agree_in_the_end(admin, story)
