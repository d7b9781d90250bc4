"""Levels as QOS, places as nice, moves that keep everybody else where they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.priority import Level, Place, PriorityScale, scheme_problems
from portal.settings import Settings

SCALE = PriorityScale.of(Settings())
SMALL = PriorityScale(SCALE.qos, nice_base=20, step=4)


def test_places() -> None:
    assert SCALE.place(Level.HIGH, 0) == Place("one-high", 400_000_000)
    assert SCALE.place(Level.LOW, -400_000_000) == Place("one-low", 0)
    assert SCALE.slurm_values("normal", 1000, "rl") == ("one-normal", 400_001_000)
    assert SCALE.slurm_values("normal", 0, "test") == ("one-test", 400_000_000)
    assert SCALE.level_of("one-low") is Level.LOW
    assert SCALE.level_of("other") is None
    with pytest.raises(ValueError, match="outside"):
        SCALE.place(Level.HIGH, 400_000_001)
    with pytest.raises(ValueError, match="urgent"):
        SCALE.slurm_values("urgent", 0, "rl")


def test_newcomers_go_to_the_end() -> None:
    assert SCALE.rank_at_end([]) == 0
    assert SCALE.rank_at_end([0, 5000, 100]) == 6000


def after_move(scale: PriorityScale, ranks: list[int], start: int, end: int) -> tuple[list[int], dict[int, int]]:
    """The order in which Slurm takes the workloads afterwards: by rank, equal ones by age (their old position)."""
    changes = scale.move(ranks, start, end)
    new = [changes.get(position, rank) for position, rank in enumerate(ranks)]
    return sorted(range(len(ranks)), key=lambda position: (new[position], position)), changes


@given(st.data())
def test_a_move_gives_exactly_the_wanted_order(data: st.DataObject) -> None:
    ranks = sorted(data.draw(st.lists(st.integers(-20, 20), min_size=1, max_size=8)))
    start = data.draw(st.integers(0, len(ranks) - 1))
    end = data.draw(st.integers(0, len(ranks) - 1))
    wanted = [position for position in range(len(ranks)) if position != start]
    wanted.insert(end, start)
    for scale in (SMALL, SCALE):
        order, changes = after_move(scale, ranks, start, end)
        assert order == wanted
        assert all(abs(rank) <= scale.nice_base for rank in changes.values())


def test_room_between_neighbours_changes_one_only() -> None:
    assert SCALE.move([0, 1000, 2000], 2, 1) == {2: 500}
    assert SCALE.move([0, 1000, 2000], 0, 2) == {0: 3000}
    assert SCALE.move([0, 1000, 2000], 2, 0) == {2: -1000}
    assert SCALE.move([0, 1000], 1, 1) == {}


def test_equal_ranks_give_way_on_the_shorter_side() -> None:
    assert SCALE.move([0, 0, 0, 0, 0], 4, 1) == {4: -1000, 0: -2000}
    assert SCALE.move([0, 0, 0, 0, 0], 0, 3) == {0: 1000, 4: 2000}


def test_positions_that_are_not_there() -> None:
    with pytest.raises(IndexError):
        SCALE.move([0], 0, 1)
    with pytest.raises(IndexError):
        SCALE.move([0], -1, 0)


LAB = {Level.HIGH: 1000, Level.NORMAL: 667, Level.LOW: 333}


def test_the_labs_figures_keep_the_order() -> None:
    assert scheme_problems(LAB, weight=3_000_000_000, highest_qos=1000, nice_base=400_000_000) == ()


@pytest.mark.parametrize(
    ("levels", "weight", "highest", "base", "words"),
    [
        (LAB, 1_000_000, 1000, 400_000_000, "below 1"),
        (
            {Level.HIGH: 1000, Level.NORMAL: 900, Level.LOW: 800},
            3_000_000_000,
            1000,
            400_000_000,
            "not more than twice",
        ),
        (LAB, 4_294_967_295, 1000, 0, ""),
        (LAB, 6_000_000_000, 1000, 400_000_000, "2^32"),
        (LAB, 3_000_000_000, 5000, 400_000_000, "below 1"),
        (LAB, 0, 1000, 400_000_000, "must be set"),
    ],
)
def test_figures_that_do_not(levels: dict[Level, int], weight: int, highest: int, base: int, words: str) -> None:
    problems = scheme_problems(levels, weight=weight, highest_qos=highest, nice_base=base)
    assert (words in "; ".join(problems)) if words else problems == ()
