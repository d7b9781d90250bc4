"""The keys that are known are exactly those of the recordings; one that nobody recorded is counted, named and passed over."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from slurm.agent.knownkeys import KNOWN
from slurm.agent.rest import Rest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.tokens import Signer
from slurm.errors import ProtocolError
from tests.slurm.client.replay import KEY, VERSIONS, recording, rest_of, situations

LISTS = {"nodes": "node", "partitions": "partition", "jobs": "job", "associations": "association", "users": "user"}
NEWEST = VERSIONS[-1]


def recorded() -> Mapping[str, Set[str]]:
    """Every key of every object in every recording."""
    found: dict[str, set[str]] = defaultdict(set)
    for version in VERSIONS:
        for situation in situations(version):
            answer = recording(version, situation)
            body = answer["body"] if isinstance(answer["body"], dict) else {}
            for path in LISTS.keys() & body.keys():
                accounting = path == "jobs" and "/slurmdb/" in answer["request"]["url"]
                for one in body[path]:
                    found["row" if accounting else LISTS[path]].update(one)
                    for step in one["steps"] if accounting else ():
                        found["step"].update(step)
    return found


def test_the_known_keys_are_those_of_the_recordings() -> None:
    found = recorded()
    as_text = {kind: textwrap.fill(" ".join(sorted(keys)), 110, break_on_hyphens=False) for kind, keys in found.items()}
    assert found == KNOWN, "slurm/agent/knownkeys.py should have:\n" + "\n\n".join(
        f"{kind}:\n{text}" for kind, text in as_text.items() if found[kind] != KNOWN.get(kind)
    )


def changed(situation: str, change: Any = lambda body: None) -> SlurmRest:
    """Calls that are answered by this situation after a change, as often as they ask."""
    body = recording(NEWEST, situation)["body"]
    change(body)
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=body))
    rest = Rest(Signer(KEY), socket=Path("/nowhere"), timeout_s=5, transport=transport, versions=(rest_of(NEWEST),))
    return SlurmRest(rest, "one-operator")


def row_id(situation: str) -> int:
    """The job of a row."""
    return int(recording(NEWEST, situation)["body"]["jobs"][0]["job_id"])


ROW = row_id("accounting-timeout")
READS: tuple[tuple[str, str, str, Any], ...] = (
    ("job", "jobs", "jobs", SlurmRest.jobs),
    ("job", "job-ended", "jobs", lambda calls: calls.components(1)),
    ("node", "nodes", "nodes", SlurmRest.nodes),
    ("partition", "partitions", "partitions", SlurmRest.partitions),
    ("row", "accounting-timeout", "jobs", lambda calls: calls.accounting([ROW])),
    ("row", "accounting-named", "jobs", lambda calls: calls.accounting_named(user="kim", account="lab", name="x")),
    ("association", "associations", "associations", lambda calls: calls.associations("kim")),
    ("user", "users-operator", "users", lambda calls: calls.admin_level("one-operator")),
)


@pytest.mark.parametrize(("kind", "situation", "path", "read"), READS)
def test_a_key_that_nobody_recorded_is_counted_named_once_and_passed_over(
    kind: str, situation: str, path: str, read: Any
) -> None:
    plain = changed(situation)
    expected = read(plain)
    assert plain.unknown_keys() == {}

    def invent(body: Any) -> None:
        for one in body[path]:
            one["shiny"] = {"set": True}

    calls = changed(situation, invent)
    with capture_logs() as logs:
        assert read(calls) == read(calls) == expected
    count = len(recording(NEWEST, situation)["body"][path])
    assert count > 0
    assert calls.unknown_keys() == {f"{kind}/shiny": 2 * count}
    assert [entry["key"] for entry in logs] == [f"{kind}/shiny"]


def test_a_key_of_the_last_object_alone_and_of_a_step_is_counted() -> None:
    """Not the first of an answer alone is looked at."""
    calls = changed("nodes", lambda body: body["nodes"][-1].update(shiny=1, bright=2))
    calls.nodes()
    assert calls.unknown_keys() == {"node/bright": 1, "node/shiny": 1}
    calls = changed("accounting-released", lambda body: body["jobs"][0]["steps"][-1].update(shiny=1))
    calls.accounting([row_id("accounting-released")])
    assert calls.unknown_keys() == {"step/shiny": 1}


def test_a_field_that_got_another_name_is_named_too() -> None:
    """The answer cannot be read then, and the log says what took the field's place."""
    calls = changed("jobs", lambda body: body["jobs"][0].update(jobs_state=body["jobs"][0].pop("job_state")))
    with pytest.raises(ProtocolError, match="job_state"):
        calls.jobs()
    assert calls.unknown_keys() == {"job/jobs_state": 1}


@pytest.mark.parametrize("misshapen", [None, 3, "x", ["x"], {}])
def test_what_is_no_object_is_the_parsers_business(misshapen: Any) -> None:
    calls = changed("jobs", lambda body: body["jobs"].append(misshapen))
    with pytest.raises(ProtocolError):
        calls.jobs()
    rows = changed("accounting-timeout", lambda body: body["jobs"].append(misshapen))
    with pytest.raises(ProtocolError):
        rows.accounting([ROW])
    assert calls.unknown_keys() == rows.unknown_keys() == {}
