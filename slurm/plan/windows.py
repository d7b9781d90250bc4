"""When the steps of one job may be planned to run without making the job longer."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.plan.order import Order, members


class Windows:
    """Planned starts of the steps of one job, each inside the time that its neighbours leave it.

    Steps outside `placed` float: they take their time between the placed ones, but nobody plans their start. All times
    are expected seconds after the job's start. Only steps of `movable` may leave their earliest start, and none so far
    that the job would get longer.
    """

    def __init__(self, order: Order, durations: Sequence[float], *, within: int, placed: int, movable: int) -> None:
        self.durations = durations
        self.movable = movable
        starts, ends = order.times(durations, within=within)
        tails = order.tails(durations, within=within)
        whole = max((starts[i] + tails[i] for i in members(within)), default=0.0)
        self.earliest = starts
        self.ends = ends
        self.starts = list(starts)
        self._deadline = [whole - tails[i] + durations[i] for i in range(len(durations))]
        self._successors: list[dict[int, float]] = [{} for _ in durations]
        self._predecessors: list[dict[int, float]] = [{} for _ in durations]
        self._is_placed = 0
        for i in members(placed):
            self._link(order, i, within, placed)

    def _link(self, order: Order, i: int, within: int, placed: int) -> None:
        """Find the placed steps whose ends step i waits for, directly or through floating ones that take `lag` in between."""
        lags: dict[int, float] = {}
        stack = [(p, 0.0) for p in order.waits_end[i] if within >> p & 1]
        while stack:
            p, lag = stack.pop()
            if lags.get(p, -1.0) >= lag:
                continue
            lags[p] = lag
            if not placed >> p & 1:
                stack.extend((q, lag + self.durations[p]) for q in order.waits_end[p] if within >> q & 1)
        for p, lag in lags.items():
            if placed >> p & 1:
                self._predecessors[i][p] = lag
                self._successors[p][i] = lag

    def place(self, i: int, start: float) -> None:
        """Plan step i to start at `start`."""
        self.starts[i] = start
        self._is_placed |= 1 << i

    def window(self, i: int) -> tuple[float, float]:
        """Earliest and latest start of step i, given where its neighbours are planned."""
        earliest = self.earliest[i]
        if not self.movable >> i & 1:
            return earliest, earliest
        latest = self._deadline[i]
        for j, lag in self._successors[i].items():
            if self._is_placed >> j & 1:
                latest = min(latest, self.starts[j] - lag)
        for p, lag in self._predecessors[i].items():
            if self._is_placed >> p & 1:
                earliest = max(earliest, self.starts[p] + self.durations[p] + lag)
        return earliest, max(earliest, latest - self.durations[i])
