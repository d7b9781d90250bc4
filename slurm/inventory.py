"""Node classes: what a plan may ask for, made from a snapshot's nodes and partitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from slurm.records import NodeRecord, PartitionRecord

# NodeState FUTURE: a node that is configured but does not exist yet (slurm.conf(5), Slurm 25.11).
NOT_THERE = frozenset({"FUTURE"})
# Partition states that never start jobs; INACTIVE takes none either (scontrol(1), Slurm 25.11).
CLOSED = frozenset({"DOWN", "INACTIVE"})


@dataclass(frozen=True)
class NodeClass:
    """Equal nodes reachable through one partition; sizes are per node.

    `label` is the GPU type as people call it, `gres_type` as Slurm does; both None for nodes without GPU. `shards` are
    all shares of the node's GPUs together. Empty `accounts` and `qos` mean everybody, `max_time_min` None unlimited.
    Classes with the same non-empty `pool` are the same machines seen through several partitions.
    """

    label: str | None
    gres_type: str | None
    partition: str
    constraint: str
    gpus: int
    shards: int
    cpus: int
    memory_mib: int
    count: int
    accounts: frozenset[str] = frozenset()
    qos: frozenset[str] = frozenset()
    max_time_min: int | None = None
    pool: str = ""

    @property
    def shards_per_gpu(self) -> int:
        """How many shares one GPU is cut into; 0 where there are none."""
        return self.shards // self.gpus if self.gpus else 0


def inventory_from(
    nodes: Iterable[NodeRecord], partitions: Iterable[PartitionRecord], labels: Mapping[str, str]
) -> tuple[NodeClass, ...]:
    """The classes of a cluster: nodes equal in GPUs, shares, CPUs, memory, features and partitions are one class a partition.

    A node that is down or drained counts: a plan asks whether a size exists, Slurm decides when it is free. Only FUTURE
    nodes and closed partitions are left out. `labels` gives the label of a gres type where the two differ ("" is the
    type of GPUs without one). A node with several GPU types is one class a type. Features tell classes apart but are
    never demanded: `constraint` stays empty.
    """
    open_partitions = {partition.name: partition for partition in partitions if partition.state not in CLOSED}
    counts: Counter[tuple[int, int, frozenset[str], tuple[str, ...], tuple[tuple[str, int], ...]]] = Counter()
    for node in nodes:
        through = tuple(sorted(name for name in node.partitions if name in open_partitions))
        if node.state not in NOT_THERE and through:
            gres = tuple(sorted((name, count) for name, count in node.gres.items() if count > 0))
            counts[(node.cpus, node.memory_mib, node.features, through, gres)] += 1
    classes: list[NodeClass] = []
    for number, (key, count) in enumerate(
        sorted(counts.items(), key=lambda item: (item[0][3:], *item[0][:2], sorted(item[0][2])))
    ):
        cpus, memory_mib, _, through, gres = key
        for name in through:
            partition = open_partitions[name]
            for gres_type, gpus in _gpu_types(gres):
                classes.append(
                    NodeClass(
                        label=None if gres_type is None else labels.get(gres_type, gres_type),
                        gres_type=gres_type,
                        partition=name,
                        constraint="",
                        gpus=gpus,
                        shards=_shards(gres) if gpus else 0,
                        cpus=cpus,
                        memory_mib=memory_mib,
                        count=count,
                        accounts=partition.allow_accounts,
                        qos=partition.allow_qos,
                        max_time_min=partition.max_time_min,
                        pool=f"pool-{number}",
                    )
                )
    return tuple(classes)


def usable_by(
    inventory: Iterable[NodeClass], *, account: str, qos: str, time_limit_min: int | None = None
) -> tuple[NodeClass, ...]:
    """The classes that a job of this account, QOS and time limit may use."""
    return tuple(
        one
        for one in inventory
        if (not one.accounts or account in one.accounts)
        and (not one.qos or qos in one.qos)
        and (time_limit_min is None or one.max_time_min is None or time_limit_min <= one.max_time_min)
    )


def without_memory(inventory: Iterable[NodeClass], memory_mib: int) -> tuple[NodeClass, ...]:
    """The same classes with less memory a node; classes with nothing left are dropped."""
    return tuple(
        replace(one, memory_mib=one.memory_mib - memory_mib) for one in inventory if one.memory_mib > memory_mib
    )


def _gpu_types(gres: tuple[tuple[str, int], ...]) -> list[tuple[str | None, int]]:
    """[("A100", 8)] of {"gpu:A100": 8, "shard": 32}; [(None, 0)] where there is no GPU."""
    types: list[tuple[str | None, int]] = [
        (name.partition(":")[2], count) for name, count in gres if name == "gpu" or name.startswith("gpu:")
    ]
    return types or [(None, 0)]


def _shards(gres: tuple[tuple[str, int], ...]) -> int:
    return sum(count for name, count in gres if name == "shard" or name.startswith("shard:"))
