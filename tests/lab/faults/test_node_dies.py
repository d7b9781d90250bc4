"""A GPU node loses power in the middle of a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.commandline import One
from tests.lab.faults.breaking import nodes_are_up, without_power
from tests.lab.faults.held import LONG_S, going_on, held_app, let_go
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


def test_a_gpu_node_is_killed_and_comes_back(kim: One, admin: One, specs: Path, story: Story) -> None:
    """gpu3 loses power in the middle of a step and is booted again: a second attempt, with the checkpoints of the first."""
    run = story.watch("on gpu3", submitted(kim, held_app(gpu_type="V100", gpu_count=1), specs))
    going_on(run)
    run.reaches("running")
    with without_power("gpu3"):
        story.note("gpu3 has lost power")
        run.reaches("queued", timeout_s=LONG_S)
    story.note("gpu3 is booted")
    nodes_are_up()
    going_on(run, times=2)
    let_go(run)
    document = run.reaches("completed", timeout_s=LONG_S)
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["node_failure", "completed"]
    assert "began 2 times" in run.logs(), "the second attempt saw the checkpoint of the first"
    agree_in_the_end(admin, story)
