"""Which nodes can host which groups, each group needing nodes of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from slurm.graph import Step
from slurm.inventory import NodeClass

MAX_GROUPS = 128
"""Most components of one hetjob (MAX_HET_JOB_COMPS). Source: measured on Slurm 26.05: 128 accepted, 129 not."""


class Kind(NamedTuple):
    """Steps of one kind may share a group: `label` of their GPU, shares or whole GPUs, and where the group may run.

    `anywhere` marks steps without GPU that only a node with GPUs can hold.
    """

    label: str | None
    shares: bool = False
    anywhere: bool = False

    @property
    def uses_gpu(self) -> bool:
        """Whether a group of this kind holds GPU time."""
        return self.label is not None


class Shape(NamedTuple):
    """What a group asks for, per node, on `nodes` nodes at once."""

    gpus: int
    shards: int
    cpus: int
    memory_mib: int
    nodes: int = 1


class Hosts:
    """The inventory, asked by kind and shape."""

    def __init__(self, inventory: Sequence[NodeClass]) -> None:
        self.inventory = tuple(
            one if one.pool else replace(one, pool=f"class-{number}") for number, one in enumerate(inventory)
        )
        self._classes: dict[Kind, tuple[NodeClass, ...]] = {}
        self._preferences: dict[tuple[Kind, Shape], list[NodeClass]] = {}

    def kind_of(self, step: Step) -> Kind:
        """The kind of a step; CPU steps go to nodes without GPU where one can hold them."""
        kind = Kind(step.gpu_type, shares=step.shards > 0)
        if step.gpu_type is None and not self.fits(kind, shape_of(step)):
            return Kind(None, anywhere=True)
        return kind

    def classes(self, kind: Kind) -> tuple[NodeClass, ...]:
        """The classes that a group of this kind may run on."""
        if kind not in self._classes:
            self._classes[kind] = tuple(
                one
                for one in self.inventory
                if (kind.anywhere or one.label == kind.label) and (not kind.shares or one.shards)
            )
        return self._classes[kind]

    def fits(self, kind: Kind, shape: Shape) -> bool:
        """Whether enough nodes of one place (partition and GPU type) are large enough."""
        return any(True for _ in self.places(kind, shape))

    def places(self, kind: Kind, shape: Shape) -> Iterable[tuple[NodeClass, ...]]:
        """The classes that can hold the shape, by place; only places with enough nodes."""
        by_place: dict[tuple[str, str | None, str], list[NodeClass]] = {}
        for one in self.classes(kind):
            if _holds(one, shape):
                by_place.setdefault((one.partition, one.gres_type, one.constraint), []).append(one)
        for classes in by_place.values():
            if sum(one.count for one in classes) >= shape.nodes:
                yield tuple(classes)

    def gpu_equivalents(self, kind: Kind, shape: Shape) -> float:
        """How many GPUs a group of this shape holds, over all its nodes; shares count as parts of one."""
        if not kind.shares:
            return float(shape.gpus * shape.nodes)
        per_gpu = min(one.shards_per_gpu for one in self.classes(kind))
        return shape.shards * shape.nodes / per_gpu

    def assign(self, groups: Sequence[tuple[Kind, Shape]]) -> list[NodeClass] | None:
        """A class for every group so that all can have nodes of their own at once; None when there is no such choice.

        Groups of several nodes take the place with most nodes; for the others a maximum matching decides.
        """
        options = [self._options(kind, shape) for kind, shape in groups]
        if len(groups) > MAX_GROUPS or not all(options):
            return None
        free = {one.pool: one.count for one in self.inventory}
        held: dict[str, list[int]] = {pool: [] for pool in free}
        chosen: dict[tuple[int, str], NodeClass] = {}
        for number in sorted(range(len(groups)), key=lambda k: len(options[k])):
            for _ in range(groups[number][1].nodes):
                if not _place(number, options, free, held, chosen, set()):
                    return None
        return [next(chosen[number, pool] for pool in held if number in held[pool]) for number in range(len(groups))]

    def _options(self, kind: Kind, shape: Shape) -> list[NodeClass]:
        if (kind, shape) not in self._preferences:
            self._preferences[kind, shape] = self._preferred(kind, shape)
        return self._preferences[kind, shape]

    def _preferred(self, kind: Kind, shape: Shape) -> list[NodeClass]:
        places = sorted(
            self.places(kind, shape), key=lambda place: (place[0].gpus > 0, -sum(one.count for one in place))
        )
        if not kind.uses_gpu:
            places.sort(key=lambda place: place[0].gpus > 0)
        if shape.nodes > 1:
            places = places[:1]
        return [one for place in places for one in sorted(place, key=lambda one: (one.gpus, one.memory_mib))]


def shape_of(step: Step) -> Shape:
    """What a step alone asks for."""
    return Shape(step.gpus, step.shards, step.cpus, step.memory_mib, step.nodes)


def _holds(one: NodeClass, shape: Shape) -> bool:
    # A job's shares must lie on one GPU: 5 of 4 a GPU never starts (measured, Slurm 26.05).
    return (
        shape.gpus <= one.gpus
        and shape.shards <= one.shards_per_gpu
        and shape.cpus <= one.cpus
        and shape.memory_mib <= one.memory_mib
    )


def _place(
    number: int,
    options: Sequence[Sequence[NodeClass]],
    free: dict[str, int],
    held: dict[str, list[int]],
    chosen: dict[tuple[int, str], NodeClass],
    seen: set[str],
) -> bool:
    """Give group `number` one more node, moving others along an augmenting path when needed."""
    for one in options[number]:
        pool = one.pool
        if pool in seen:
            continue
        seen.add(pool)
        if free[pool] > 0:
            free[pool] -= 1
        else:
            for k, other in enumerate(held[pool]):
                if other != number and _place(other, options, free, held, chosen, seen):
                    held[pool].pop(k)
                    break
            else:
                continue
        held[pool].append(number)
        chosen[number, pool] = one
        return True
    return False
