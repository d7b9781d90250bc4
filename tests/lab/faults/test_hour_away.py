"""The daemon was down so long that slurmctld has forgotten the jobs: accounting alone says how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.commandline import One
from lab.hosts import on, until
from tests.lab.faults.breaking import scancel
from tests.lab.faults.clock import daemon_off_by
from tests.lab.faults.held import CODE, LONG_S, NODE, completes, going_on, held_app, let_go
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import Run, agree, app, component, submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
HOUR = timedelta(hours=1)
SURELY = timedelta(minutes=59)
CONFIG = "/etc/slurm/slurm.conf"
KEPT = "/run/one-fault.slurm.conf"


@contextmanager
def forgetful_slurm() -> Iterator[None]:
    """slurmctld forgets ended jobs after 2 s (it looks once a minute), not after 5 minutes, until the block ends."""
    on("ctl", "cp", "--preserve=all", CONFIG, KEPT)
    try:
        on("ctl", "bash", "-c", f"sed -i '/^MinJobAge=/d; 1a MinJobAge=2' {CONFIG}")
        on("ctl", "scontrol", "reconfigure")
        shown = on("ctl", "scontrol", "show", "config")
        assert "MinJobAge               = 2 sec" in shown, shown
        yield
    finally:
        on("ctl", "cp", "--preserve=all", KEPT, CONFIG)
        on("ctl", "rm", KEPT)
        on("ctl", "scontrol", "reconfigure")


def last_look(one: One) -> datetime:
    """When the portal saw Slurm last, by the daemon's clock."""
    return datetime.fromisoformat(one.asked("status")["at"])


def forgotten(run: Run) -> None:
    """Wait until slurmctld knows nothing of the workload's job any more."""
    (leader,) = run.leaders()
    words = ("bash", "-c", f"scontrol show job {leader} 2>&1 || true")
    until(f"job {leader} is forgotten", lambda: "Invalid job id" in on("ctl", *words), timeout_s=LONG_S)


def failing() -> dict[str, Any]:
    """As `held_app`, but it ends badly."""
    return app(component(NODE, CODE + "raise SystemExit(7)"))


def test_down_for_an_hour(kim: One, admin: One, specs: Path, story: Story) -> None:
    """The daemon is down for an hour: what ended meanwhile is gone from slurmctld, and accounting says how it ended."""
    apps = {"ends": held_app(), "fails": failing(), "cancelled": held_app()}
    runs = {name: story.watch(name, submitted(kim, spec, specs)) for name, spec in apps.items()}
    for run in runs.values():
        going_on(run)
        run.reaches("running", timeout_s=LONG_S)
    (leader,) = runs["cancelled"].leaders()
    with daemon_off_by(-HOUR):
        until("it has looked", lambda: datetime.now(UTC) - last_look(kim) > SURELY, timeout_s=LONG_S)
        story.note("one-daemon has looked with a clock that is an hour behind: its last look is an hour old")
        on("svc", "systemctl", "stop", "one-daemon")
        story.note("one-daemon is stopped")
        with forgetful_slurm():
            scancel(str(leader))
            for name in ("ends", "fails"):
                let_go(runs[name])
            comes = story.watch("comes", submitted(kim, held_app(), specs))
            story.note(f"'ends' and 'fails' may end, scancel {leader}, 'comes' is submitted")
            for run in runs.values():
                forgotten(run)
            story.note("slurmctld has forgotten all three jobs")
        assert datetime.now(UTC) - last_look(kim) > SURELY
        assert {run.now()["state"] for run in runs.values()} == {"running"}
        assert comes.now()["state"] == "submitted"
    story.note("one-daemon is started with the right clock")
    for name, state in (("ends", "completed"), ("fails", "failed"), ("cancelled", "cancelled")):
        runs[name].reaches(state, timeout_s=LONG_S)
        agree(runs[name], state=state)
    failure = runs["fails"].now()["failure"]
    assert (failure["cause"], failure["exit_code"]) == ("step", 7), failure
    completes(comes)
    agree(comes, state="completed")
    agree_in_the_end(admin, story)
