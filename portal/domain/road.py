"""The road of a workload as stations: where it has been, where it is, what is ahead, and what never concerned it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from portal.domain.approval import TestStatus
from portal.domain.lifecycle import TERMINAL, State


class Mark(StrEnum):
    """How a station is drawn."""

    DONE = "done"
    NOW = "now"
    AHEAD = "ahead"
    SKIPPED = "skip"
    END = "end"
    """The last one, reached badly: failed, cancelled, rejected."""


@dataclass(frozen=True)
class RoadFacts:
    """What the road is drawn from; a moment that has not come is None. `test` is the status of the test that counts,
    "" before one."""

    state: State
    needs_approval: bool
    owner: str
    submitted_at: datetime
    test: str = ""
    test_began_at: datetime | None = None
    test_ended_at: datetime | None = None
    decided_at: datetime | None = None
    decided_by: str = ""
    queued_at: datetime | None = None
    handed_over_at: datetime | None = None
    started_at: datetime | None = None
    saving_at: datetime | None = None
    ended_at: datetime | None = None
    expected_start: datetime | None = None


@dataclass(frozen=True)
class Station:
    """One stop: its key, how it is drawn, when it began and ended, who did it, and a word of it ("passed")."""

    key: str
    mark: Mark
    began_at: datetime | None = None
    ended_at: datetime | None = None
    who: str = ""
    note: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it lasts."""
        return (
            None if self.began_at is None or self.ended_at is None else (self.ended_at - self.began_at).total_seconds()
        )


@dataclass(frozen=True)
class _Leg:
    """A station before it is known how to draw it; `applies` is False where the workload never passes it."""

    key: str
    began_at: datetime | None
    ended_at: datetime | None
    who: str = ""
    note: str = ""
    applies: bool = True


def road(facts: RoadFacts) -> tuple[Station, ...]:
    """The eight stations. Of what has ended badly, the last one is how, and what was not reached is skipped."""
    here = _here(facts)
    ended = facts.state in TERMINAL
    return (*(_station(leg, here, ended=ended) for leg in _legs(facts)), _last(facts))


def _legs(facts: RoadFacts) -> Iterator[_Leg]:
    gate = facts.needs_approval
    checked = facts.test_began_at or facts.decided_at or facts.queued_at
    yield _Leg("submitted", facts.submitted_at, checked, facts.owner)
    tested = facts.test or TestStatus.PENDING.value
    yield _Leg("test", facts.test_began_at, facts.test_ended_at, "", tested, applies=gate)
    yield _Leg("approval", facts.test_ended_at, facts.decided_at, facts.decided_by, applies=gate)
    yield _Leg("images", facts.queued_at, facts.handed_over_at)
    yield _Leg("queued", facts.handed_over_at, facts.started_at)
    yield _Leg("running", facts.started_at, facts.saving_at or (facts.ended_at if facts.started_at else None))
    yield _Leg("saving", facts.saving_at, facts.ended_at if facts.saving_at else None)


def _here(facts: RoadFacts) -> str:
    """The station where a live workload is."""
    if facts.state is State.AWAITING_APPROVAL:
        return "approval" if facts.test == "passed" else "test"
    if facts.state is State.QUEUED:
        return "queued" if facts.handed_over_at else "images"
    return facts.state.value


def _station(leg: _Leg, here: str, *, ended: bool) -> Station:
    if not leg.applies:
        return Station(leg.key, Mark.SKIPPED)
    if leg.key == here:
        return Station(leg.key, Mark.NOW, leg.began_at, None, leg.who, leg.note)
    if leg.ended_at is not None or (leg.key == "submitted"):
        return Station(leg.key, Mark.DONE, leg.began_at or leg.ended_at, leg.ended_at, leg.who, leg.note)
    return Station(leg.key, Mark.SKIPPED if ended else Mark.AHEAD, note=leg.note)


def _last(facts: RoadFacts) -> Station:
    if facts.state not in TERMINAL:
        return Station("completed", Mark.AHEAD)
    mark = Mark.DONE if facts.state is State.COMPLETED else Mark.END
    return Station(facts.state.value, mark, facts.ended_at, facts.ended_at)
