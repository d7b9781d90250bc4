"""What is really used of what is allocated: running workloads with their launchers' samples, summed for the cluster (RS-05)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, Workload
from portal.domain.lifecycle import State
from portal.domain.permissions import Permission, may
from portal.domain.samples import Reading
from portal.rundir import RunDir
from portal.services import planning, queue, usage
from portal.services.access import person_of, workload_facts
from portal.services.audit import Actor
from portal.services.cluster import Amount, ClusterView
from portal.services.usage import Use
from portal.spec.graph import components_of
from portal.spec.load import load_resolved
from slurm.states import RUNNING as JOB_RUNNING

OpenRun = Callable[[Workload, Attempt], RunDir | None]
CPU, MEMORY, QUEUE, GPU = "cpu", "memory", "queue", "gpu:"


@dataclass(frozen=True)
class RunUse:
    """One running workload: what Slurm holds for it, and what its running components use.

    `gpus` are those held by type, `busy` how many of them work; None: not measured.
    """

    workload_id: str | None
    name: str
    owner: str
    started_at: datetime | None
    components: int
    running: int
    gpus: Mapping[str, int]
    cpus: int
    memory_mib: int
    use: Use
    busy: Mapping[str, int] | None

    @property
    def held_gpus(self) -> int:
        """Over all types."""
        return sum(self.gpus.values())

    @property
    def idle_gpus(self) -> int | None:
        """Held and at rest; None: not measured."""
        return None if self.busy is None else self.held_gpus - sum(self.busy.values())


async def running(session: AsyncSession) -> list[tuple[Workload, Attempt]]:
    """Workloads that Slurm runs now, with the attempt that runs."""
    query = select(Workload).where(Workload.state == State.RUNNING.value).order_by(Workload.started_at, Workload.id)
    return [(one, one.attempts[-1]) for one in (await session.scalars(query)).unique() if one.attempts]


def measure(found: Iterable[tuple[Workload, Attempt]], open_run: OpenRun, actor: Actor | None = None) -> list[RunUse]:
    """Read the samples of each; blocking. Private ones of others keep their name to themselves."""
    return [_run_use(workload, attempt, open_run(workload, attempt), actor) for workload, attempt in found]


def _run_use(workload: Workload, attempt: Attempt, folder: RunDir | None, actor: Actor | None) -> RunUse:
    steps = usage.of_run(folder, workload, attempt, running=True) if folder else {}
    types = {
        f"{task.task_id}/{component.id}": component.resources.gpu_type
        for _path, task, component in components_of(load_resolved(workload.resolved or workload.spec))
    }
    held = list(_held(attempt))
    gpus: dict[str, int] = {}
    for group in held:
        if group["gpu_type"] and group["gpus"]:
            gpus[group["gpu_type"]] = gpus.get(group["gpu_type"], 0) + group["gpus"] * group["nodes"]
    hidden = actor is not None and not may(person_of(actor), Permission.WORKLOAD_READ, workload_facts(workload))
    return RunUse(
        workload_id=None if hidden else workload.id,
        name="" if hidden else workload.name,
        owner=workload.owner.display_name,
        started_at=workload.started_at,
        components=len(types),
        running=len(steps),
        gpus=gpus,
        cpus=sum(group["cpus"] * group["nodes"] for group in held),
        memory_mib=sum(group["memory_mib"] * group["nodes"] for group in held),
        use=usage.joined(list(steps.values())),
        busy=_busy(steps, types, gpus),
    )


def _held(attempt: Attempt) -> Iterable[Mapping[str, Any]]:
    """The groups that Slurm holds now: of running jobs, without those that were given back."""
    released = (attempt.report or {}).get("released", {})
    plan = attempt.plan.get("jobs", [])
    for job in attempt.jobs:
        if job.state == JOB_RUNNING and job.job_index < len(plan):
            gone = set(released.get(str(job.job_index), ()))
            yield from (group for k, group in enumerate(plan[job.job_index]["groups"]) if k not in gone)


def _busy(steps: Mapping[str, Use], types: Mapping[str, str | None], gpus: Mapping[str, int]) -> dict[str, int] | None:
    """By type how many work; a GPU that is held while no component runs on it rests. Unknown if one has no figures."""
    with_gpus = {step: use for step, use in steps.items() if types.get(step)}
    if not steps or any(use.busy_gpus is None for use in with_gpus.values()):
        return None
    busy = dict.fromkeys(gpus, 0)
    for step, use in with_gpus.items():
        label = types[step] or ""
        busy[label] = busy.get(label, 0) + (use.busy_gpus or 0)
    return {label: min(count, gpus.get(label, 0)) for label, count in busy.items()}


async def waiting(session: AsyncSession) -> tuple[int, dict[str, int]]:
    """How many workloads wait in the queue, and for how many GPUs by type."""
    query = select(Workload).where(Workload.state == State.QUEUED.value, Workload.kind.not_in(queue.HIDDEN_KINDS))
    found = list((await session.scalars(query)).unique())
    wanted: dict[str, int] = {}
    for workload in found:
        for label, count in planning.gpus_of_plan(workload.attempts[-1].plan if workload.attempts else {}).items():
            wanted[label] = wanted.get(label, 0) + count
    return len(found), wanted


def reading_of(view: ClusterView, uses: Sequence[RunUse], queued: int, wanted: Mapping[str, int]) -> Reading:
    """One moment as a sample: the snapshot's sums, what was measured of them, and what waits.

    `measured` says how much of what is allocated the figure `used` covers.
    """
    known = [use for use in uses if use.busy is not None]
    reading: dict[str, dict[str, float | None]] = {}
    for label, amount in view.gpus.items():
        used = sum((use.busy or {}).get(label, 0) for use in known)
        covered = sum(use.gpus.get(label, 0) for use in known)
        reading[GPU + label] = {**_sums(amount, used, covered), "waiting": wanted.get(label, 0)}
    cores = [use for use in uses if use.use.cores is not None]
    reading[CPU] = _sums(view.cpus, sum(use.use.cores or 0 for use in cores), sum(use.cpus for use in cores))
    memory = [use for use in uses if use.use.memory_mib is not None]
    reading[MEMORY] = _sums(
        view.memory_mib, sum(use.use.memory_mib or 0 for use in memory), sum(use.memory_mib for use in memory)
    )
    reading[QUEUE] = {"waiting": queued}
    return reading


def _sums(amount: Amount, used: float, covered: float) -> dict[str, float | None]:
    """Nothing allocated is nothing used; allocated and nothing measured is not known."""
    is_known = covered > 0 or amount.allocated == 0
    return {
        "total": amount.total,
        "allocated": amount.allocated,
        "idle": amount.idle,
        "unavailable": amount.unavailable,
        "used": round(min(used, amount.allocated), 2) if is_known else None,
        "measured": min(covered, amount.allocated),
    }
