"""The state table as the design draws it."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest

from portal.domain.lifecycle import (
    LABELS,
    LIVE,
    PHASE_LABELS,
    PHASES,
    TABLE,
    TERMINAL,
    IllegalTransition,
    Phase,
    State,
    check_transition,
    label,
)

DRAWN = {
    ("submitted", "awaiting_approval"),
    ("submitted", "queued"),
    ("submitted", "failed"),
    ("submitted", "cancelled"),
    ("awaiting_approval", "submitted"),
    ("awaiting_approval", "queued"),
    ("awaiting_approval", "rejected"),
    ("awaiting_approval", "cancelled"),
    ("queued", "running"),
    ("queued", "failed"),
    ("queued", "cancelled"),
    ("running", "queued"),
    ("running", "saving"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("saving", "completed"),
    ("saving", "failed"),
    ("saving", "cancelled"),
}


def reachable_from(state: State) -> set[State]:
    return {change.after for change in TABLE if change.before is state}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_exactly_the_drawn_changes_are_allowed(before: State, after: State) -> None:
    if (before, after) in DRAWN:
        assert check_transition(before, after)
    else:
        with pytest.raises(IllegalTransition, match=f"from {before} to {after}") as caught:
            check_transition(before, after)
        assert (caught.value.before, caught.value.after) == (before, after)


def test_live_and_terminal_are_all_and_apart() -> None:
    assert set(State) == LIVE | TERMINAL
    assert not LIVE & TERMINAL
    assert {state for state in State if not reachable_from(state)} == TERMINAL


def test_every_live_state_can_be_cancelled_and_reaches_an_end() -> None:
    graph = nx.DiGraph((change.before, change.after) for change in TABLE)
    for state in LIVE:
        assert State.CANCELLED in reachable_from(state)
        assert State.COMPLETED in nx.descendants(graph, state)


def test_phases_and_labels_are_complete() -> None:
    assert set(PHASES) == set(LABELS) == set(State)
    assert set(PHASE_LABELS) == set(Phase)
    assert {phase for phases in PHASES.values() for phase in phases} == set(Phase)
    assert all(PHASES[state] == {Phase.NONE} for state in TERMINAL)


def test_what_people_read() -> None:
    assert label(State.QUEUED, Phase.PREPARING) == ("대기 · 이미지 준비 중", "Queued · Preparing images")
    assert label(State.SAVING) == ("실행 중 · 결과 저장 중", "Running · Saving results")
    assert label(State.FAILED) == ("실패", "Failed")
