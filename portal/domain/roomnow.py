"""Whether a plan could start this moment: every group on a node of its own, from what the newest snapshot says is free.

    room_now(plan, snapshot.nodes) -> (("gpu1", group), ("gpu3", group)) or None
Slurm gives each component of a hetjob nodes of its own, and decides itself: what waits already may go first.
"""

from __future__ import annotations

from collections.abc import Sequence

from portal.domain.nodes import shown_state
from slurm.plan import Group, Plan
from slurm.records import NodeRecord

Place = tuple[str, Group]


def room_now(plan: Plan, nodes: Sequence[NodeRecord]) -> tuple[Place, ...] | None:
    """A node for every group of the jobs that start at once; None: there is no such choice of nodes now."""
    slots = [group for job in plan.jobs if not job.after_jobs for group in job.groups for _ in range(group.nodes)]
    holds: dict[int, int] = {}
    for slot in range(len(slots)):
        if not _placed(slot, slots, nodes, holds, set()):
            return None
    return tuple((nodes[node].name, slots[slot]) for node, slot in sorted(holds.items(), key=lambda item: item[1]))


def _placed(
    slot: int, slots: Sequence[Group], nodes: Sequence[NodeRecord], holds: dict[int, int], tried: set[int]
) -> bool:
    """Give `slot` a node, moving others to another one where that helps (an augmenting path of the matching)."""
    for number, node in enumerate(nodes):
        if number in tried or not _fits(slots[slot], node):
            continue
        tried.add(number)
        if number not in holds or _placed(holds[number], slots, nodes, holds, tried):
            holds[number] = slot
            return True
    return False


def _fits(group: Group, node: NodeRecord) -> bool:
    return (
        shown_state(node) == "active"
        and group.partition in node.partitions
        and node.cpus - node.cpus_allocated >= group.cpus
        and node.memory_mib - node.memory_allocated_mib >= group.memory_mib
        and _free(node, f"gpu:{group.gres_type}" if group.gres_type else "gpu") >= group.gpus
        and _free(node, "shard") >= group.shards
    )


def _free(node: NodeRecord, gres: str) -> int:
    return node.gres.get(gres, 0) - node.gres_used.get(gres, 0)
