"""Where a simulated job's components fit: every component on nodes of its own, as Slurm places het groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slurm.submission import Component


@dataclass(frozen=True)
class FakeNode:
    """Capacity of one node; `gpu_type` is Slurm's gres type, memory in MiB."""

    name: str
    partition: str
    gpu_type: str | None = None
    gpus: int = 0
    shards: int = 0
    cpus: int = 32
    memory_mib: int = 200_000
    features: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Need:
    """What one node must have free for a component."""

    gpu_type: str | None
    gpus: int
    shards: int
    cpus: int
    memory_mib: int


def need_of(component: Component) -> Need:
    """Demands per node of one component; reads gres as "gpu:A100:4", "gpu:2", "shard:8" or ""."""
    words = component.gres.split(":") if component.gres else []
    count = int(words[-1]) if words else 0
    is_gpu = words[:1] == ["gpu"]
    return Need(
        gpu_type=words[1] if is_gpu and len(words) == 3 else None,
        gpus=count if is_gpu else 0,
        shards=count if words[:1] == ["shard"] else 0,
        cpus=component.cpus,
        memory_mib=component.memory_mib,
    )


NOTHING = Need(None, 0, 0, 0, 0)


def total(needs: Sequence[Need]) -> Need:
    """The sum of several needs, whatever their GPU type."""
    return Need(
        None,
        sum(need.gpus for need in needs),
        sum(need.shards for need in needs),
        sum(need.cpus for need in needs),
        sum(need.memory_mib for need in needs),
    )


def fits(node: FakeNode, component: Component, used: Need) -> bool:
    """Whether one node, of which `used` is taken, can hold the component; a GPU with shards in use is not whole any more."""
    need = need_of(component)
    per_gpu = node.shards // node.gpus if node.gpus else 1
    shards = used.shards + need.shards
    return (
        node.partition == component.partition
        and (not component.constraint or component.constraint in node.features)
        and (need.gpu_type is None or need.gpu_type == node.gpu_type)
        and used.gpus + need.gpus - (shards // -per_gpu if shards else 0) <= node.gpus
        and shards <= node.shards
        and used.cpus + need.cpus <= node.cpus
        and used.memory_mib + need.memory_mib <= node.memory_mib
    )


def place(
    components: Mapping[int, Component], nodes: Sequence[FakeNode], used: Mapping[str, Need]
) -> dict[int, tuple[str, ...]] | None:
    """Node names for every component (the keys come back), the largest first; None when not all fit now."""
    taken: set[str] = set()
    placed: dict[int, tuple[str, ...]] = {}
    for key, component in sorted(components.items(), key=lambda item: (-need_of(item[1]).gpus, item[0])):
        free = [node.name for node in nodes if node.name not in taken and fits(node, component, used[node.name])]
        if len(free) < component.nodes:
            return None
        placed[key] = tuple(free[: component.nodes])
        taken.update(placed[key])
    return placed
