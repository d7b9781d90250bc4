"""Where to cut a graph into jobs that follow each other: joining neighbours as long as little GPU time is lost."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import networkx as nx

from slurm.demand import Packer
from slurm.order import mask_of, members
from slurm.packing import Bundle, Filling

STEPS_PER_JOB = 3
"""A staged plan has at most one job for so many steps: every job queues once more, and schedulers prefer few."""

MAKESPAN_LIMIT = 1.1
"""How much longer than with unlimited resources a staged plan may be expected to take, without queueing."""


@dataclass(frozen=True)
class Stage:
    """The steps of one job (a bit mask), their groups with the one that stays to the end first, and what is expected of it."""

    steps: int
    bundles: tuple[Bundle, ...]
    starts: tuple[float, ...]
    waits: tuple[tuple[int, int], ...]
    held: float
    duration: float


class Stages:
    """All jobs of a plan while they are being joined; jobs are numbered, sets of jobs are bit masks."""

    def __init__(self, packer: Packer) -> None:
        self._packer = packer
        self._made: dict[int, Stage] = {}
        self.jobs = dict(enumerate(self.stage(mask) for mask in _inseparable(packer)))
        self.before = dict.fromkeys(self.jobs, 0)
        self.after = dict.fromkeys(self.jobs, 0)
        job_of = {i: number for number, stage in self.jobs.items() for i in members(stage.steps)}
        for i, waits in enumerate(packer.order.waits_end):
            for p in waits:
                if job_of[p] != job_of[i]:
                    self.before[job_of[i]] |= 1 << job_of[p]
                    self.after[job_of[p]] |= 1 << job_of[i]
        self._look()
        self.unlimited = self.whole

    def stage(self, steps: int) -> Stage:
        """One job of these steps, packed."""
        if steps not in self._made:
            self._made[steps] = make_stage(self._packer, steps)
        return self._made[steps]

    def join(self, a: int, b: int) -> None:
        """Make one job, `a`, of two."""
        self.jobs[a] = self.stage(self.jobs[a].steps | self.jobs[b].steps)
        del self.jobs[b]
        both = ~(1 << a | 1 << b)
        self.before[a] = (self.before[a] | self.before.pop(b)) & both
        self.after[a] = (self.after[a] | self.after.pop(b)) & both
        for n in members(self.before[a]):
            self.after[n] = self.after[n] & ~(1 << b) | 1 << a
        for n in members(self.after[a]):
            self.before[n] = self.before[n] & ~(1 << b) | 1 << a
        self._look()

    def _look(self) -> None:
        """Work out when jobs start, how long is to go from there, and which jobs can only come later."""
        order = self._topological()
        self.starts: dict[int, float] = {}
        self.tails: dict[int, float] = {}
        self.reach: dict[int, int] = {}
        for n in order:
            self.starts[n] = max((self.starts[p] + self.jobs[p].duration for p in members(self.before[n])), default=0.0)
        for n in reversed(order):
            self.tails[n] = self.jobs[n].duration + max((self.tails[s] for s in members(self.after[n])), default=0.0)
            self.reach[n] = self.after[n]
            for s in members(self.after[n]):
                self.reach[n] |= self.reach[s]
        self.whole = max((self.starts[n] + self.tails[n] for n in order), default=0.0)

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

    def price(self, a: int, b: int) -> tuple[float, float]:
        """What joining two jobs costs: GPU time held more, then how much later other jobs start."""
        one, two = self.jobs[a], self.jobs[b]
        joined = self.stage(one.steps | two.steps)
        outside = ~(1 << a | 1 << b)
        before = (self.before[a] | self.before[b]) & outside
        after = (self.after[a] | self.after[b]) & outside
        start = max((self.starts[p] + self.jobs[p].duration for p in members(before)), default=0.0)
        end = start + joined.duration
        longest = end + max((self.tails[s] for s in members(after)), default=0.0)
        if longest > self.unlimited * MAKESPAN_LIMIT:
            return float("inf"), longest
        late = sum(max(0.0, end - self.starts[s]) for s in members(after))
        return joined.held - one.held - two.held, late


def make_stage(packer: Packer, steps: int) -> Stage:
    """Pack some steps into one job; group 0 is the one for which staying to the end costs least."""
    packing = Filling(packer, steps).result()
    bundles = packing.bundles
    later = packer.order.later
    gpus = [packer.equivalents(bundle.kind, bundle.shape) if bundle.kind.uses_gpu else 0.0 for bundle in bundles]
    may_end_last = [any(not later[i] & steps for i in members(bundle.steps)) for bundle in bundles]
    first = min(
        (k for k in range(len(bundles)) if may_end_last[k]),
        key=lambda k: (gpus[k] * (packing.end - bundles[k].last), -bundles[k].last, gpus[k], k),
    )
    held = sum(gpu * bundle.last for gpu, bundle in zip(gpus, bundles, strict=True))
    held += gpus[first] * (packing.end - bundles[first].last)
    others = sorted(
        (k for k in range(len(bundles)) if k != first), key=lambda k: (-gpus[k], -bundles[k].shape.memory_mib, k)
    )
    return Stage(steps, tuple(bundles[k] for k in (first, *others)), packing.starts, packing.waits, held, packing.end)


def _inseparable(packer: Packer) -> list[int]:
    """The smallest jobs: steps joined by "started" edges, and all that lies between them."""
    order = packer.order
    waits: nx.DiGraph[int] = nx.DiGraph()
    waits.add_nodes_from(range(len(order.together)))
    for i, mask in enumerate(order.together):
        waits.add_edges_from((i, j) for j in members(mask) if j != i)
        waits.add_edges_from((p, i) for p in order.waits_end[i])
    return sorted((mask_of(part) for part in nx.strongly_connected_components(waits)), key=lambda mask: mask & -mask)


def join_stages(stages: Stages) -> Iterator[list[Stage]]:
    """Plans with ever fewer jobs, each made from the one before by the join that costs least."""
    yield list(stages.jobs.values())
    heap = [(stages.price(a, b), a, b) for a, b in _neighbours(stages, stages.jobs)]
    heapq.heapify(heap)
    while heap:
        price, a, b = heapq.heappop(heap)
        if a not in stages.jobs or b not in stages.jobs or not stages.can_join(a, b):
            continue
        now = stages.price(a, b)
        if now > price:
            if now[0] < float("inf"):
                heapq.heappush(heap, (now, a, b))
            continue
        stages.join(a, b)
        yield list(stages.jobs.values())
        for x, y in _neighbours(stages, (a,)):
            heapq.heappush(heap, (stages.price(x, y), x, y))


def _neighbours(stages: Stages, jobs: Iterable[int]) -> set[tuple[int, int]]:
    """Pairs worth joining: one waits for the other, or both wait for, or are waited for by, the same job, or nobody."""
    pairs: set[tuple[int, int]] = set()
    sources = mask_of(n for n, mask in stages.before.items() if not mask)
    sinks = mask_of(n for n, mask in stages.after.items() if not mask)
    for a in jobs:
        near = stages.before[a] | stages.after[a]
        for n in members(stages.before[a]):
            near |= stages.after[n]
        for n in members(stages.after[a]):
            near |= stages.before[n]
        near |= sources if sources >> a & 1 else 0
        near |= sinks if sinks >> a & 1 else 0
        pairs.update((min(a, b), max(a, b)) for b in members(near & ~(1 << a)))
    return pairs


def after_jobs(packer: Packer, stages: Sequence[Stage]) -> list[tuple[int, ...]]:
    """For every job the indices of those that it must wait for; the ones reached through another are left out."""
    job_of = {i: number for number, stage in enumerate(stages) for i in members(stage.steps)}
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(stages)))
    for i, waits in enumerate(packer.order.waits_end):
        graph.add_edges_from((job_of[p], job_of[i]) for p in waits if job_of[p] != job_of[i])
    reduced = nx.transitive_reduction(graph)
    return [tuple(sorted(reduced.predecessors(number))) for number in range(len(stages))]
