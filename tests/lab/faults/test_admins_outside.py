"""What an HPC admin does with scancel and scontrol, without asking the portal: it is seen, told truly and respected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.commandline import One
from lab.hosts import as_user, on, until
from tests.lab.faults.breaking import first_step, scancel
from tests.lab.faults.held import LONG_S, going_on, held_app, held_pair, let_go
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import SOON_S, Run, agree, app, component, submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


def waiting(kim: One, specs: Path) -> Run:
    """A workload that waits for V100s."""
    return submitted(kim, app(component("WAITS-001", "print('in turn')", gpu_type="V100", gpu_count=3)), specs)


@contextmanager
def v100s_held() -> Iterator[int]:
    """An outside job of park's that holds all V100s but one; its id. The test may cancel it."""
    words = (
        "--account=lab",
        "--partition=v100",
        "--gres=gpu:tesla_v100:7",
        "--mem=100",
        "--time=30",
        "--output=/dev/null",
    )
    holder = int(
        as_user("ctl", "park", "sbatch", "--parsable", *words, "--job-name=holder", "--wrap=sleep 1800").strip()
    )
    try:
        look = ("squeue", "--noheader", "--format=%T", f"--jobs={holder}")
        until("the V100s are held", lambda: "RUNNING" in on("ctl", *look, check=False), timeout_s=LONG_S)
        yield holder
    finally:
        scancel(str(holder))


def test_scancel_of_a_job_a_component_and_a_step(kim: One, admin: One, specs: Path, story: Story) -> None:
    """scancel of a whole hetjob, of one component, and of one step: cancelled, failed and failed, each naming it."""
    runs = {name: story.watch(name, submitted(kim, held_pair(), specs)) for name in ("whole", "component", "step")}
    ids = {}
    for name, run in runs.items():
        going_on(run)
        run.reaches("running")
        ids[name] = run.component_ids()
    (leader, _), (head, other), (first, second) = ids["whole"], ids["component"], ids["step"]
    scancel(str(leader))
    story.note(f"scancel {leader}: the whole job")
    scancel(f"{head}+{other - head}")
    story.note(f"scancel {head}+{other - head}: one component")
    step = first_step(first, second)
    scancel(step)
    story.note(f"scancel {step}: one step")
    runs["whole"].reaches("cancelled", timeout_s=LONG_S)
    for name in ("component", "step"):
        failure: dict[str, Any] = runs[name].reaches("failed", timeout_s=LONG_S)["failure"]
        story.note(f"{name}: {kim.text('why', runs[name].id).splitlines()[0]}")
        assert failure["cause"] == "step", failure
    for name, state in (("whole", "cancelled"), ("component", "failed"), ("step", "failed")):
        agree(runs[name], state=state)
    agree_in_the_end(admin, story)


def test_scontrol_nice_hold_and_requeue(kim: One, admin: One, specs: Path, story: Story) -> None:
    """scontrol changes nice, holds and requeues: a waiting job keeps what was done, a running one is not requeued."""
    taken = story.watch("runs", submitted(kim, held_app(gpu_type="V100", gpu_count=1), specs, "--time-limit", "20"))
    going_on(taken)
    taken.reaches("running")
    with v100s_held():
        _nice_hold_and_requeue(kim, admin, specs, story, taken)


def _nice_hold_and_requeue(kim: One, admin: One, specs: Path, story: Story, taken: Run) -> None:
    run = story.watch("waits", waiting(kim, specs))
    (leader,) = run.leaders()
    run.is_pending()
    on("ctl", "scontrol", "update", f"jobid={leader}", "nice=400500000")
    story.note(f"scontrol update jobid={leader} nice=400500000")
    until("it is shown", lambda: run.now()["slurmJobs"][0]["changedOutsideAt"], timeout_s=LONG_S)
    on("ctl", "scontrol", "hold", str(leader))
    story.note(f"scontrol hold {leader}")
    agree_in_the_end(admin, story)
    (running,) = taken.leaders()
    said = on("ctl", "scontrol", "requeue", str(running), check=False)
    story.note(f"scontrol requeue {running}: {said.strip() or 'refused'}")
    let_go(taken)
    taken.reaches("completed", timeout_s=LONG_S)
    assert len(taken.now()["attempts"]) == 1, "a job of the portal is never requeued"
    assert run.now()["state"] == "queued", "held outside, it stays held"
    on("ctl", "scontrol", "release", str(leader), timeout_s=SOON_S)
    scancel("--name=holder")
    story.note(f"scontrol release {leader}; the V100s are free")
    run.reaches("completed", timeout_s=LONG_S)
    for one in (run, taken):
        agree(one, state="completed")
    agree_in_the_end(admin, story)
