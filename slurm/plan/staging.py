"""Where to cut a graph into jobs that follow each other: joining neighbours as long as little GPU time is lost."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import networkx as nx

from slurm.plan.bins import Bundle
from slurm.plan.demand import Packer
from slurm.plan.order import mask_of, members
from slurm.plan.packing import Filling
from slurm.plan.smallest import pack_smallest

STEPS_PER_JOB = 3
"""A staged plan has at most one job for so many steps: every job queues once more, and schedulers prefer few."""

LATE_LIMIT = 0.15
"""Two jobs are not joined where that makes the whole longer by more than this part, on average over the scenarios."""

LATE_PRICE = 10.0
WAIT_PRICE = 0.2
"""Making the whole longer by a part costs this many times that part of all GPU time used; making other jobs start later
by as much costs something too, because what is slack in these scenarios may be none in truth."""

SIBLINGS = 2
"""Of jobs that wait for the same, each is tried with so many of those most like it."""

INFINITE = float("inf")
SAME = 1e-12


@dataclass(frozen=True)
class Stage:
    """The steps of one job (a bit mask), its groups with the one that stays to the end first, and GPU time expected held."""

    steps: int
    bundles: tuple[Bundle, ...]
    starts: tuple[float, ...]
    waits: tuple[tuple[int, int], ...]
    held: float


@dataclass(frozen=True)
class Sketch:
    """What joining is decided by: the steps of a job, GPU time expected held, and its length in every scenario."""

    steps: int
    held: float
    used: float
    lengths: tuple[float, ...]


def make_stage(packer: Packer, steps: int, *, smallest: bool = False) -> Stage:
    """Pack some steps into one job; group 0 is the one for which staying to the end costs least."""
    packing = pack_smallest(packer, steps) if smallest else Filling(packer, steps).result()
    bundles = packing.bundles
    gpus = [packer.equivalents(bundle.kind, bundle.shape) if bundle.kind.uses_gpu else 0.0 for bundle in bundles]
    costs = [gpu * (packing.end - bundle.last) for gpu, bundle in zip(gpus, bundles, strict=True)]
    first = min(
        (k for k, bundle in enumerate(bundles) if _may_end_last(packer, steps, bundle.steps)),
        key=lambda k: (costs[k], -bundles[k].last, gpus[k], k),
    )
    held = sum(gpu * bundle.last for gpu, bundle in zip(gpus, bundles, strict=True)) + costs[first]
    others = sorted(
        (k for k in range(len(bundles)) if k != first), key=lambda k: (-gpus[k], -bundles[k].shape.memory_mib, k)
    )
    return Stage(steps, tuple(bundles[k] for k in (first, *others)), packing.starts, packing.waits, held)


def _make_sketch(packer: Packer, steps: int) -> Sketch:
    filling = Filling(packer, steps)
    groups = filling.sketch()
    end = filling.end()
    held = sum(gpus * last for _, gpus, last in groups) if filling.hosted() else INFINITE
    if not _may_end_last(packer, steps, steps & ~packer.uses_gpu):
        held += min(gpus * (end - last) for mask, gpus, last in groups if _may_end_last(packer, steps, mask))
    return Sketch(
        steps, held, packer.used(steps), tuple(packer.order.length(durations, steps) for durations in packer.scenarios)
    )


def _may_end_last(packer: Packer, steps: int, some: int) -> bool:
    return any(not packer.order.later[i] & steps for i in members(some))


class Stages:
    """All jobs of a plan while they are being joined; jobs are numbered, sets of jobs are bit masks."""

    def __init__(self, packer: Packer) -> None:
        self._packer = packer
        self._made: dict[int, Sketch] = {}
        self._scenarios = range(len(packer.scenarios))
        self._used = packer.used(packer.uses_gpu) or 1.0
        self.jobs = dict(enumerate(self.sketch(mask) for mask in _inseparable(packer)))
        self.before = dict.fromkeys(self.jobs, 0)
        self.after = dict.fromkeys(self.jobs, 0)
        job_of = {i: number for number, stage in self.jobs.items() for i in members(stage.steps)}
        for i, waits in enumerate(packer.order.waits_end):
            for p in waits:
                if job_of[p] != job_of[i]:
                    self.before[job_of[i]] |= 1 << job_of[p]
                    self.after[job_of[p]] |= 1 << job_of[i]
        self.ends: dict[int, list[float]] = {}
        self.tails: dict[int, list[float]] = {}
        self.reach: dict[int, int] = {}
        self._look(mask_of(self.jobs))
        self._unlimited = [
            max(self.ends[n][k] - self.jobs[n].lengths[k] + self.tails[n][k] for n in self.jobs)
            for k in self._scenarios
        ]

    def sketch(self, steps: int) -> Sketch:
        """One job of these steps."""
        if steps not in self._made:
            self._made[steps] = _make_sketch(self._packer, steps)
        return self._made[steps]

    def join(self, a: int, b: int) -> None:
        """Make one job, `a`, of two."""
        self.jobs[a] = self.sketch(self.jobs[a].steps | self.jobs[b].steps)
        del self.jobs[b]
        both = ~(1 << a | 1 << b)
        self.before[a] = (self.before[a] | self.before.pop(b)) & both
        self.after[a] = (self.after[a] | self.after.pop(b)) & both
        for n in members(self.before[a]):
            self.after[n] = self.after[n] & ~(1 << b) | 1 << a
        for n in members(self.after[a]):
            self.before[n] = self.before[n] & ~(1 << b) | 1 << a
        self._look(1 << a)

    def _look(self, changed: int) -> None:
        """Work out when jobs end, how long is to go from their starts, and which jobs can only come later.

        Only what depends on the jobs of the bit mask `changed` is worked out anew.
        """
        order = self._topological()
        dirty = changed
        for n in order:
            if dirty >> n & 1:
                starts = self._latest(self.ends, self.before[n])
                self.ends[n] = [start + length for start, length in zip(starts, self.jobs[n].lengths, strict=True)]
                dirty |= self.after[n]
        dirty = changed
        for n in reversed(order):
            if dirty >> n & 1:
                rest = self._latest(self.tails, self.after[n])
                self.tails[n] = [tail + length for tail, length in zip(rest, self.jobs[n].lengths, strict=True)]
                self.reach[n] = self.after[n]
                for s in members(self.after[n]):
                    self.reach[n] |= self.reach[s]
                dirty |= self.before[n]

    def _latest(self, times: dict[int, list[float]], jobs: int) -> list[float]:
        """The latest of some jobs' times in every scenario, 0 where there are no jobs."""
        if not jobs:
            return [0.0 for _ in self._scenarios]
        if not jobs & (jobs - 1):
            return times[jobs.bit_length() - 1]
        return list(map(max, *(times[n] for n in members(jobs))))

    def _topological(self) -> list[int]:
        waiting = {n: mask.bit_count() for n, mask in self.before.items()}
        order = [n for n, count in waiting.items() if not count]
        for n in order:
            for s in members(self.after[n]):
                waiting[s] -= 1
                if not waiting[s]:
                    order.append(s)
        return order

    def can_join(self, a: int, b: int) -> bool:
        """Whether no third job must run between the two."""
        return not any(self.reach[s] >> b & 1 for s in members(self.after[a] & ~(1 << b))) and not any(
            self.reach[s] >> a & 1 for s in members(self.after[b] & ~(1 << a))
        )

    def price(self, a: int, b: int) -> float:
        """What joining two jobs costs: GPU time held more, and time that others wait and that the whole gets longer."""
        one, two = self.jobs[a], self.jobs[b]
        joined = self.sketch(one.steps | two.steps)
        return (joined.held - one.held - two.held) / self._used + self._delay(a, b, joined.lengths)

    def size(self, a: int, b: int) -> int:
        """How many steps the two jobs have together."""
        return (self.jobs[a].steps | self.jobs[b].steps).bit_count()

    def least_price(self, a: int, b: int) -> float:
        """A lower bound of the price, had without packing the two together."""
        one, two = self.jobs[a], self.jobs[b]
        lengths = tuple(map(max, one.lengths, two.lengths))
        return (one.used + two.used - one.held - two.held) / self._used + self._delay(a, b, lengths)

    def _delay(self, a: int, b: int, lengths: Sequence[float]) -> float:
        outside = ~(1 << a | 1 << b)
        starts = self._latest(self.ends, (self.before[a] | self.before[b]) & outside)
        tails = self._latest(self.tails, (self.after[a] | self.after[b]) & outside)
        late = wait = 0.0
        for k, unlimited in enumerate(self._unlimited):
            end = starts[k] + lengths[k]
            late += max(0.0, (end + tails[k]) / unlimited - 1.0)
            wait += sum(max(0.0, end - self.ends[n][k]) / unlimited for n in (a, b) if self.after[n] & outside)
        late, wait = late / len(lengths), wait / len(lengths)
        return INFINITE if late > LATE_LIMIT else LATE_PRICE * late + WAIT_PRICE * wait


def _inseparable(packer: Packer) -> list[int]:
    """The smallest jobs: steps joined by "started" edges, and all that lies between them."""
    order = packer.order
    waits: nx.DiGraph[int] = nx.DiGraph()
    waits.add_nodes_from(range(len(order.together)))
    for i, mask in enumerate(order.together):
        waits.add_edges_from((i, j) for j in members(mask) if j != i)
        waits.add_edges_from((p, i) for p in order.waits_end[i])
    return sorted((mask_of(part) for part in nx.strongly_connected_components(waits)), key=lambda mask: mask & -mask)


def join_stages(stages: Stages) -> Iterator[list[Sketch]]:
    """Plans with ever fewer jobs, each made from the one before by the join that costs least."""
    yield list(stages.jobs.values())
    seen = _neighbours(stages, mask_of(stages.jobs))
    # Of equal prices the join that makes the smaller job comes first; prices are lower bounds until they are asked for.
    heap = [(stages.least_price(a, b), stages.size(a, b), False, a, b) for a, b in seen]
    heapq.heapify(heap)
    while heap:
        price, size, exact, a, b = heapq.heappop(heap)
        if a not in stages.jobs or b not in stages.jobs or not stages.can_join(a, b):
            continue
        now, size_now = stages.price(a, b), stages.size(a, b)
        if not exact or now > price + SAME or size_now > size:
            if now < INFINITE:
                heapq.heappush(heap, (now, size_now, True, a, b))
            continue
        stages.join(a, b)
        yield list(stages.jobs.values())
        seen = {pair for pair in seen if a not in pair and b not in pair}
        for x, y in _neighbours(stages, 1 << a) - seen:
            seen.add((x, y))
            heapq.heappush(heap, (stages.least_price(x, y), stages.size(x, y), False, x, y))


def _neighbours(stages: Stages, jobs: int) -> set[tuple[int, int]]:
    """Pairs worth joining in which one is of `jobs`, or was changed by a join into it.

    One waits directly for the other, or both wait for (or are waited for by) the same jobs and are much alike on their
    other side.
    """
    pairs = {(min(a, b), max(a, b)) for a in members(jobs) for b in members(stages.after[a] | stages.before[a])}
    touched = jobs
    for a in members(jobs):
        touched |= stages.before[a] | stages.after[a]
    for side, other in ((stages.before, stages.after), (stages.after, stages.before)):
        keys = {side[n] for n in members(touched)}
        alike: dict[int, list[int]] = {key: [] for key in keys}
        for n, key in side.items():
            if key in keys:
                alike[key].append(n)
        for siblings in alike.values():
            siblings.sort(key=lambda n: (other[n], stages.tails[n][0], n))
            for reach in range(1, SIBLINGS + 1):
                pairs.update((min(a, b), max(a, b)) for a, b in zip(siblings, siblings[reach:], strict=False))
    return pairs


def in_order(packer: Packer, stages: Sequence[Stage]) -> tuple[list[Stage], list[tuple[int, ...]]]:
    """The jobs in an order in which they can be submitted, and for each the places of those that it must wait for.

    Jobs that are waited for through others are left out.
    """
    job_of = {i: number for number, stage in enumerate(stages) for i in members(stage.steps)}
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(stages)))
    for i, waits in enumerate(packer.order.waits_end):
        graph.add_edges_from((job_of[p], job_of[i]) for p in waits if job_of[p] != job_of[i])
    listed = list(nx.lexicographical_topological_sort(graph))
    place = {number: position for position, number in enumerate(listed)}
    direct = nx.transitive_reduction(graph)
    after = [tuple(sorted(place[p] for p in direct.predecessors(number))) for number in listed]
    return [stages[number] for number in listed], after
