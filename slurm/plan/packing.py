"""Steps of one job into groups that hold the fewest GPU-seconds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from slurm.plan.bins import Bin, Bundle, Packing, plus
from slurm.plan.demand import TIE, Packer
from slurm.plan.hosting import Kind, Shape
from slurm.plan.order import members
from slurm.plan.windows import Windows

MAX_ROUNDS = 3
"""How often every step is tried elsewhere; more rounds change little."""

RISK = 0.1
"""A group that relies on likely order counts as this much dearer: likelihood must save something to be relied on."""

SQUEEZED = 24
"""Where groups outnumber nodes, two of so many of the cheapest are joined at a time."""

LATE_SPREADS = 4
"""A step that ends so many spreads before the last one does not change when that is expected to end."""

INFINITE = float("inf")


class Filling:
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

    def sketch(self) -> list[tuple[int, float, float]]:
        """A first packing of the steps with GPU, all as early as they can: (steps, GPUs, expected last end) of every group."""
        for i in self._latest_first():
            self._insert(i, (self.windows.earliest[i], self.windows.earliest[i]))
        while not self.hosted() and self._squeeze():
            pass
        return [
            (one.steps, self.packer.equivalents(one.kind, one.shape), one.last)
            for bins in self.bins.values()
            for one in bins
        ]

    def _latest_first(self) -> list[int]:
        return sorted(members(self.placed), key=lambda i: (-self.windows.ends[i], -self.packer.demands[i][0], i))

    def result(self) -> Packing:
        """Fill, improve, then find room for the steps without GPU."""
        numbers = self._latest_first()
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
        while not self.hosted() and self._squeeze():
            pass
        bundles = tuple(
            Bundle(one.kind, one.steps, self._final_shape(one), one.last) for bins in self.bins.values() for one in bins
        )
        waits = tuple(pair for bins in self.bins.values() for one in bins if one.timed for pair in self._waits(one))
        return Packing(bundles, tuple(starts), self.end(), waits)

    def end(self) -> float:
        """When the job is expected to end."""
        return self._last(self.steps)

    def _waits(self, one: Bin) -> Iterator[tuple[int, int]]:
        """Neighbours in the planned order of a timed bin of which the second could be ready before the first starts."""
        starts, earliest = self.windows.starts, self.windows.earliest
        for first, second in pairwise(sorted(members(one.steps), key=lambda i: (starts[i], i))):
            if earliest[second] < starts[first] and not self.packer.order.later[first] >> second & 1:
                yield first, second

    def _final_shape(self, one: Bin) -> Shape:
        return one.shape if one.timed else self.packer.shape(one.kind, one.steps, likely=self.likely)

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
                if self.packer.order.later[i] & one.steps and not (one.timed and self.packer.linked >> i & 1):
                    shape = self._grown(one, i, self.windows.starts[i])
                    if shape.nodes == one.shape.nodes and self.packer.fits(kind, shape):
                        self._put(one, i, self.windows.starts[i])
                        return True
        return False

    def _insert(self, i: int, window: tuple[float, float]) -> None:
        """Put step i where, and when within its window, it adds least; of equal times the latest leaves most to others."""
        kind = self.packer.kinds[i]
        earliest, latest = window
        movable = bool(self.movable >> i & 1)
        fresh = Bin(kind, timed=movable)
        best, where, when = self._added(fresh, i, earliest, INFINITE), fresh, earliest
        bins = self.bins.setdefault(kind, [])
        for one, start in self._choices(bins, i, earliest, latest):
            if best <= 0:
                break
            added = self._added(one, i, start, best)
            if added < best:
                best, where, when = added, one, start
        if where is fresh:
            bins.append(fresh)
        self._put(where, i, when)

    def _choices(self, bins: list[Bin], i: int, earliest: float, latest: float) -> Iterator[tuple[Bin, float]]:
        """Bins that may take step i, and starts in its window worth trying there."""
        for one in bins:
            if one.timed and not self.movable >> i & 1:
                continue
            # Among steps that it may meet it saves nothing, and would be held until the last of them.
            if self.spread and one.kind.uses_gpu and self.packer.all_meet(i, one.steps, likely=self.likely):
                continue
            if earliest == latest:
                yield one, earliest
            elif one.timed:
                yield from ((one, start) for start in one.candidates(earliest, latest, self.durations[i]))
            else:
                yield one, min(latest, max(earliest, one.last - self.durations[i]))

    def _put(self, one: Bin, i: int, start: float) -> None:
        last = self._last_with(one, i, start)
        one.shape = self._grown(one, i, start)
        self.windows.place(i, start)
        one.steps |= 1 << i
        one.last = last
        one.cost = self._price(one, one.steps, one.shape, last)
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
            one.shape = Shape(*one.highest(), max(self.packer.graph.steps[i].nodes for i in members(one.steps)))
        else:
            one.shape = self.packer.bound(one.kind, one.steps, likely=self.likely)
        one.last = self._last(one.steps)
        one.cost = self._price(one, one.steps, one.shape, one.last)

    def _profile(self, one: Bin) -> None:
        one.set_profile((self.windows.starts[i], self._end(i), self.packer.demands[i]) for i in members(one.steps))

    def _grown(self, one: Bin, i: int, start: float) -> Shape:
        """What the bin must ask for with one more step."""
        if not one.timed:
            return self.packer.bound(one.kind, one.steps | 1 << i, likely=self.likely, newest=i)
        need = plus(one.peak(start, start + self.durations[i]), self.packer.demands[i])
        old = one.shape
        return Shape(
            max(old.gpus, need[0]),
            max(old.shards, need[1]),
            max(old.cpus, need[2]),
            max(old.memory_mib, need[3]),
            max(old.nodes, self.packer.graph.steps[i].nodes),
        )

    def _last(self, steps: int, moved: int = -1, moved_end: float = 0.0) -> float:
        """When the last of some steps is expected to end, step `moved` ending at `moved_end`."""
        later = self.packer.order.later
        numbers = list(members(steps))
        ends = [moved_end if i == moved else self._end(i) for i in numbers]
        return self.packer.expectation.last_end(ends, [not later[i] & steps for i in numbers])

    def _last_with(self, one: Bin, i: int, start: float) -> float:
        end = self._end(i) if self.packer.order.clients[i] else start + self.durations[i]
        if one.steps and end <= one.last - LATE_SPREADS * self.spread:
            return one.last
        return self._last(one.steps | 1 << i, i, end)

    def _added(self, one: Bin, i: int, start: float, least: float) -> float:
        """What one more step adds to the bin's price, infinite when no node is that large or it is surely above `least`."""
        last = self._last_with(one, i, start)
        at_least = max(self.packer.equivalents(one.kind, one.shape), self.packer.gpus(i)) * last - one.cost
        if at_least > least and one.kind.uses_gpu:
            return INFINITE
        return self._price(one, one.steps | 1 << i, self._grown(one, i, start), last) - one.cost

    def _price(self, one: Bin, steps: int, shape: Shape, last: float) -> float:
        if not self.packer.fits(one.kind, shape):
            return INFINITE
        risk = RISK if self.likely and not one.timed and one.kind.uses_gpu and self.packer.relies(steps) else 0.0
        return self.packer.equivalents(one.kind, shape) * last * (1 + risk) + TIE

    def _groups(self, kind: Kind) -> list[tuple[Kind, Shape]]:
        return [(kind, one.shape) for one in self.bins[kind]]

    def hosted(self) -> bool:
        """Whether every group can have nodes of its own."""
        return self.packer.hosts.assign([group for kind in self.bins for group in self._groups(kind)]) is not None

    def _squeeze(self) -> bool:
        """One group less: join the two bins for which that costs least, of a kind that lacks nodes where there is one."""
        short = [kind for kind in self.bins if self.packer.hosts.assign(self._groups(kind)) is None] or list(self.bins)
        for most in (SQUEEZED, len(self.packer.kinds)):
            cheap = {kind: sorted(self.bins[kind], key=lambda one: one.cost)[:most] for kind in self.bins}
            pairs = [pair for kind in short for pair in combinations(cheap[kind], 2)]
            # Steps without GPU may move in with others: their own nodes are the ones that are given up.
            moving = [one for kind in short if not kind.uses_gpu for one in cheap[kind]]
            pairs += [(host, one) for one in moving for kind in cheap if kind.uses_gpu for host in cheap[kind]]
            best = min(map(self._joined_cost, pairs), key=lambda priced: priced[0], default=None)
            if best is not None and best[0] < INFINITE:
                self._merge(best[1], best[2])
                return True
        return False

    def _joined_cost(self, pair: tuple[Bin, Bin]) -> tuple[float, Bin, Bin]:
        one, two = pair
        return self._union(one, two).cost - one.cost - two.cost, one, two

    def _union(self, one: Bin, two: Bin) -> Bin:
        steps = one.steps | two.steps
        timed = one.timed and (two.timed or not two.kind.uses_gpu) and not steps & self.packer.linked
        union = Bin(one.kind, timed, steps)
        self._refresh(union)
        return union

    def _merge(self, one: Bin, two: Bin) -> None:
        union = self._union(one, two)
        for kind in {one.kind, two.kind}:
            self.bins[kind] = [other for other in self.bins[kind] if other is not one and other is not two]
        self.bins[one.kind].append(union)

    def _join_bins(self) -> None:
        """Join the two bins whose union saves most, again and again."""
        for bins in self.bins.values():
            savings = {(a, b): self._saving(bins[a], bins[b]) for b in range(len(bins)) for a in range(b)}
            while savings:
                (a, b), saved = max(savings.items(), key=lambda item: (item[1], item[0]))
                if saved <= 0:
                    break
                bins[a].steps |= bins[b].steps
                bins[b].steps = 0
                self._refresh(bins[a])
                for pair in list(savings):
                    if b in pair:
                        del savings[pair]
                    elif a in pair:
                        savings[pair] = self._saving(bins[pair[0]], bins[pair[1]])
            bins[:] = [one for one in bins if one.steps]

    def _saving(self, one: Bin, two: Bin) -> float:
        if one.timed != two.timed:
            return 0.0
        larger = max(self.packer.equivalents(one.kind, one.shape), self.packer.equivalents(two.kind, two.shape))
        if one.kind.uses_gpu and larger * max(one.last, two.last) >= one.cost + two.cost:
            return 0.0
        return one.cost + two.cost - self._union(one, two).cost
