"""A daemon whose clock is wrong: nothing that it decides depends on its clock and Slurm's being the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.commandline import One
from tests.lab.faults.clock import daemon_off_by
from tests.lab.faults.held import completes, going_on, held_app
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import agree, submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
AHEAD = timedelta(minutes=5)
SURELY = timedelta(minutes=4)
"""The end is written by the daemon's clock and looked at a little later by the right one."""


def test_a_daemon_five_minutes_ahead(kim: One, admin: One, specs: Path, story: Story) -> None:
    """The daemon's clock is 5 minutes ahead: one workload goes on through the change, one is made and ends under it."""
    stays = story.watch("stays", submitted(kim, held_app(), specs))
    going_on(stays)
    stays.reaches("running")
    with daemon_off_by(AHEAD):
        story.note("one-daemon is restarted, 5 minutes ahead")
        run = story.watch("under it", submitted(kim, held_app(), specs))
        ended = datetime.fromisoformat(completes(run)["endedAt"])
        assert ended - datetime.now(UTC) > SURELY, "the daemon's clock is ahead"
        assert stays.now()["state"] == "running"
    story.note("one-daemon is restarted with the right clock")
    completes(stays)
    for one in (run, stays):
        agree(one, state="completed")
    agree_in_the_end(admin, story)
