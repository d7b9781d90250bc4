"""The smallest allocation: steps of one kind take turns in one group, however long that takes."""

from __future__ import annotations

from slurm.plan.bins import Bin, Bundle, Packing
from slurm.plan.demand import Packer
from slurm.plan.hosting import Kind, Shape
from slurm.plan.order import mask_of, members
from slurm.plan.packing import Filling


def pack_smallest(packer: Packer, steps: int) -> Packing:
    """One group a kind, as large as its largest step; steps joined by "started" edges are packed as ever, beside it.

    Those run together by the graph's own wish, and taking turns they could wait for each other for ever.
    """
    linked = steps & packer.linked
    bundles = list(Filling(packer, linked).result().bundles) if linked else []
    bins = [_bin(packer, kind, steps & ~linked) for kind in sorted(set(packer.kinds), key=str)]
    bins = [one for one in bins if one.steps]
    starts, ends = _take_turns(packer, steps, bins)
    everything = [(one.kind, one.steps, one.shape) for one in bins]
    everything += [(bundle.kind, bundle.steps, bundle.shape) for bundle in bundles]
    packed = tuple(Bundle(kind, mask, shape, max(ends[i] for i in members(mask))) for kind, mask, shape in everything)
    return Packing(packed, tuple(starts), max(ends), ())


def _bin(packer: Packer, kind: Kind, steps: int) -> Bin:
    mask = mask_of(i for i in members(steps) if packer.kinds[i] == kind)
    numbers = members(mask)
    gpus, shards, cpus, memory_mib = (max((packer.demands[i][k] for i in numbers), default=0) for k in range(4))
    nodes = max((packer.graph.steps[i].nodes for i in numbers), default=1)
    return Bin(kind, timed=True, steps=mask, shape=Shape(gpus, shards, cpus, memory_mib, nodes))


def _take_turns(packer: Packer, steps: int, bins: list[Bin]) -> tuple[list[float], list[float]]:
    """Expected starts and ends when every step starts as soon as it may and its group has room."""
    order, durations = packer.order, packer.expectation.durations
    starts, ends = [0.0] * len(durations), [0.0] * len(durations)
    running: dict[int, list[int]] = {k: [] for k in range(len(bins))}
    for i, is_end in order.events:
        if not steps >> i & 1:
            continue
        if is_end:
            ends[i] = max((ends[c] for c in order.clients[i]), default=starts[i] + durations[i])
            continue
        ready = max((ends[p] for p in order.waits_end[i]), default=0.0)
        starts[i] = max((starts[p] for p in order.waits_start[i]), default=ready)
        starts[i] = max(starts[i], ready)
        for k, one in enumerate(bins):
            if one.steps >> i & 1:
                starts[i] = _first_room(packer, one, running[k], starts, i)
                running[k].append(i)
    return starts, ends


def _first_room(packer: Packer, one: Bin, placed: list[int], starts: list[float], i: int) -> float:
    """When the group first has room for step i, at `starts[i]` or later, beside the steps already placed."""
    durations, demand = packer.expectation.durations, packer.demands[i]
    one.set_profile((starts[j], starts[j] + durations[j], packer.demands[j]) for j in placed)
    times = [starts[i], *(time for time in one.times if time > starts[i])]
    for start in times:
        peak = one.peak(start, start + durations[i])
        if all(used + more <= room for used, more, room in zip(peak, demand, one.shape[:4], strict=True)):
            return start
    raise AssertionError("a group is never smaller than its largest step")
