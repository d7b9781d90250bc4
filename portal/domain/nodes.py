"""Node states in the words of the resources page (decision D32) and what of a node is idle or unavailable (D17)."""

from __future__ import annotations

from slurm.records import NodeRecord
from slurm.states import NODE_USABLE

_DOWN_FLAGS = frozenset(
    {"NOT_RESPONDING", "FAIL", "POWERED_DOWN", "POWERING_DOWN", "POWER_DOWN", "INVALID_REG", "REBOOT_ISSUED"}
)
_SAVING_POWER = frozenset({"POWERED_DOWN", "POWERING_DOWN", "POWER_DOWN"})
_RESERVED_FLAGS = frozenset({"MAINTENANCE", "RESERVED", "PLANNED_MAINTENANCE"})


def shown_state(node: NodeRecord) -> str:
    """active, drain, down, reserved or unknown: draining with running jobs is drain; not responding, failed or off is down."""
    if node.state == "UNKNOWN":
        return "unknown"
    if node.state not in NODE_USABLE or node.flags & _DOWN_FLAGS:
        return "down"
    if "DRAIN" in node.flags:
        return "drain"
    return "reserved" if node.flags & _RESERVED_FLAGS else "active"


def split(node: NodeRecord, total: int, allocated: int) -> tuple[int, int]:
    """(idle, unavailable) of one resource of a node, so that total = allocated + idle + unavailable always holds."""
    free = max(total - allocated, 0)
    return (free, 0) if shown_state(node) == "active" else (0, free)


def is_lost(node: NodeRecord) -> bool:
    """Down, and not because Slurm saves power: somebody should look."""
    return shown_state(node) == "down" and not node.flags & _SAVING_POWER
