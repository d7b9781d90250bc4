"""The road of a workload: what is behind, where it is, what is ahead, and what never concerned it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from portal.domain.lifecycle import State
from portal.domain.road import Mark, RoadFacts, road

T = datetime(2026, 2, 9, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BEGUN = RoadFacts(State.SUBMITTED, needs_approval=False, owner="kim", submitted_at=T)
QUEUED = replace(BEGUN, state=State.QUEUED, queued_at=T + MINUTE)
RUNNING = replace(QUEUED, state=State.RUNNING, handed_over_at=T + 2 * MINUTE, started_at=T + 5 * MINUTE)
ENDED = replace(RUNNING, state=State.COMPLETED, saving_at=T + 9 * MINUTE, ended_at=T + 10 * MINUTE)
GATE = replace(BEGUN, state=State.AWAITING_APPROVAL, needs_approval=True)
TESTED = replace(GATE, test="passed", test_began_at=T + MINUTE, test_ended_at=T + 3 * MINUTE)


@pytest.mark.parametrize(
    ("facts", "marks"),
    [
        (BEGUN, "now skip skip ahead ahead ahead ahead ahead"),
        (GATE, "done now ahead ahead ahead ahead ahead ahead"),
        (TESTED, "done done now ahead ahead ahead ahead ahead"),
        (QUEUED, "done skip skip now ahead ahead ahead ahead"),
        (replace(QUEUED, handed_over_at=T), "done skip skip done now ahead ahead ahead"),
        (RUNNING, "done skip skip done done now ahead ahead"),
        (replace(ENDED, state=State.SAVING, ended_at=None), "done skip skip done done done now ahead"),
        (ENDED, "done skip skip done done done done done"),
        (replace(RUNNING, state=State.FAILED, ended_at=T + 6 * MINUTE), "done skip skip done done done skip end"),
        (replace(QUEUED, state=State.CANCELLED, ended_at=T + 2 * MINUTE), "done skip skip skip skip skip skip end"),
        (replace(TESTED, state=State.REJECTED, decided_at=T, ended_at=T), "done done done skip skip skip skip end"),
    ],
)
def test_where_it_is(facts: RoadFacts, marks: str) -> None:
    assert [stop.mark.value for stop in road(facts)] == marks.split()


def test_the_test_says_how_it_stands_before_there_is_one() -> None:
    assert {stop.key: stop for stop in road(GATE)}["test"].note == "pending"
    assert {stop.key: stop for stop in road(TESTED)}["test"].note == "passed"


def test_times_and_people() -> None:
    stops = {stop.key: stop for stop in road(replace(ENDED, needs_approval=True, decided_by="admin", decided_at=T))}
    assert stops["submitted"].who == "kim"
    assert stops["approval"].who == "admin"
    assert stops["queued"].seconds == 180
    assert stops["running"].seconds == 240
    assert stops["saving"].seconds == 60
    assert (stops["completed"].mark, stops["completed"].began_at) == (Mark.DONE, T + 10 * MINUTE)
    assert {stop.key: stop for stop in road(RUNNING)}["running"].seconds is None, "it still lasts"
