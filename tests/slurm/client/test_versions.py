"""One situation, several Slurms and REST versions: the same records of each, and no situation missing anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from slurm import states
from slurm.agent.rest import REST_VERSIONS, Rest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.tokens import Signer
from slurm.errors import ProtocolError, SlurmError
from slurm.records import AccountingRow, JobRecord
from slurm.submission import Submission
from tests.slurm.client.contract import component
from tests.slurm.client.replay import KEY, RECORDINGS, SLURMS, VERSIONS, calls, job_id, recording, rest_of, situations
from tests.slurm.client.test_rest import SITUATIONS

PLAIN = Submission("kim", "#!/bin/sh\n", "/tmp", "/dev/null", ("PATH=/usr/bin:/bin",), (component("one-x"),))

WAITING = {
    "pending-bad-constraints": "BadConstraints",
    "pending-begin-time": "BeginTime",
    "pending-dependency": "Dependency",
    "pending-dependency-never-satisfied": "DependencyNeverSatisfied",
    "pending-held-by-admin": "JobHeldAdmin",
    "pending-held-by-user": "JobHeldUser",
    "pending-node-not-available": "ReqNodeNotAvail",
    "pending-nodes-maintenance": "Reservation",
    "pending-nodes-reserved": "ReqNodeNotAvail",
    "pending-partition-down": "PartitionDown",
    "pending-partition-inactive": "PartitionInactive",
    "pending-partition-node-limit": "PartitionNodeLimit",
    "pending-partition-time-limit": "PartitionTimeLimit",
    "pending-priority": "Priority",
    "pending-reservation": "Reservation",
    "pending-resources": "Resources",
}
"""Those that wait for a limit are named as Slurm names it: `pending-QOSGrpGRES`."""

JOBS: dict[str, list[tuple[str, set[str]]]] = {
    "job-cancelled": [("CANCELLED", set())],
    "job-failed": [("FAILED", set())],
    "job-given-back": [("RUNNING", set()), ("CANCELLED", set())],
    "job-headless": [("PENDING", set()), ("CANCELLED", set())],
    "job-het-running": [("RUNNING", set()), ("RUNNING", set())],
    "job-node-fail": [("NODE_FAIL", set())],
    "job-requeue-hold": [("PENDING", set())],
    "job-requeued": [("PENDING", set())],
    "job-shards": [("RUNNING", set())],
    "job-signalled": [("FAILED", set())],
    "job-special-exit": [("PENDING", {"SPECIAL_EXIT"})],
    "job-suspended": [("SUSPENDED", set())],
    "job-timeout": [("TIMEOUT", set())],
}
ROWS = {
    "accounting-cancelled-plain": ("CANCELLED", 0, None, ""),
    "accounting-failed-plain": ("FAILED", 3, None, ""),
    "accounting-node-fail": ("NODE_FAIL", 1, None, "gpu3"),
    "accounting-requeued": ("PENDING", 0, None, ""),
    "accounting-signalled-plain": ("FAILED", None, 9, ""),
    "accounting-timeout": ("TIMEOUT", 0, None, ""),
}
NODES = {
    "nodes-down": ("DOWN", {"NOT_RESPONDING"}),
    "nodes-drained": ("IDLE", {"DRAIN"}),
    "nodes-draining": ("MIXED", {"DRAIN"}),
    "nodes-full": ("MIXED", set()),
    "nodes-maintenance": ("IDLE", {"MAINTENANCE", "RESERVED"}),
    "nodes-not-responding": ("DOWN", {"NOT_RESPONDING"}),
    "nodes-reserved": ("IDLE", {"RESERVED"}),
    "nodes-shards": ("MIXED", set()),
}
PARTITIONS = {"partitions-down": "DOWN", "partitions-inactive": "INACTIVE"}
REFUSED = {
    "submit-beyond-limit": 2050,
    "submit-no-association": 2045,
    "submit-partition-inactive": 2070,
    "submit-unknown-constraint": 2029,
    "submit-unknown-dependency": 2038,
    "submit-unknown-partition": 2000,
    "submit-unknown-qos": 2066,
}


def read(version: str, situation: str) -> Any:
    """What a recorded answer becomes: records, or the error with Slurm's number."""
    made, _ = calls(version, situation)
    asked = recording(version, situation)["request"]
    url = urlsplit(asked["url"])
    path, query = url.path.split("/", 3)[3], parse_qs(url.query)
    reads: dict[tuple[str, str], Callable[[], Any]] = {
        ("GET", "nodes/"): made.nodes,
        ("GET", "partitions/"): made.partitions,
        ("GET", "job/"): lambda: made.components(job_id(version, situation)),
        ("GET", "jobs/"): lambda: made.accounting(map(int, query["step"])) if "step" in query else made.jobs(),
        ("POST", "job/"): lambda: made.submit(PLAIN),
    }
    try:
        return reads[asked["method"], f"{path.partition('/')[0]}/"]()
    except SlurmError as error:
        return type(error), getattr(error, "code", None)


def named(prefix: str) -> dict[str, str]:
    """Waiting for a limit, by situation."""
    found = {name for version in VERSIONS for name in situations(version)} - WAITING.keys()
    return {name: name.removeprefix(prefix) for name in found if name.startswith(prefix)}


LIMITS = named("pending-")
TESTED = {*SITUATIONS, *WAITING, *LIMITS, *JOBS, *ROWS, *NODES, *PARTITIONS, *REFUSED}


def every(table: Any) -> pytest.MarkDecorator:
    """Each situation of a table in each version."""
    return pytest.mark.parametrize(
        ("version", "situation"), [(one, name) for one in VERSIONS for name in sorted(table)]
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_no_situation_is_missing_and_none_is_untested(version: str) -> None:
    assert situations(version) == TESTED


def test_the_newest_slurm_is_recorded_in_every_rest_version_of_ours() -> None:
    assert sorted(rest_of(one) for one in VERSIONS if one.startswith(max(SLURMS))) == sorted(REST_VERSIONS)


@every({**WAITING, **LIMITS})
def test_why_a_job_waits(version: str, situation: str) -> None:
    (job,) = read(version, situation)
    assert (job.state, job.reason) == ("PENDING", {**WAITING, **LIMITS}[situation])
    assert job.held == (job.reason in ("JobHeldUser", "JobHeldAdmin", "BadConstraints")), "Slurm set its priority to 0"


@every(JOBS)
def test_jobs(version: str, situation: str) -> None:
    assert [(job.state, set(job.flags)) for job in read(version, situation)] == JOBS[situation]


@every(ROWS)
def test_rows(version: str, situation: str) -> None:
    (row,) = read(version, situation)
    assert (row.state, row.exit_code, row.signal, row.failed_node) == ROWS[situation]


@every(NODES)
def test_nodes(version: str, situation: str) -> None:
    (node,) = read(version, situation)
    assert (node.state, set(node.flags)) == NODES[situation]


@every(PARTITIONS)
def test_partitions(version: str, situation: str) -> None:
    (partition,) = read(version, situation)
    assert partition.state == PARTITIONS[situation]


@every(REFUSED)
def test_refused_submits(version: str, situation: str) -> None:
    assert read(version, situation)[1] == REFUSED[situation]


def test_a_headless_component_is_found_in_every_version() -> None:
    for version in VERSIONS:
        leader, _ = read(version, "job-headless")
        assert states.headless(read(version, "job-headless")) == (leader,)


# --- the same everywhere -----------------------------------------------------------------------------------------------

OF_ITS_OWN = {
    *("job_id", "leader_id", "step_id", "name", "dependency", "priority"),
    *("submitted_at", "eligible_at", "started_at", "ended_at", "reason_at", "elapsed_s"),
    "max_rss_mib",
}
"""What differs between two runs of one situation: only whether it is there can be compared."""

BY_CHANCE = {"estimated_start"}
"""The backfill scheduler's guess, which a job has once it was looked at."""


def alike(value: Any) -> Any:
    """A record as plain values, those of its own run reduced to whether they are there."""
    if is_dataclass(value):
        found = {one.name: getattr(value, one.name) for one in fields(value) if one.name not in BY_CHANCE}
        return {
            name: (inner not in (None, "") if name in OF_ITS_OWN else alike(inner)) for name, inner in found.items()
        }
    return [alike(one) for one in value] if isinstance(value, tuple) else value


ALIKE = sorted(TESTED - SITUATIONS.keys())


@every(ALIKE)
def test_every_version_is_read_as_the_same_records(version: str, situation: str) -> None:
    first = f"{max(SLURMS)}/{REST_VERSIONS[0]}"
    found, expected = read(version, situation), read(first, situation)
    if isinstance(expected, tuple) and expected and isinstance(expected[0], JobRecord | AccountingRow):
        assert len(found) == len(expected)
    assert alike(found) == alike(expected)


# --- discovery ---------------------------------------------------------------------------------------------------------


def discovering(slurm: str, known: tuple[str, ...] = REST_VERSIONS) -> SlurmRest:
    """Calls to a slurmrestd that answers as this Slurm's did when each REST version was asked for."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        found = recording(slurm, f"discovery/{request.url.path.split('/')[2]}")
        body = found["body"]
        return httpx2.Response(found["status"], **({"text": body} if isinstance(body, str) else {"json": body}))

    rest = Rest(Signer(KEY), socket=RECORDINGS, timeout_s=5, transport=httpx2.MockTransport(answer), versions=known)
    return SlurmRest(rest, "one-operator")


@pytest.mark.parametrize("slurm", SLURMS)
def test_the_newest_version_that_both_speak_is_found(slurm: str) -> None:
    spoken = {rest_of(version) for version in VERSIONS if version.startswith(f"{slurm}/")}
    assert discovering(slurm).rest_version() == max(spoken)


@pytest.mark.parametrize("slurm", SLURMS)
def test_a_slurm_that_speaks_none_of_ours_is_named_with_the_cure(slurm: str) -> None:
    with pytest.raises(ProtocolError, match=r"none of v0\.0\.47, v0\.0\.39.*Slurm 24\.11 or later"):
        discovering(slurm, ("v0.0.47", "v0.0.39")).rest_version()
