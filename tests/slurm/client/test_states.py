"""States are split without guessing, and jobs that can never start are told from those that wait."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slurm import states
from slurm.fake.cluster import lab_cluster
from slurm.fake.records import job_record
from slurm.records import JobRecord
from tests.slurm.client.contract import pair, submission
from tests.slurm.client.test_fake import FakeStage


def two(leader: str, other: str) -> list[JobRecord]:
    cluster = lab_cluster()
    sent = submission(FakeStage(), "", *pair("one-x"))
    made = cluster.add(sent, sent.components, owner="kim")
    records = [job_record(cluster, job) for job in made]
    return [replace(record, state=state) for record, state in zip(records, (leader, other), strict=True)]


def test_base_state_and_modifiers() -> None:
    assert states.node_state(["mixed", "DRAIN"]) == ("MIXED", frozenset({"DRAIN"}))
    assert states.job_state(["PENDING", "SPECIAL_EXIT"]) == ("PENDING", frozenset({"SPECIAL_EXIT"}))


@pytest.mark.parametrize("words", [[], ["DRAIN"], ["IDLE", "DOWN"], ["ASLEEP"], ["IDLE", "ASLEEP"]])
def test_what_a_newer_slurm_may_say_of_a_node_is_unknown(words: list[str]) -> None:
    """Not even with a base state that we know: what the new word means for it is not ours to guess."""
    state, flags = states.node_state(words)
    assert (state, flags) == ("UNKNOWN", frozenset(words))
    assert not states.takes_work(state, flags)


@pytest.mark.parametrize("words", [[], ["COMPLETING"], ["RUNNING", "FAILED"], ["ASLEEP"], ["COMPLETED", "ASLEEP"]])
def test_what_a_newer_slurm_may_say_of_a_job_is_unknown(words: list[str]) -> None:
    """It is not over, and it may still run."""
    state, flags = states.job_state(words)
    assert (state, flags) == ("UNKNOWN", frozenset(words))
    assert not states.has_ended(state)
    assert states.is_live(state)
    assert state not in states.LIVE


def test_live_and_ended_cover_every_state_once() -> None:
    assert not states.LIVE & states.ENDED
    assert states.is_live("PENDING")
    assert states.has_ended("NODE_FAIL")
    with pytest.raises(ValueError, match="BRAND_NEW"):
        states.is_live("BRAND_NEW")


@pytest.mark.parametrize(
    ("state", "flags", "takes"),
    [("IDLE", (), True), ("MIXED", ("PLANNED",), True), ("IDLE", ("DRAIN",), False), ("DOWN", (), False)],
)
def test_nodes_that_take_work(state: str, flags: tuple[str, ...], takes: bool) -> None:
    assert states.takes_work(state, flags) is takes


@pytest.mark.parametrize(
    ("leader", "other", "stuck"),
    [
        ("PENDING", "PENDING", []),
        ("RUNNING", "CANCELLED", []),
        ("COMPLETED", "COMPLETED", []),
        ("CANCELLED", "PENDING", [1]),
        ("CANCELLED", "RUNNING", [1]),
        ("PENDING", "CANCELLED", [0]),
        ("UNKNOWN", "PENDING", []),
        ("PENDING", "UNKNOWN", []),
        ("CANCELLED", "UNKNOWN", []),
    ],
)
def test_headless(leader: str, other: str, stuck: list[int]) -> None:
    assert [job.het_offset for job in states.headless(two(leader, other))] == stuck


def test_a_component_whose_leader_is_not_even_listed_is_headless() -> None:
    assert [job.het_offset for job in states.headless(two("PENDING", "PENDING")[1:])] == [1]
