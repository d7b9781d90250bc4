"""Limits that an HPC admin sets in Slurm on a user, an account and a QOS: the portal says Slurm's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.commandline import One
from lab.hosts import on, until
from tests.lab.faults.held import LONG_S, going_on, held_app, let_go
from tests.lab.road_harness import Run, agree, submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
POLICY = 2050
"""ESLURM_ACCOUNTING_POLICY: a limit of the association or of the QOS."""
NONE = -1
LIMITED = {
    "user": ("user", "choi", "where", "account=lab", "set"),
    "account": ("account", "lab", "set"),
    "QOS": ("qos", "one-normal", "set"),
}
AT_SUBMIT = {"user": "MaxSubmitJobs", "account": "GrpSubmitJobs", "QOS": "MaxSubmitJobsPerUser"}
AT_START = {"user": "MaxJobs", "account": "GrpJobs", "QOS": "MaxJobsPerUser"}


@contextmanager
def limited(whose: str, limit: str, value: int) -> Iterator[None]:
    """The limit holds until the block ends."""
    words = ("sacctmgr", "--immediate", "modify", *LIMITED[whose])
    on("ctl", *words, f"{limit}={value}")
    try:
        yield
    finally:
        on("ctl", *words, f"{limit}={NONE}")


@pytest.fixture
def choi() -> Iterator[One]:
    """A researcher who has nothing else running, and leaves nothing running to the next test's limits."""
    one = One.of("choi")
    yield one
    on("ctl", "scancel", f"--user={one.username}")


@pytest.mark.parametrize("whose", LIMITED)
def test_what_slurm_refuses_fails_in_its_words(whose: str, choi: One, specs: Path) -> None:
    with limited(whose, AT_SUBMIT[whose], 0):
        run = submitted(choi, held_app(), specs)
        failure = run.reaches("failed", timeout_s=LONG_S)["failure"]
    assert (failure["cause"], failure["code"]) == ("refused", POLICY), failure
    assert "Slurm refused the job: " in choi.text("why", run.id)
    (job,) = run.now()["slurmJobs"]
    assert job["jobId"] is None
    assert on("ctl", "squeue", "--noheader", "--states=all", f"--name={job['name']}") == ""


@pytest.mark.parametrize("whose", LIMITED)
def test_what_slurm_lets_wait_says_why_and_runs_in_the_end(whose: str, choi: One, specs: Path) -> None:
    with limited(whose, AT_START[whose], 1):
        first, second = (submitted(choi, held_app(), specs) for _ in range(2))
        going_on(first)
        _waits_for_a_limit(second)
        let_go(first)
        first.reaches("completed", timeout_s=LONG_S)
        going_on(second)
    let_go(second)
    second.reaches("completed", timeout_s=LONG_S)
    agree(second, state="completed")


def _waits_for_a_limit(run: Run) -> None:
    run.is_pending()
    # Until Slurm has looked at it, it just waits its turn.
    until("it waits for a limit", lambda: "limit" in run.one.text("why", run.id).lower(), timeout_s=LONG_S)
    assert run.now()["state"] == "queued"
