"""Steps of one job into groups that hold the fewest GPU-seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slurm.antichain import heaviest_antichain
from slurm.expect import Expectation
from slurm.graph import StepGraph
from slurm.hosting import Hosts, Kind, Shape, shape_of
from slurm.order import Order, members

MAX_ROUNDS = 4
"""How often every step is tried elsewhere; more rounds change little."""

TIE = 1e-6
"""A group costs this part of one GPU for one unit of time on top, so that of equal packings the one with fewer groups wins."""


@dataclass(frozen=True)
class Bundle:
    """Steps (a bit mask) that share one group, and what the group must ask for."""

    kind: Kind
    steps: int
    shape: Shape


class Packer:
    """Packs steps of one graph; remembers the shapes of the sets it has seen."""

    def __init__(self, graph: StepGraph, order: Order, hosts: Hosts) -> None:
        self.graph = graph
        self.order = order
        self.hosts = hosts
        self.kinds = tuple(hosts.kind_of(step) for step in graph.steps)
        steps = graph.steps
        self._demands = (
            [step.gpus for step in steps],
            [step.shards for step in steps],
            [step.cpus for step in steps],
            [step.memory_mib for step in steps],
        )

    def gpus(self, i: int) -> float:
        """GPUs that step i uses while it runs, over all its nodes; shares count as parts of one."""
        step, kind = self.graph.steps[i], self.kinds[i]
        return self.hosts.gpu_equivalents(kind, shape_of(step)) if kind.uses_gpu else 0.0

    def pack(self, steps: int, expectation: Expectation) -> list[Bundle]:
        """Groups for the steps of a bit mask, each within one node (or within `nodes` of them)."""
        by_kind: dict[Kind, int] = {}
        for i in members(steps):
            by_kind[self.kinds[i]] = by_kind.get(self.kinds[i], 0) | 1 << i
        bundles: list[Bundle] = []
        for kind in sorted(by_kind, key=lambda kind: (not kind.uses_gpu, str(kind.label), kind.shares, kind.anywhere)):
            table = Table(self, kind, expectation)
            left = by_kind[kind] if kind.uses_gpu else self._join(by_kind[kind], bundles, expectation)
            bundles.extend(Bundle(kind, mask, table.shape(mask)) for mask in _search(table, left))
        return bundles

    def _join(self, steps: int, bundles: list[Bundle], expectation: Expectation) -> int:
        """Put steps without GPU where they surely hold no GPU longer; the ones that found no such group are returned."""
        left = steps
        for i in members(steps):
            for k, bundle in enumerate(bundles):
                grown = bundle.steps | 1 << i
                if not self.order.later[i] & bundle.steps:
                    continue
                shape = Table(self, bundle.kind, expectation).shape(grown)
                if shape.nodes == bundle.shape.nodes and self.hosts.fits(bundle.kind, shape):
                    bundles[k] = Bundle(bundle.kind, grown, shape)
                    left &= ~(1 << i)
                    break
        return left

    def shape(self, steps: int, expectation: Expectation) -> Shape:
        """The least that lets every step of the set start when it may: per resource the heaviest set that can meet."""
        later = expectation.later if steps & ~expectation.loose == 0 else self.order.later
        numbers = list(members(steps))
        nodes = max(self.graph.steps[i].nodes for i in numbers)
        if _is_chain(numbers, later):
            gpus, shards, cpus, memory = (max(demand[i] for i in numbers) for demand in self._demands)
        else:
            gpus, shards, cpus, memory = (heaviest_antichain(steps, demand, later) for demand in self._demands)
        return Shape(gpus, shards, cpus, memory, nodes)


class Table:
    """Shapes and costs of sets of steps of one kind, each worked out once."""

    def __init__(self, packer: Packer, kind: Kind, expectation: Expectation) -> None:
        self.kind = kind
        self.ends = expectation.ends
        self._packer = packer
        self._expectation = expectation
        self._shapes: dict[int, Shape] = {}
        self._costs: dict[int, float] = {0: 0.0}
        self._span = max((self.ends[i] for i, other in enumerate(packer.kinds) if other == kind), default=1.0) or 1.0

    def shape(self, mask: int) -> Shape:
        """What a group of these steps must ask for."""
        if mask not in self._shapes:
            self._shapes[mask] = self._packer.shape(mask, self._expectation)
        return self._shapes[mask]

    def cost(self, mask: int) -> float:
        """Expected GPU time held by one group of these steps (CPU time where there is no GPU), infinite when no node is that large."""
        known = self._costs.get(mask)
        if known is None:
            known = self._costs[mask] = self._cost(mask)
        return known

    def _cost(self, mask: int) -> float:
        shape = self.shape(mask)
        if not self._packer.hosts.fits(self.kind, shape):
            return float("inf")
        last = max(self.ends[i] for i in members(mask))
        if self.kind.uses_gpu:
            return self._packer.hosts.gpu_equivalents(self.kind, shape) * last + TIE * self._span
        # Without GPUs only the number of groups and, far behind, the CPU time counts.
        return 1.0 + TIE * shape.cpus * shape.nodes * last / self._span


def _is_chain(numbers: Sequence[int], later: Sequence[int]) -> bool:
    """Whether no two of the steps can meet."""
    return all(later[a] >> b & 1 or later[b] >> a & 1 for k, a in enumerate(numbers) for b in numbers[:k])


def _search(table: Table, steps: int) -> list[int]:
    """Latest steps first, each where it adds least; then steps moved and groups joined as long as that helps."""
    groups: list[int] = []
    for i in sorted(members(steps), key=lambda i: (-table.ends[i], -table.shape(1 << i).gpus, i)):
        _insert(table, groups, i)
    for _ in range(MAX_ROUNDS):
        before = sum(table.cost(group) for group in groups)
        for i in members(steps):
            home = next(k for k, group in enumerate(groups) if group >> i & 1)
            groups[home] &= ~(1 << i)
            _insert(table, groups, i)
            groups = [group for group in groups if group]
        _join_groups(table, groups)
        if sum(table.cost(group) for group in groups) >= before * (1 - TIE):
            break
    return groups


def _insert(table: Table, groups: list[int], i: int) -> None:
    bit = 1 << i
    best, where = table.cost(bit), -1
    for k, group in enumerate(groups):
        added = table.cost(group | bit) - table.cost(group)
        if added < best:
            best, where = added, k
    if where < 0:
        groups.append(bit)
    else:
        groups[where] |= bit


def _join_groups(table: Table, groups: list[int]) -> None:
    """Join the two groups whose union saves most, again and again."""
    while True:
        saved, pair = max(_unions(table, groups), default=(0.0, (0, 0)))
        if saved <= 0:
            return
        a, b = pair
        groups[a] |= groups[b]
        groups.pop(b)


def _unions(table: Table, groups: Sequence[int]) -> Iterable[tuple[float, tuple[int, int]]]:
    for b in range(len(groups)):
        for a in range(b):
            yield table.cost(groups[a]) + table.cost(groups[b]) - table.cost(groups[a] | groups[b]), (a, b)
