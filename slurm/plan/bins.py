"""Groups while they are being filled with steps, and when that is done."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from slurm.plan.hosting import Kind, Shape

Demand = tuple[int, int, int, int]
"""GPUs, shares, CPUs, MiB."""

NOTHING: Demand = (0, 0, 0, 0)


@dataclass(eq=False)
class Bin:
    """A group with the steps (a bit mask) that it has so far.

    `timed`: sized by what is planned to run at the same time, from `profile`, a list of (from, demand) with the demand
    holding until the next entry; otherwise by what could.
    """

    kind: Kind
    timed: bool
    steps: int = 0
    cost: float = 0.0
    last: float = 0.0
    shape: Shape = field(default_factory=lambda: Shape(0, 0, 0, 0))
    times: list[float] = field(default_factory=list)
    loads: list[Demand] = field(default_factory=list)

    def peak(self, start: float, end: float) -> Demand:
        """The most that is planned to be in use at one moment between two times, per resource."""
        first = bisect_right(self.times, start) - 1
        past = bisect_left(self.times, end)
        loads = self.loads[max(first, 0) : past]
        if not loads:
            return NOTHING
        if len(loads) == 1:
            return loads[0]
        return tuple(map(max, *loads))

    def highest(self) -> Demand:
        """The most that is planned to be in use at any moment, per resource."""
        return self.peak(self.times[0], self.times[-1])

    def set_profile(self, intervals: Iterable[tuple[float, float, Demand]]) -> None:
        """Rebuild the profile from (start, end, demand) of every step."""
        changes: dict[float, list[int]] = {}
        for start, end, demand in intervals:
            for time, sign in ((start, 1), (end, -1)):
                entry = changes.setdefault(time, [0, 0, 0, 0])
                for k, amount in enumerate(demand):
                    entry[k] += sign * amount
        self.times = sorted(changes)
        self.loads = []
        load = list(NOTHING)
        for time in self.times:
            for k, change in enumerate(changes[time]):
                load[k] += change
            self.loads.append((load[0], load[1], load[2], load[3]))

    def candidates(self, earliest: float, latest: float, duration: float) -> list[float]:
        """Starts worth trying in a window: its ends, and where something in the profile ends or begins."""
        found = {earliest, latest}
        found.update(time for time in self.times if earliest < time < latest)
        found.update(time - duration for time in self.times if earliest < time - duration < latest)
        return sorted(found, reverse=True)


@dataclass(frozen=True)
class Bundle:
    """Steps (a bit mask) that share one group, what the group must ask for and when its last step is expected to end."""

    kind: Kind
    steps: int
    shape: Shape
    last: float


@dataclass(frozen=True)
class Packing:
    """The groups of one job, the planned start of every step of the graph (0 outside the job) and the expected end.

    `waits`: pairs of which the second must not start before the first has started, or it could take the room that is
    planned for the first.
    """

    bundles: tuple[Bundle, ...]
    starts: tuple[float, ...]
    end: float
    waits: tuple[tuple[int, int], ...]


def plus(one: Demand, other: Demand) -> Demand:
    """Both at once."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]
