"""Where the parts of a run graph are drawn: Tasks as lanes, components from left to right, wrapped like text.

laid = layout([GraphTask("TASK-001", ("A", "B"), (("A", "B", "finished"),))], per_row=3)
laid.nodes["TASK-001/A"].x, laid.edges[0].path, laid.width, laid.height          # pixels
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

NODE_WIDTH, NODE_HEIGHT = 184, 100
GAP_X, GAP_Y, GUTTER = 48, 20, 44
LANE_HEAD, LANE_PAD, LANE_GAP = 28, 12, 28
_CORNER = 10
Edge = tuple[str, str, str]
"""From, to (node ids), and when: "finished" or "started"."""


@dataclass(frozen=True)
class GraphTask:
    """One Task: its id, its components in order, and its edges."""

    task_id: str
    nodes: tuple[str, ...]
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True)
class Box:
    """A rectangle."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class DrawnEdge:
    """An arrow as an SVG path; `first` and `second` are step ids (of a lane's arrow: Task ids)."""

    first: str
    second: str
    path: str
    when: str = "finished"


@dataclass(frozen=True)
class Layout:
    """Everything placed: lanes by Task id, nodes by step id."""

    lanes: Mapping[str, Box]
    nodes: Mapping[str, Box]
    edges: tuple[DrawnEdge, ...]
    width: int
    height: int


def layout(tasks: Sequence[GraphTask], order: Sequence[tuple[str, str]] = (), *, per_row: int = 3) -> Layout:
    """Place Tasks below each other; `order` are (before, after) pairs of Tasks, `per_row` how many columns a row has."""
    lanes: dict[str, Box] = {}
    nodes: dict[str, Box] = {}
    edges: list[DrawnEdge] = []
    y = 0
    for task in tasks:
        placed = _place(task, y + LANE_HEAD, per_row)
        nodes |= {f"{task.task_id}/{node}": box for node, box in placed.items()}
        bottom = max((box.y + box.height for box in placed.values()), default=y + LANE_HEAD) + LANE_PAD
        right = max((box.x + box.width for box in placed.values()), default=NODE_WIDTH) + LANE_PAD + GUTTER // 2
        lanes[task.task_id] = Box(0, y, right, bottom - y)
        edges += [_edge(task.task_id, edge, placed) for edge in task.edges if edge[0] in placed and edge[1] in placed]
        y = bottom + LANE_GAP
    width = max((lane.width for lane in lanes.values()), default=0)
    lanes = {task: Box(lane.x, lane.y, width, lane.height) for task, lane in lanes.items()}
    edges += [_between(lanes, pair) for pair in order if pair[0] in lanes and pair[1] in lanes]
    return Layout(lanes, nodes, tuple(edges), width, max(0, y - LANE_GAP))


def _place(task: GraphTask, top: int, per_row: int) -> dict[str, Box]:
    columns = _columns(task)
    placed: dict[str, Box] = {}
    y = top
    for begin in range(0, len(columns), per_row):
        row = columns[begin : begin + per_row]
        for number, column in enumerate(row):
            x = LANE_PAD + GUTTER // 2 + number * (NODE_WIDTH + GAP_X)
            for index, node in enumerate(column):
                placed[node] = Box(x, y + index * (NODE_HEIGHT + GAP_Y), NODE_WIDTH, NODE_HEIGHT)
        y += max(len(column) for column in row) * (NODE_HEIGHT + GAP_Y) - GAP_Y + GUTTER
    return placed


def _columns(task: GraphTask) -> list[list[str]]:
    """Components by how many stand before them; a cycle (a draft may have one) leaves its parts where they are first met."""
    depth = dict.fromkeys(task.nodes, 0)
    for _ in task.nodes:
        moved = False
        for first, second, _when in task.edges:
            if first in depth and second in depth and depth[second] <= depth[first] < len(task.nodes):
                depth[second], moved = depth[first] + 1, True
        if not moved:
            break
    found: dict[int, list[str]] = {}
    for node in task.nodes:
        found.setdefault(depth[node], []).append(node)
    return [found[key] for key in sorted(found)]


def _edge(task_id: str, edge: Edge, placed: Mapping[str, Box]) -> DrawnEdge:
    first, second, when = edge
    begin, end = placed[first], placed[second]
    x1, y1 = begin.x + begin.width, begin.y + begin.height // 2
    x2, y2 = end.x - 2, end.y + end.height // 2
    if x2 > x1:
        middle = x2 - GAP_X // 2
        points = [(x1, y1), (middle, y1), (middle, y2), (x2, y2)]
    else:  # the line leads back between the rows
        under = max(begin.y + begin.height, end.y - GUTTER) + GUTTER // 2
        points = [(x1, y1), (x1 + 14, y1), (x1 + 14, under), (x2 - 14, under), (x2 - 14, y2), (x2, y2)]
    return DrawnEdge(f"{task_id}/{first}", f"{task_id}/{second}", path_of(points), when)


def _between(lanes: Mapping[str, Box], pair: tuple[str, str]) -> DrawnEdge:
    """From the foot of a lane to the head of another."""
    first, second = lanes[pair[0]], lanes[pair[1]]
    x = first.x + GUTTER // 2 + LANE_PAD + NODE_WIDTH // 2
    return DrawnEdge(pair[0], pair[1], path_of([(x, first.y + first.height), (x, second.y - 2)]))


def path_of(points: Sequence[tuple[int, int]]) -> str:
    """An orthogonal line with round corners as an SVG path."""
    straight = [points[0], *(here for before, here in pairwise(points) if here != before)]
    parts = [f"M{straight[0][0]} {straight[0][1]}"]
    for before, here, after in zip(straight, straight[1:], straight[2:], strict=False):
        parts.append(f"L{_towards(here, before)}Q{here[0]} {here[1]} {_towards(here, after)}")
    parts.append(f"L{straight[-1][0]} {straight[-1][1]}")
    return "".join(parts)


def _towards(corner: tuple[int, int], other: tuple[int, int]) -> str:
    """The place on the line to `other` where the corner begins."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    reach = min(_CORNER, (abs(dx) + abs(dy)) // 2)
    return f"{corner[0] + (dx > 0) * reach - (dx < 0) * reach} {corner[1] + (dy > 0) * reach - (dy < 0) * reach}"
