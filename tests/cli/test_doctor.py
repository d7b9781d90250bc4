"""`one doctor`: what the daemon found, in words and as a document, with an exit code that a script can use."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from portal.cli import asked
from portal.daemon import doctor, repairing
from tests.cli.conftest import Road

NOT_PERMITTED, UNAVAILABLE = 4, 8


@pytest.fixture
def daemon(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that looks whenever the command waits."""
    monkeypatch.setattr(doctor, "BETWEEN_LOOKS", 0)
    monkeypatch.setattr(time, "sleep", lambda _: road.do(doctor.serve, road.world.context))


@pytest.mark.usefixtures("daemon")
def test_everything_works(road: Road) -> None:
    said = road.one("admin", "doctor")
    assert "database    ok" in said
    assert said.endswith("Everything works.\n")
    assert road.one("admin", "doctor", "--reconcile").endswith("portal, Slurm and storage agree.\n")
    document = road.json("admin", "doctor", "--contents", "--days", "1")
    assert (document["reconcile"], document["contents"], document["days"]) == (True, True, 1)
    assert document["findings"] == []


@pytest.mark.usefixtures("daemon")
def test_a_finding_has_both_sides_and_a_cure(road: Road, small: dict[str, Any]) -> None:
    workload = road.do(road.world.submit, small)
    for _ in range(3):
        road.do(road.world.round)
    road.world.cluster.jobs.clear()
    said = road.one("admin", "doctor", "--reconcile", code=1)
    assert f"! lost_job: job 1 ({workload}): the portal believes it alive; neither Slurm nor accounting has it" in said
    assert "    accounting: no such job\n    Cure: See whether slurmdbd lags behind" in said
    assert said.endswith("1 findings\n")
    (finding,) = road.json("admin", "doctor", "--reconcile", code=1)["findings"]
    assert (finding["code"], finding["kind"], finding["workload"]) == ("lost_job", "job", workload)


@pytest.mark.usefixtures("daemon")
def test_a_finding_is_mended_by_the_command_that_it_prints(
    road: Road, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    road.do(road.world.submit, small)
    for _ in range(3):
        road.do(road.world.round)
    road.world.cluster.jobs.clear()
    said = road.one("admin", "doctor", "--reconcile", code=1)
    (command,) = re.findall(r"Mend: one (repair lost_job \S+ --side slurm)  # The job counts as ended", said)
    monkeypatch.setattr(time, "sleep", lambda _: road.do(repairing.mend, road.world.context))
    road.one("kim", *command.split(), code=NOT_PERMITTED)
    assert road.one("admin", *command.split()) == f"lost_job {command.split()[2]}: mended\n"
    (kept,) = road.do(road.site.get, "admin", "/repairs")["items"]
    assert (kept["state"], kept["askedBy"], kept["side"]) == ("done", "admin", "slurm")
    road.one("admin", "repair", "lost_job", "no-such", "--side", "slurm", code=5)


def test_only_admins_ask(road: Road) -> None:
    road.one("kim", "doctor", code=NOT_PERMITTED)


def test_a_daemon_that_is_away(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "TAKEN_UP_S", 0.0)
    road.one("admin", "doctor", code=UNAVAILABLE)
