"""What sets of steps would ask for as one group, and whether a node can host that."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.graph import StepGraph
from slurm.plan.antichain import heaviest_antichain
from slurm.plan.bins import NOTHING, Demand
from slurm.plan.expect import Expectation, likely_order, scenarios
from slurm.plan.hosting import Hosts, Kind, Shape, shape_of
from slurm.plan.order import Order, mask_of, members

TIE = 1e-6
"""A group costs this part of one GPU on top, so that of equal packings the one with fewer groups wins."""


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
        self._gpus = tuple(
            hosts.gpu_equivalents(kind, shape_of(step)) if kind.uses_gpu else 0.0
            for kind, step in zip(self.kinds, graph.steps, strict=True)
        )
        starts, ends = order.times(expectation.durations)
        self._lives = tuple(end - start for start, end in zip(starts, ends, strict=True))
        self.scenarios = scenarios(graph, expectation)
        self.linked = mask_of(i for i, mask in enumerate(order.together) if mask != 1 << i)
        self.likely = order.later if expectation.known else likely_order(order, expectation)
        self._guesses = tuple(self.likely[i] & ~order.later[i] for i in range(len(self.kinds)))
        self._meeting = (_meeting(order.later), _meeting(self.likely))
        self._heaviest: dict[tuple[int, int, bool], int] = {}
        self._sums: dict[int, tuple[int, int, int, int, int]] = {}
        self._feasible: dict[tuple[Kind, Shape], bool] = {}

    def gpus(self, i: int) -> float:
        """GPUs that step i uses while it runs, over all its nodes; shares count as parts of one."""
        return self._gpus[i]

    def used(self, steps: int) -> float:
        """GPU-seconds that the steps are expected to use; a service uses its GPUs for as long as others need it."""
        return sum(self._gpus[i] * self._lives[i] for i in members(steps & self.uses_gpu))

    def fits(self, kind: Kind, shape: Shape) -> bool:
        """Whether a node (or enough of them) can host a group of this shape."""
        if (kind, shape) not in self._feasible:
            self._feasible[kind, shape] = self.hosts.fits(kind, shape)
        return self._feasible[kind, shape]

    def equivalents(self, kind: Kind, shape: Shape) -> float:
        """GPUs that a group of this shape holds; without GPU a mere tie-breaker."""
        if not kind.uses_gpu:
            return TIE * TIE * shape.cpus * shape.nodes
        return self.hosts.gpu_equivalents(kind, shape)

    def all_meet(self, i: int, steps: int, *, likely: bool) -> bool:
        """Whether step i may run beside each of some steps."""
        return not steps & ~self._meeting[likely][i]

    def relies(self, steps: int) -> bool:
        """Whether two of the steps are in likely order only."""
        return any(self._guesses[i] & steps for i in members(steps))

    def heaviest(self, resource: int, steps: int, *, likely: bool, newest: int = -1) -> int:
        """The most of one resource (by its place in a demand) that steps of a set can want at the same time.

        Where the answer without step `newest` is known, only those that can meet `newest` are looked at.
        """
        key = (resource, steps, likely)
        known = self._heaviest.get(key)
        if known is not None:
            return known
        column, later = self._columns[resource], self.likely if likely else self.order.later
        without = self._heaviest.get((resource, steps & ~(1 << newest), likely)) if newest >= 0 else None
        if without is None:
            answer = heaviest_antichain(steps, column, later)
        else:
            meeting = steps & self._meeting[likely][newest]
            beside = self.heaviest(resource, meeting, likely=likely) if meeting else 0
            answer = max(without, column[newest] + beside)
        self._heaviest[key] = answer
        return answer

    def shape(self, kind: Kind, steps: int, *, likely: bool, newest: int = -1) -> Shape:
        """The least that lets every step of a set start when it may: per resource the heaviest set that can meet.

        With `likely`, steps that probably never meet count as if they never did, where that saves GPU time. Steps
        joined to others by "started" edges are counted by certain order alone: one of those that waits for room could
        keep another waiting for ever.
        """
        likely = likely and kind.uses_gpu and not steps & self.linked
        gpus, shards, cpus, memory_mib = (
            self.heaviest(k, steps, likely=likely, newest=newest) for k in range(len(NOTHING))
        )
        return Shape(gpus, shards, cpus, memory_mib, self._together(steps, newest)[-1])

    def bound(self, kind: Kind, steps: int, *, likely: bool, newest: int = -1) -> Shape:
        """Like `shape`, but exact for GPUs only: the other resources are added up where that fits a node anyhow."""
        *_, cpus, memory, nodes = self._together(steps, newest)
        if not kind.uses_gpu:
            shape = Shape(0, 0, cpus, memory, nodes)
            return shape if self.fits(kind, shape) else self.shape(kind, steps, likely=False, newest=newest)
        ordered = likely and not steps & self.linked
        gpus = self.heaviest(0, steps, likely=ordered, newest=newest)
        shards = self.heaviest(1, steps, likely=ordered, newest=newest) if kind.shares else 0
        shape = Shape(gpus, shards, cpus, memory, nodes)
        if self.fits(kind, shape) or not self.fits(kind, Shape(gpus, shards, 1, 1, nodes)):
            return shape
        return self.shape(kind, steps, likely=likely, newest=newest)

    def _together(self, steps: int, newest: int) -> tuple[int, int, int, int, int]:
        """All that some steps ask for added up, and the most nodes that one of them asks for."""
        known = self._sums.get(steps)
        if known is None:
            rest = self._sums.get(steps & ~(1 << newest)) if newest >= 0 else None
            numbers = [newest] if rest else members(steps)
            known = rest or (0, 0, 0, 0, 1)
            for i in numbers:
                sums = zip(known, self.demands[i], strict=False)
                known = (*(a + b for a, b in sums), max(known[-1], self.graph.steps[i].nodes))  # type: ignore[assignment]
            self._sums[steps] = known
        return known


def _meeting(later: Sequence[int]) -> tuple[int, ...]:
    """For every step the others that it may run beside."""
    everything = (1 << len(later)) - 1
    earlier = [0] * len(later)
    for i, mask in enumerate(later):
        for j in members(mask):
            earlier[j] |= 1 << i
    return tuple(everything & ~(mask | earlier[i] | 1 << i) for i, mask in enumerate(later))
