"""What the portal stores in and takes from goes away: MinIO as a job ends, the registry at a submit, PostgreSQL for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.commandline import One
from lab.hosts import on, until
from tests.lab.faults.breaking import stopped
from tests.lab.faults.held import LONG_S, going_on, held_app, let_go
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import agree, submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


def test_minio_away_when_a_job_ends(kim: One, admin: One, specs: Path, story: Story) -> None:
    """MinIO is stopped as a job ends: the workload stays in "saving" and completes when MinIO is back."""
    run = story.watch("ends", submitted(kim, held_app(), specs))
    going_on(run)
    run.reaches("running")
    with stopped("svc", "minio"):
        story.note("minio is stopped, and the job may end")
        let_go(run)
        run.reaches("saving", timeout_s=LONG_S)
        (job,) = run.now()["slurmJobs"]
        assert job["state"] == "COMPLETED"
        assert run.now()["state"] == "saving"
    story.note("minio is started")
    run.reaches("completed", timeout_s=LONG_S)
    agree(run, state="completed")
    agree_in_the_end(admin, story)


def test_registry_away_at_a_submit(kim: One, admin: One, specs: Path, story: Story) -> None:
    """The registry is stopped: a submitted workload waits, unknown since, and goes on when the registry is back."""
    with stopped("svc", "docker-registry"):
        story.note("docker-registry is stopped")
        run = story.watch("comes", submitted(kim, held_app(), specs))
        until("it says so", lambda: run.now()["unknownSince"], timeout_s=LONG_S)
        assert run.now()["state"] == "submitted"
    story.note("docker-registry is started")
    going_on(run)
    assert run.reaches("running", timeout_s=LONG_S)["unknownSince"] is None
    let_go(run)
    run.reaches("completed", timeout_s=LONG_S)
    agree(run, state="completed")
    agree_in_the_end(admin, story)


def test_postgresql_is_restarted(kim: One, admin: One, specs: Path, story: Story) -> None:
    """PostgreSQL is restarted while a workload runs and another is on its way: daemon and web find it again by themselves."""
    stays = story.watch("stays", submitted(kim, held_app(), specs))
    going_on(stays)
    stays.reaches("running")
    comes = story.watch("comes", submitted(kim, held_app(), specs))
    story.note("postgresql is restarted")
    on("svc", "systemctl", "restart", "postgresql@18-main", timeout_s=LONG_S)
    for run in (comes, stays):
        going_on(run)
        let_go(run)
        run.reaches("completed", timeout_s=LONG_S)
        agree(run, state="completed")
    agree_in_the_end(admin, story)
