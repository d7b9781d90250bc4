"""Order in the queue as Slurm sees it: a level is a QOS, the place inside it a nice value counted from a base (D16).

Slurm's priority of a waiting job is weight x (QOS value / highest QOS value) - nice, clamped at the bottom; so the base
leaves room to move up without a negative nice, which an ordinary user may not have.
Source: https://slurm.schedmd.com/priority_multifactor.html (26.05; figures measured on 26.05.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portal.settings import Settings

MAX_PRIORITY = 2**32 - 1


class Level(StrEnum):
    """The three priorities, highest first."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


LABELS = {Level.HIGH: ("높음", "High"), Level.NORMAL: ("보통", "Normal"), Level.LOW: ("낮음", "Low")}


@dataclass(frozen=True)
class Place:
    """What is written to every component of a waiting job."""

    qos: str
    nice: int


@dataclass(frozen=True)
class PriorityScale:
    """How a site turns level and rank into QOS and nice.

    A rank is an offset in nice units from `nice_base`, negative above it; its range is +-`nice_base`, so nice never
    becomes negative. `step` is the distance at which new places are made, so that others fit in between.
    """

    qos: Mapping[Level, str]
    nice_base: int
    step: int
    qos_test: str = "one-test"

    @property
    def is_fixed(self) -> bool:
        """Whether there is no room for ranks (`nice_base` 0): the order inside a level is Slurm's own."""
        return self.nice_base == 0

    @classmethod
    def of(cls, settings: Settings) -> PriorityScale:
        """The site's scale."""
        slurm = settings.slurm
        qos = {Level.HIGH: slurm.qos_high, Level.NORMAL: slurm.qos_normal, Level.LOW: slurm.qos_low}
        return cls(qos, slurm.nice_base, slurm.nice_step, slurm.qos_test)

    def slurm_values(self, priority: str, rank: int, kind: str) -> tuple[str, int]:
        """(QOS, nice) of a workload's row; tests have a QOS of their own. Raises ValueError for an unknown priority."""
        place = self.place(Level(priority), rank)
        return (self.qos_test if kind == "test" else place.qos), place.nice

    def at_submit(self, priority: str, rank: int, kind: str) -> Place:
        """The place that a job is submitted with: people's associations lack the high QOS, the Operator raises it then."""
        level = Level.NORMAL.value if priority == Level.HIGH else priority
        return Place(*self.slurm_values(level, rank, kind))

    def place(self, level: Level, rank: int) -> Place:
        """QOS and nice of a place. Raises ValueError outside the range."""
        if abs(rank) > self.nice_base:
            raise ValueError(f"rank {rank} is outside +-{self.nice_base}")
        return Place(self.qos[level], self.nice_base + rank)

    def level_of(self, qos: str) -> Level | None:
        """The level of a QOS name; None for a QOS that is not one of ours."""
        return next((level for level, name in self.qos.items() if name == qos), None)

    def rank_at_end(self, ranks: Sequence[int]) -> int:
        """The rank of a newcomer behind those that wait in its level with `ranks` (0 in an empty level)."""
        return max(ranks) + self.step if ranks else 0

    def move(self, ranks: Sequence[int], start: int, end: int) -> dict[int, int]:
        """Which ranks change, by old position, when the workload at position `start` goes to position `end`.

        `ranks` are those of one level in the order in which Slurm will take them (equal ones by their age). Only the
        moved one changes where there is room between its new neighbours; else as few others as possible give way.
        Raises IndexError for positions that are not there.
        """
        if not (0 <= start < len(ranks) and 0 <= end < len(ranks)):
            raise IndexError(f"no positions {start} and {end} in a queue of {len(ranks)}")
        order = [position for position in range(len(ranks)) if position != start]
        order.insert(end, start)
        if start == end:
            return {}
        tries = (self._make_room(ranks, order, end, upwards) for upwards in (True, False))
        fitting = [ways for ways in tries if all(abs(rank) <= self.nice_base for rank in ways.values())]
        return min(fitting, key=len) if fitting else self._spread(order)

    def _make_room(self, ranks: Sequence[int], order: list[int], end: int, upwards: bool) -> dict[int, int]:
        """The moved one goes next to a neighbour; those beyond it, on one side, give way as far as they must."""
        before = ranks[order[end - 1]] if end else None
        after = ranks[order[end + 1]] if end + 1 < len(order) else None
        if before is not None and after is not None and after - before >= 2:
            return {order[end]: (before + after) // 2}
        side = order[end::-1] if upwards else order[end:]
        edge = after if upwards else before
        sign = -1 if upwards else 1
        changed: dict[int, int] = {}
        for position in side:
            rank = ranks[position]
            if edge is None:  # the end of the queue: beside the neighbour on the other side
                neighbour = before if upwards else after
                assert neighbour is not None
                return {position: neighbour - sign * self.step}
            if position != order[end] and (edge - rank) * -sign > 0:
                break
            edge += sign * self.step
            changed[position] = edge
        return changed

    def _spread(self, order: list[int]) -> dict[int, int]:
        """The whole level anew, evenly around the base."""
        step = max(1, min(self.step, 2 * self.nice_base // max(1, len(order))))
        first = -(len(order) // 2) * step
        return {position: first + index * step for index, position in enumerate(order)}


def scheme_problems(
    levels: Mapping[Level, int], *, weight: int, highest_qos: int, nice_base: int, nice_range: int | None = None
) -> tuple[str, ...]:
    """Why Slurm's configuration cannot keep the order, in English; empty: it can.

    `levels` are the QOS priorities of the three levels, `weight` is PriorityWeightQOS, `highest_qos` the highest
    priority of all QOS of the cluster (Slurm divides by it). The range is +-`nice_base` unless given.
    """
    reach = nice_base if nice_range is None else nice_range
    if highest_qos < 1 or weight < 1:
        return ("PriorityWeightQOS and the QOS priorities must be set",)
    points = {level: weight * value // highest_qos for level, value in levels.items()}
    problems = [
        f"{level.value}: {points[level]} minus base {nice_base} minus range {reach} is below 1"
        for level in Level
        if points[level] - nice_base - reach < 1
    ]
    problems += [
        f"{upper.value} and {lower.value} are {points[upper] - points[lower]} apart, not more than twice the range {reach}"
        for upper, lower in pairwise(Level)
        if points[upper] - points[lower] <= 2 * reach
    ]
    if points[Level.HIGH] - nice_base + reach > MAX_PRIORITY:
        problems.append(f"high: {points[Level.HIGH]} minus base plus range reaches 2^32")
    return tuple(problems)
