"""slurmrestd's answers, recorded on each Slurm in every REST version, read as the same records, and what no Slurm says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import jwt
import pytest

from slurm.agent import restparse
from slurm.agent.rest import REST_VERSIONS, Rest
from slurm.agent.restbody import submit_body
from slurm.agent.restcalls import SlurmRest
from slurm.agent.tokens import Signer
from slurm.errors import ProtocolError, SlurmError, SlurmRefused, SlurmUnreachable
from slurm.submission import Submission
from tests.slurm.client.contract import component, pair
from tests.slurm.client.replay import KEY, RECORDINGS, VERSIONS, calls, job_id, recording, rest_of

NOWHERE = RECORDINGS / "no-such-socket"
SENT = Submission("kim", "#!/bin/sh\n", "/shared", "/shared/x.log", ("PATH=/usr/bin:/bin",), pair("one-x"))


def reads(check: Callable[[SlurmRest, str], bool]) -> Callable[[str, str], None]:
    """A situation in which the call succeeds and `check` holds."""

    def run(version: str, situation: str) -> None:
        made, replay = calls(version, situation)
        assert check(made, version)
        assert not replay.left

    return run


def does(call: Callable[[SlurmRest, str], object]) -> Callable[[str, str], None]:
    """A situation in which the call succeeds and answers nothing."""
    return reads(lambda made, version: call(made, version) is None)


def refuses(
    call: Callable[[SlurmRest, str], Any], kind: type[SlurmError], code: int | None
) -> Callable[[str, str], None]:
    """A situation in which the call raises."""

    def run(version: str, situation: str) -> None:
        with pytest.raises(kind) as raised:
            call(calls(version, situation)[0], version)
        assert type(raised.value) is kind
        assert getattr(raised.value, "code", None) == code

    return run


def het(made: SlurmRest, version: str, situation: str) -> list[tuple[Any, ...]]:
    found = made.components(job_id(version, situation))
    return [(job.state, job.het_offset, job.gres, job.held, job.nodes) for job in found]


def rows(found: Any) -> list[tuple[Any, ...]]:
    return [(row.state, row.het_offset, row.nodes, row.exit_code) for row in found]


HELD = [("PENDING", 0, {"gpu:A100": 1}, True, ()), ("PENDING", 1, {"shard": 2}, True, ())]
DONE = [("COMPLETED", 0, {"gpu:A100": 1}, False), ("CANCELLED", 1, {"shard": 2}, False)]
RELEASED = [("COMPLETED", 0), ("CANCELLED", 1)]
SITUATIONS: dict[str, Callable[[str, str], None]] = {
    "ping": lambda version, _: _ping(version),
    "nodes": reads(
        lambda made, _: (
            [node.gres for node in made.nodes()] == [{"gpu:A100": 8}] * 2 + [{"gpu:tesla_v100": 8, "shard": 32}]
        )
    ),
    "partitions": reads(
        lambda made, _: (
            [(part.name, part.nodes, part.max_time_min) for part in made.partitions()]
            == [("a100", ("gpu1", "gpu2"), 10080), ("v100", ("gpu3",), 10080)]
        )
    ),
    "associations": reads(lambda made, _: [one.account for one in made.associations("kim")] == ["lab"]),
    "associations-none": reads(lambda made, _: made.associations("nobody-here") == ()),
    "users-operator": reads(lambda made, _: made.admin_level("one-operator") == "Operator"),
    "job-held": reads(lambda made, version: het(made, version, "job-held") == HELD),
    "job-ended": reads(lambda made, version: [row[:4] for row in het(made, version, "job-ended")] == DONE),
    "job-running": reads(
        lambda made, version: [row[:2] for row in het(made, version, "job-running")] == [("RUNNING", None)]
    ),
    "job-unknown": reads(lambda made, _: made.components(4_000_000) == ()),
    "jobs": reads(
        lambda made, _: (
            [(job.qos, job.nice) for job in made.jobs()] == [("one-high", 399_999_000), ("one-normal", 400_000_000)]
        )
    ),
    "submit": reads(lambda made, version: made.submit(SENT) == recording(version, "submit")["body"]["job_id"]),
    "update": does(lambda made, version: made.update(job_id(version, "update"), {"nice": 1})),
    "signal": does(lambda made, version: made.signal_runner("kim", job_id(version, "signal"))),
    "cancel": does(lambda made, version: made.cancel("kim", job_id(version, "cancel"))),
    "cancel-ended": does(lambda made, version: made.cancel("kim", job_id(version, "cancel-ended"))),
    "accounting-released": reads(lambda made, version: _released(made, version)),
    "accounting-named": reads(lambda made, version: _named(made, version)),
    "accounting-cancelled": reads(lambda made, version: _cancelled(made, version)),
    "accounting-none": reads(lambda made, _: made.accounting([4_000_000]) == ()),
    "submit-qos-refused": refuses(lambda made, _: made.submit(SENT), SlurmRefused, 2066),
    "submit-too-large": refuses(lambda made, _: made.submit(SENT), SlurmRefused, 2014),
    "update-qos-running": refuses(
        lambda made, version: made.update(job_id(version, "update-qos-running"), {"qos": "one-low"}), SlurmRefused, 2073
    ),
    "bad-token": refuses(lambda made, _: made.nodes(), SlurmUnreachable, None),
    "controller-down": refuses(lambda made, _: made.jobs(), SlurmUnreachable, None),
    "database-down": refuses(lambda made, _: made.accounting([1]), SlurmUnreachable, None),
}


def _ping(version: str) -> None:
    made, _ = calls(version)
    assert made.ping().startswith(f"{version.partition('/')[0]}.")
    assert made.rest_version() == rest_of(version)


def test_slurmrestd_alone_is_no_controller() -> None:
    answer = recording(VERSIONS[-1], "ping")["body"]
    assert restparse.a_controller_responds(answer)
    down = {**answer, "pings": [{**one, "responding": False} for one in answer["pings"]]}
    assert not restparse.a_controller_responds(down)
    assert not restparse.a_controller_responds({**answer, "pings": []})


def _released(made: SlurmRest, version: str) -> bool:
    leader = job_id(version, "job-ended")
    first, second = made.accounting([leader, leader + 1])
    assert (first.alloc_tres["gres/gpu:a100"], second.alloc_tres["gres/shard"]) == (1, 2)
    assert [(step.name, step.state, step.exit_code) for step in first.steps] == [
        ("batch", "COMPLETED", 0),
        ("true", "COMPLETED", 0),
    ]
    return [(row.state, row.het_offset) for row in (first, second)] == RELEASED


def _named(made: SlurmRest, version: str) -> bool:
    name = recording(version, "accounting-named")["body"]["jobs"][0]["name"]
    found = made.accounting_named(user="kim", account="lab", name=name)
    return [(row.state, row.het_offset) for row in found] == RELEASED


def _cancelled(made: SlurmRest, version: str) -> bool:
    (row,) = made.accounting([job_id(version, "cancel")])
    (batch,) = row.steps
    assert (batch.name, batch.state) == ("batch", "CANCELLED")
    assert batch.signal in (10, 15), "the runner's signal, or the end's: the recorder sent both"
    return (row.state, row.het_offset, row.user) == ("CANCELLED", None, "kim")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_recorded(version: str, situation: str) -> None:
    SITUATIONS[situation](version, situation)


def test_submit_body_is_exactly_this() -> None:
    assert submit_body(SENT) == json.loads((RECORDINGS.parent / "golden" / "submit-body.json").read_text())


def test_one_component_is_a_plain_job() -> None:
    body = submit_body(Submission("kim", "#!/bin/sh\n", "/", "/o", ("A=b",), (component("one-x", gres=""),)))
    assert body["job"]["name"] == "one-x"
    assert "jobs" not in body
    assert not {"tres_per_node", "constraints", "dependency"} & body["job"].keys()


def test_each_call_carries_a_short_lived_token_of_its_user() -> None:
    made, replay = calls("26.05/v0.0.42", "cancel", "nodes")
    made.cancel("kim", job_id("26.05/v0.0.42", "cancel"))
    made.nodes()
    for request, user in zip(replay.asked, ("kim", "one-operator"), strict=True):
        claims = jwt.decode(request.headers["X-SLURM-USER-TOKEN"], KEY, algorithms=["HS256"])
        assert request.headers["X-SLURM-USER-NAME"] == claims["sun"] == user
        assert claims["exp"] - claims["iat"] == 60


def answering(*answers: httpx2.Response | Exception) -> SlurmRest:
    """Calls answered by these in turn, the version asked for first."""
    left = list(answers)

    def answer(request: httpx2.Request) -> httpx2.Response:
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    transport = httpx2.MockTransport(answer)
    return SlurmRest(Rest(Signer(KEY), socket=NOWHERE, timeout_s=5, transport=transport), "one-operator")


PONG = httpx2.Response(200, json={"pings": [], "errors": []})


def test_the_newest_common_version_is_chosen() -> None:
    missing = httpx2.Response(404, text="not found")
    assert answering(missing, missing, PONG).rest_version() == "v0.0.43"
    with pytest.raises(ProtocolError, match=r"none of v0\.0\.45"):
        answering(*[missing] * len(REST_VERSIONS)).rest_version()


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"errors": {}}),
        httpx2.Response(200, json={"errors": [], "nodes": {}}),
        httpx2.Response(200, json={"errors": [], "nodes": [{"name": "gpu1"}]}),
        httpx2.Response(200, json={"errors": []}),
    ],
    ids=["not JSON", "not an object", "errors of no list", "nodes of no list", "fields missing", "no nodes"],
)
def test_an_unknown_shape_is_a_protocol_error(answer: httpx2.Response) -> None:
    with pytest.raises(ProtocolError):
        answering(PONG, answer).nodes()


def descendants(kind: type[Exception]) -> set[type[Exception]]:
    """The class and all below it."""
    return {kind}.union(*(descendants(below) for below in kind.__subclasses__()))


@pytest.mark.parametrize("kind", sorted(descendants(httpx2.RequestError), key=str), ids=lambda kind: kind.__name__)
def test_every_failure_of_the_transport_is_unreachable(kind: type[Exception]) -> None:
    with pytest.raises(SlurmUnreachable) as raised:
        answering(PONG, kind("gone")).nodes()
    assert isinstance(raised.value.__cause__, kind)


def test_a_submit_without_id_and_without_error_is_refused() -> None:
    """129 components: no job id, error 0 "No error" (measured)."""
    with pytest.raises(SlurmRefused):
        answering(PONG, httpx2.Response(200, json={"errors": []})).submit(SENT)


def test_a_server_error_without_reason_is_unreachable() -> None:
    with pytest.raises(SlurmUnreachable):
        answering(PONG, httpx2.Response(500, json={"errors": []})).nodes()
