"""Steps of one job into groups that hold the fewest GPU-seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slurm.antichain import heaviest_antichain
from slurm.bins import Bin, Demand, plus
from slurm.expect import Expectation, likely_order
from slurm.graph import StepGraph
from slurm.hosting import Hosts, Kind, Shape, shape_of
from slurm.order import Order, mask_of, members
from slurm.windows import Windows

MAX_ROUNDS = 3
"""How often every step is tried elsewhere; more rounds change little."""

TIE = 1e-6
"""A group costs this part of one GPU on top, so that of equal packings the one with fewer groups wins."""

INFINITE = float("inf")


@dataclass(frozen=True)
class Bundle:
    """Steps (a bit mask) that share one group, what the group must ask for and when its last step is expected to end."""

    kind: Kind
    steps: int
    shape: Shape
    last: float


@dataclass(frozen=True)
class Packing:
    """The groups of one job, and the planned start of every step of the graph (0 for those outside the job)."""

    bundles: tuple[Bundle, ...]
    starts: tuple[float, ...]
    end: float


class Packer:
    """Packs steps of one graph; remembers the shapes of the sets it has seen."""

    def __init__(self, graph: StepGraph, order: Order, hosts: Hosts, expectation: Expectation) -> None:
        self.graph = graph
        self.order = order
        self.hosts = hosts
        self.expectation = expectation
        self.kinds = tuple(hosts.kind_of(step) for step in graph.steps)
        self.demands: tuple[Demand, ...] = tuple(
            (step.gpus, step.shards, step.cpus, step.memory_mib) for step in graph.steps
        )
        self._columns = tuple(zip(*self.demands, strict=True))
        self.uses_gpu = mask_of(i for i, kind in enumerate(self.kinds) if kind.uses_gpu)
        self.linked = mask_of(i for i, mask in enumerate(order.together) if mask != 1 << i)
        self.likely = order.later if expectation.known else likely_order(order, expectation)
        self._shapes: dict[tuple[int, bool], Shape] = {}
        self._weights: dict[tuple[Kind, Shape], float] = {}

    def gpus(self, i: int) -> float:
        """GPUs that step i uses while it runs, over all its nodes; shares count as parts of one."""
        kind = self.kinds[i]
        return self.hosts.gpu_equivalents(kind, shape_of(self.graph.steps[i])) if kind.uses_gpu else 0.0

    def weight(self, kind: Kind, shape: Shape) -> float:
        """GPUs that a group of this shape holds, infinite when no node can host it; without GPU a mere tie-breaker."""
        key = (kind, shape)
        if key not in self._weights:
            if not self.hosts.fits(kind, shape):
                self._weights[key] = INFINITE
            elif kind.uses_gpu:
                self._weights[key] = self.hosts.gpu_equivalents(kind, shape)
            else:
                self._weights[key] = TIE * TIE * shape.cpus * shape.nodes
        return self._weights[key]

    def shape(self, kind: Kind, steps: int, *, likely: bool) -> Shape:
        """The least that lets every step of a set start when it may: per resource the heaviest set that can meet.

        With `likely`, steps that probably never meet count as if they never did, where that saves GPU time. Steps joined to others by "started"
        edges are counted by certain order alone: one of those that waits for room could keep another waiting for ever.
        """
        likely = likely and kind.uses_gpu and not steps & self.linked
        shape = self._shapes.get((steps, likely))
        if shape is None:
            later = self.likely if likely else self.order.later
            numbers = list(members(steps))
            nodes = max(self.graph.steps[i].nodes for i in numbers)
            if _is_chain(numbers, later):
                shape = Shape(*(max(column[i] for i in numbers) for column in self._columns), nodes)
            else:
                shape = Shape(*(heaviest_antichain(steps, column, later) for column in self._columns), nodes)
            self._shapes[steps, likely] = shape
        return shape

    def pack(self, steps: int) -> Packing:
        """Groups for the steps of a bit mask, each within one node (or within as many as its steps ask for)."""
        return _Filling(self, steps).result()


def _is_chain(numbers: Sequence[int], later: Sequence[int]) -> bool:
    return all(later[a] >> b & 1 or later[b] >> a & 1 for k, a in enumerate(numbers) for b in numbers[:k])


class _Filling:
    """The bins of one job while they are filled, latest steps first, then improved."""

    def __init__(self, packer: Packer, steps: int) -> None:
        order, expectation = packer.order, packer.expectation
        self.packer = packer
        self.steps = steps
        self.spread = expectation.spread
        self.durations = expectation.durations
        linked = steps & packer.linked
        self.movable = steps & ~linked & packer.uses_gpu if expectation.known else 0
        self.likely = steps.bit_count() == len(packer.kinds)
        self.placed = steps & packer.uses_gpu
        self.windows = Windows(
            order,
            self.durations,
            within=steps,
            placed=self.placed | linked,
            movable=self.movable,
        )
        for i in members(linked):
            self.windows.place(i, self.windows.earliest[i])
        self.bins: dict[Kind, list[Bin]] = {}

    def result(self) -> Packing:
        """Fill, improve, then find room for the steps without GPU."""
        numbers = sorted(members(self.placed), key=lambda i: (-self.windows.ends[i], -self.packer.demands[i][0], i))
        for i in numbers:
            self._insert(i, self.windows.window(i))
        cost = self._cost()
        for _ in range(MAX_ROUNDS):
            for i in numbers:
                self._remove(i)
                self._insert(i, self.windows.window(i))
            self._join_bins()
            before, cost = cost, self._cost()
            if cost >= before * (1 - TIE):
                break
        starts = self._fill_without_gpu()
        bundles = tuple(
            Bundle(one.kind, one.steps, one.shape, one.last) for kind in self.bins for one in self.bins[kind]
        )
        ends = [starts[i] + self.durations[i] for i in range(len(starts))]
        later = self.packer.order.later
        end = self.packer.expectation.last_end(
            [ends[i] for i in members(self.steps)], [not later[i] & self.steps for i in members(self.steps)]
        )
        return Packing(bundles, tuple(starts), end)

    def _cost(self) -> float:
        return sum(one.cost for bins in self.bins.values() for one in bins)

    def _end(self, i: int) -> float:
        return (
            self.windows.starts[i] + self.durations[i] if self.packer.order.clients[i] == () else self.windows.ends[i]
        )

    def _fill_without_gpu(self) -> list[float]:
        """Steps without GPU start as soon as they may; they join a group that surely outlives them or share their own."""
        order = self.packer.order
        starts = self.windows.starts
        rest = self.steps & ~self.packer.uses_gpu
        for i, is_end in order.events:
            if not is_end and rest >> i & 1 and order.together[i] == 1 << i:
                starts[i] = max((self._end(p) for p in order.waits_end[i] if self.steps >> p & 1), default=0.0)
        for i in sorted(members(rest), key=lambda i: (-self._end(i), i)):
            if not self._join_gpu_bin(i):
                self._insert(i, (starts[i], starts[i]))
        return starts

    def _join_gpu_bin(self, i: int) -> bool:
        for kind, bins in self.bins.items():
            for one in bins if kind.uses_gpu else ():
                if self.packer.order.later[i] & one.steps and (not one.timed or self.movable >> i & 1):
                    shape = self._grown(one, i, self.windows.starts[i])
                    if shape.nodes == one.shape.nodes and self.packer.weight(kind, shape) < INFINITE:
                        self._put(one, i, self.windows.starts[i])
                        return True
        return False

    def _insert(self, i: int, window: tuple[float, float]) -> None:
        """Put step i where, and when within its window, it adds least; of equal times the latest leaves most to others."""
        kind = self.packer.kinds[i]
        earliest, latest = window
        movable = bool(self.movable >> i & 1)
        fresh = Bin(kind, timed=movable)
        best, where, when = self._added(fresh, i, earliest), fresh, earliest
        for one in self.bins.setdefault(kind, []):
            if one.timed and not movable:
                continue
            if earliest == latest:
                starts = [earliest]
            elif one.timed:
                starts = one.candidates(earliest, latest, self.durations[i])
            else:
                starts = [min(latest, max(earliest, one.last - self.durations[i]))]
            for start in starts:
                added = self._added(one, i, start)
                if added < best:
                    best, where, when = added, one, start
        if where is fresh:
            self.bins[kind].append(fresh)
        self._put(where, i, when)

    def _put(self, one: Bin, i: int, start: float) -> None:
        shape, last = self._grown(one, i, start), self._last_with(one, i, start)
        self.windows.place(i, start)
        one.steps |= 1 << i
        one.shape, one.last = shape, last
        one.cost = self._price(one.kind, shape, last)
        if one.timed:
            self._profile(one)

    def _remove(self, i: int) -> None:
        kind = self.packer.kinds[i]
        home = next(one for one in self.bins[kind] if one.steps >> i & 1)
        home.steps &= ~(1 << i)
        if home.steps:
            self._refresh(home)
        else:
            self.bins[kind].remove(home)

    def _refresh(self, one: Bin) -> None:
        """Work out a bin anew from its steps."""
        if one.timed:
            self._profile(one)
            top = one.loads[0]
            for load in one.loads:
                top = tuple(map(max, top, load))  # type: ignore[assignment]
            one.shape = Shape(*top, max(self.packer.graph.steps[i].nodes for i in members(one.steps)))
        else:
            one.shape = self.packer.shape(one.kind, one.steps, likely=self.likely)
        one.last = self._last(one.steps)
        one.cost = self._price(one.kind, one.shape, one.last)

    def _profile(self, one: Bin) -> None:
        one.set_profile((self.windows.starts[i], self._end(i), self.packer.demands[i]) for i in members(one.steps))

    def _grown(self, one: Bin, i: int, start: float) -> Shape:
        if not one.timed:
            return self.packer.shape(one.kind, one.steps | 1 << i, likely=self.likely)
        need = plus(one.peak(start, start + self.durations[i]), self.packer.demands[i])
        old = one.shape
        nodes = max(old.nodes, self.packer.graph.steps[i].nodes)
        return Shape(
            max(old.gpus, need[0]),
            max(old.shards, need[1]),
            max(old.cpus, need[2]),
            max(old.memory_mib, need[3]),
            nodes,
        )

    def _last(self, steps: int) -> float:
        later = self.packer.order.later
        numbers = list(members(steps))
        return self.packer.expectation.last_end(
            [self._end(i) for i in numbers], [not later[i] & steps for i in numbers]
        )

    def _last_with(self, one: Bin, i: int, start: float) -> float:
        end = start + self.durations[i] if not self.packer.order.clients[i] else self.windows.ends[i]
        if end < one.last - self.spread * 4 or (not self.spread and end <= one.last):
            return one.last
        later = self.packer.order.later
        steps = one.steps | 1 << i
        numbers = list(members(steps))
        return self.packer.expectation.last_end(
            [end if n == i else self._end(n) for n in numbers], [not later[n] & steps for n in numbers]
        )

    def _added(self, one: Bin, i: int, start: float) -> float:
        weight = self.packer.weight(one.kind, self._grown(one, i, start))
        if weight == INFINITE:
            return INFINITE
        return weight * self._last_with(one, i, start) + TIE - one.cost

    def _price(self, kind: Kind, shape: Shape, last: float) -> float:
        return self.packer.weight(kind, shape) * last + TIE

    def _join_bins(self) -> None:
        """Join the two bins whose union saves most, again and again."""
        for bins in self.bins.values():
            while True:
                saved, a, b = max(self._unions(bins), default=(0.0, 0, 0))
                if saved <= 0:
                    break
                bins[a].steps |= bins[b].steps
                self._refresh(bins[a])
                bins.pop(b)

    def _unions(self, bins: Sequence[Bin]) -> list[tuple[float, int, int]]:
        found = []
        for b, two in enumerate(bins):
            for a, one in enumerate(bins[:b]):
                if one.timed == two.timed:
                    union = Bin(one.kind, one.timed, one.steps | two.steps)
                    self._refresh(union)
                    found.append((one.cost + two.cost - union.cost, a, b))
        return found
