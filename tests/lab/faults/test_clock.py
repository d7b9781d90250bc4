"""A daemon whose clock is wrong: nothing that it decides depends on its clock and Slurm's being the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.commandline import One
from lab.hosts import on, until
from tests.lab.faults.breaking import MENDED_S, active
from tests.lab.faults.held import completes, going_on, handed_in, held_app
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import agree

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
DROP_IN = "/run/systemd/system/one-daemon.service.d/fault-clock.conf"
LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"
AHEAD = timedelta(minutes=5)
SURELY = timedelta(minutes=4)
"""The end is written by the daemon's clock and looked at a little later by the right one."""


@contextmanager
def daemon_ahead(by: timedelta) -> Iterator[None]:
    """The daemon is restarted with a clock that is ahead, and at the end with the right one."""
    library = on("svc", "bash", "-c", f"ls {LIBRARY}").split()[0]
    # Only what the daemon reads as the time of day: its timeouts count by the monotonic clock.
    environment = f"LD_PRELOAD={library} FAKETIME=+{by.total_seconds():.0f} FAKETIME_DONT_FAKE_MONOTONIC=1"
    text = f"[Service]\\nEnvironment={environment}\\n"
    on("svc", "bash", "-c", f"mkdir -p $(dirname {DROP_IN}) && printf '{text}' > {DROP_IN}")
    try:
        _restart()
        yield
    finally:
        on("svc", "rm", "-f", DROP_IN)
        _restart()


def _restart() -> None:
    on("svc", "systemctl", "daemon-reload")
    on("svc", "systemctl", "restart", "one-daemon", timeout_s=MENDED_S)
    until("the daemon runs", lambda: active("svc", "one-daemon"), timeout_s=MENDED_S)


def test_a_daemon_five_minutes_ahead(kim: One, admin: One, specs: Path, story: Story) -> None:
    """The daemon's clock is 5 minutes ahead: one workload goes on through the change, one is made and ends under it."""
    stays = story.watch("stays", handed_in(kim, held_app(), specs))
    going_on(stays)
    stays.reaches("running")
    with daemon_ahead(AHEAD):
        story.note("one-daemon is restarted, 5 minutes ahead")
        run = story.watch("under it", handed_in(kim, held_app(), specs))
        ended = datetime.fromisoformat(completes(run)["endedAt"])
        assert ended - datetime.now(UTC) > SURELY, "the daemon's clock is ahead"
        assert stays.now()["state"] == "running"
    story.note("one-daemon is restarted with the right clock")
    completes(stays)
    for one in (run, stays):
        agree(one, state="completed")
    agree_in_the_end(admin, story)
