"""The drawing of a run's graph: nothing overlaps, everything is inside, arrows lead from part to part."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from portal.domain.rungraph import Box, GraphTask, layout, path_of

NAMES = ["A", "B", "C", "D", "E", "F", "G"]


@st.composite
def tasks(draw: st.DrawFn) -> GraphTask:
    nodes = NAMES[: draw(st.integers(1, 7))]
    pairs = [pair for pair in combinations(nodes, 2) if draw(st.booleans())]
    return GraphTask("T", tuple(nodes), tuple((first, second, "finished") for first, second in pairs))


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@given(tasks(), st.integers(1, 5))
def test_parts_are_apart_and_inside_their_lane(task: GraphTask, per_row: int) -> None:
    laid = layout([task], per_row=per_row)
    boxes = list(laid.nodes.values())
    assert len(boxes) == len(task.nodes)
    assert not any(overlap(one, other) for one, other in combinations(boxes, 2))
    lane = laid.lanes["T"]
    assert all(lane.x < box.x and box.x + box.width < lane.x + lane.width for box in boxes)
    assert all(lane.y < box.y and box.y + box.height < lane.y + lane.height for box in boxes)
    assert (laid.width, laid.height) == (lane.width, lane.height)
    assert len(laid.edges) == len(task.edges)


def test_rows_wrap_like_text_and_tasks_stand_below_each_other() -> None:
    chain = GraphTask(
        "T1", ("A", "B", "C", "D"), (("A", "B", "finished"), ("B", "C", "started"), ("C", "D", "finished"))
    )
    laid = layout([chain, GraphTask("T2", ("X",))], [("T1", "T2")], per_row=3)
    a, c, d, x = (laid.nodes[name] for name in ("T1/A", "T1/C", "T1/D", "T2/X"))
    assert (a.y, a.x) == (c.y, d.x)
    assert a.y < d.y < x.y
    assert [edge.when for edge in laid.edges] == ["finished", "started", "finished", "finished"]
    assert (laid.edges[-1].first, laid.edges[-1].second) == ("T1", "T2")


def test_a_cycle_of_a_draft_ends() -> None:
    laid = layout([GraphTask("T", ("A", "B"), (("A", "B", "finished"), ("B", "A", "finished")))])
    assert set(laid.nodes) == {"T/A", "T/B"}
    assert layout([]).height == 0


def test_a_path_has_round_corners() -> None:
    assert path_of([(0, 0), (40, 0), (40, 40)]) == "M0 0L30 0Q40 0 40 10L40 40"
    assert path_of([(0, 0), (40, 0)]) == "M0 0L40 0"
