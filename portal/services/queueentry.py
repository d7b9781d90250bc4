"""One line of the queue, of the portal's own work or a job from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class QueueEntry:
    """One waiting line. `workload_id` is None for a job from outside the portal; a private one keeps its name to itself."""

    order: int
    workload_id: str | None
    name: str
    priority: str
    resources: str
    applicant: str
    state: str
    phase: str
    submitted_at: datetime | None
    slurm_id: int | None
    slurm_priority: int | None
    slurm_reason: str
    estimated_start: datetime | None
    held: bool
    changed_outside_at: datetime | None
    private: bool = False
    gpus: Mapping[str, int] = field(default_factory=dict)
    """What it waits for by GPU type; of an outside job as Slurm counts it."""
    cpus: int | None = None
    """CPUs of the component that `resources` names."""
    nice: int | None = None
    wanted_nice: int | None = None
    """What the portal last wrote and what it wants now; None for an outside job."""
    applying: bool = False
    """Asked for in the portal, and not yet in Slurm."""
    not_changed: str = ""
    """Why Slurm refused the place that was asked for."""
    own: bool = False
    """The asker's."""
