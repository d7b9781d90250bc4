"""`one doctor --reconcile` on the real lab: what a test breaks on purpose is found, named and cured by the printed words."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from lab.commandline import One
from lab.hosts import as_user, on, until
from tests.lab.faults.breaking import stopped
from tests.lab.faults.stories import DOCTOR_TIMEOUT_S, Story, agree_in_the_end
from tests.lab.minio import DAEMON, store_as
from tests.lab.road_harness import SOON_S

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
FOUND = 1


def found(admin: One) -> list[dict[str, Any]]:
    """What the doctor finds; its exit code says the same."""

    ran = admin.run("doctor", "--reconcile", "-o", "json", timeout_s=DOCTOR_TIMEOUT_S)
    findings: list[dict[str, Any]] = json.loads(ran.stdout)["findings"]
    assert ran.code == (FOUND if findings else 0), ran
    return findings


def test_a_headless_hetjob_component(admin: One, story: Story) -> None:
    """What is left of a hetjob is found, and gone after the printed cure."""
    agree_in_the_end(admin, story)
    words = "--parsable --hold --account=lab --partition=a100 --mem=100 --time=5 --output=/dev/null --job-name=headless"
    script = f"printf '#!/bin/sh\\nsleep 60\\n' | sbatch {words} : --account=lab --partition=v100 --mem=100 --time=5"
    leader = int(as_user("ctl", "kim", "bash", "-c", script).strip())
    try:
        token = on("ctl", "scontrol", "token", "username=kim", "lifespan=300").strip().partition("=")[2]
        heads = ("-H", "X-SLURM-USER-NAME: kim", "-H", f"X-SLURM-USER-TOKEN: {token}")
        path = f"http://slurm/slurm/v0.0.42/job/{leader + 1}"
        socket = "/run/slurmrestd/slurmrestd.sock"
        on("svc", "curl", "--silent", "--show-error", "--unix-socket", socket, *heads, "-X", "DELETE", path)
        story.note(f"job {leader + 1}, the second component of hetjob {leader}, is cancelled alone")
        (finding,) = [one for one in found(admin) if one["code"] == "headless"]
        story.note(
            f"one doctor --reconcile: {finding['code']} {finding['id']}: {finding['message']}; {finding['cure']}"
        )
        assert (finding["kind"], finding["id"]) == ("job", f"{leader}+0")
        assert finding["cure"].startswith(f"scancel {leader} ")
    finally:
        on("ctl", "scancel", str(leader))
    until("it is gone", lambda: not on("ctl", "squeue", "--noheader", "--name=headless"), timeout_s=SOON_S)
    agree_in_the_end(admin, story)


def test_an_object_that_belongs_to_no_model(admin: One, story: Story) -> None:
    """An object that somebody put beside the models is found."""
    store, key = store_as(DAEMON), "APP-NOBODY/v1/files/x"
    anyio.run(store.put_bytes, "models", key, b"x")
    try:
        assert [(one["code"], one["id"]) for one in found(admin)] == [("object_without_row", key)]
        story.note(f"one doctor --reconcile: object_without_row {key}")
    finally:
        anyio.run(store.remove, "models", key)
    agree_in_the_end(admin, story)


def test_a_part_that_is_away_is_named(admin: One, story: Story) -> None:
    """MinIO is stopped (and the registry, before any image was used): the doctor names what it could not ask and compare."""
    with stopped("svc", "docker-registry", "minio"):
        story.note("docker-registry and minio are stopped")
        named = {(one["code"], one["id"]) for one in found(admin)}
        story.note("one doctor --reconcile: " + ", ".join(" ".join(one) for one in sorted(named)))
        assert ("part_failed", "s3") in named
        assert ("not_compared", "s3") in named
    agree_in_the_end(admin, story)
