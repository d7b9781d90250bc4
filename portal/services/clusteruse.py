"""What is really used of what is allocated: running workloads with their launchers' samples, summed for the cluster (RS-05)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, Workload
from portal.domain.lifecycle import State
from portal.domain.permissions import Permission, may
from portal.domain.samples import Reading
from portal.domain.usage import Use, joined
from portal.rundir import RunDir
from portal.services import gpuuse, planning, queuelines, usage
from portal.services.access import person_of, workload_facts
from portal.services.audit import Actor
from portal.services.cluster import Amount, ClusterView
from portal.services.gpuuse import GpuUse, TypeUse
from portal.spec.graph import components_of
from portal.spec.load import load_resolved
from slurm.states import RUNNING as JOB_RUNNING

OpenRun = Callable[[Workload, Attempt], RunDir | None]
CPU, MEMORY, QUEUE, GPU = "cpu", "memory", "queue", "gpu:"
SIMULATED = "simulated"
"""Of a GPU type's figures: 1 where they are made up."""


@dataclass(frozen=True)
class RunUse:
    """One running workload: what Slurm holds for it, and what its running components use.

    `gpus` are those held by type, `busy` how many of them work (None: not measured), `shares` those of split GPUs.
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
    shares: Mapping[str, int] = field(default_factory=dict)
    simulated: bool = False

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


def told(
    uses: Sequence[RunUse], found: Sequence[tuple[Workload, Attempt]], view: ClusterView, gpus: GpuUse | None
) -> list[RunUse]:
    """The same with what Prometheus tells of their GPUs, where the exporter knows whose job holds which."""
    labels = gpuuse.labels(view, gpus) if gpus is not None else {}
    return [_told_use(use, attempt, labels, gpus) for use, (_workload, attempt) in zip(uses, found, strict=True)]


def _told_use(use: RunUse, attempt: Attempt, labels: Mapping[tuple[str, int], str], gpus: GpuUse | None) -> RunUse:
    ids = {number for job in attempt.jobs if job.state == JOB_RUNNING for number in job.component_ids}
    seen = [one for one in gpus.of_jobs(ids) if (one.node, one.index) in labels] if gpus is not None else []
    if not seen:
        return use
    busy = dict.fromkeys(use.gpus, 0)
    for one in seen:
        label = labels[one.node, one.index]
        if one.is_busy and label in busy:
            busy[label] += 1
    memory = [one.memory_used_mib for one in seen if one.memory_used_mib is not None]
    figures = replace(
        use.use,
        gpu_percent=tuple(one.percent for one in seen),
        gpu_memory_mib=sum(memory) if len(memory) == len(seen) else None,
    )
    working = {label: min(count, use.gpus[label]) for label, count in busy.items()}
    return replace(use, use=figures, busy=working, simulated=any(one.is_simulated for one in seen))


def _run_use(workload: Workload, attempt: Attempt, folder: RunDir | None, actor: Actor | None) -> RunUse:
    steps = usage.running_now(folder, workload, attempt) if folder else {}
    types = {
        f"{task.task_id}/{component.id}": component.resources.gpu_type
        for _path, task, component in components_of(load_resolved(workload.resolved or workload.spec))
    }
    held = list(_held(attempt))
    gpus, shares = _by_type(held, "gpus"), _by_type(held, "shards")
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
        use=joined(list(steps.values())),
        busy=_busy(steps, types, gpus),
        shares=shares,
    )


def _by_type(held: Iterable[Mapping[str, Any]], what: str) -> dict[str, int]:
    """GPU type -> whole GPUs, or shares, over all nodes of the groups."""
    found: dict[str, int] = {}
    for group in held:
        if group["gpu_type"] and group[what]:
            found[group["gpu_type"]] = found.get(group["gpu_type"], 0) + group[what] * group["nodes"]
    return found


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
    newest = select(func.max(Attempt.number)).where(Attempt.workload_id == Workload.id).correlate(Workload)
    query = (
        select(Workload.id, Attempt.plan)
        .outerjoin(Attempt, and_(Attempt.workload_id == Workload.id, Attempt.number == newest.scalar_subquery()))
        .where(Workload.state == State.QUEUED.value, Workload.kind.not_in(queuelines.HIDDEN_KINDS))
    )
    plans = [plan for _id, plan in await session.execute(query)]
    wanted: dict[str, int] = {}
    for plan in plans:
        for label, count in planning.gpus_of_plan(plan or {}).items():
            wanted[label] = wanted.get(label, 0) + count
    return len(plans), wanted


def reading_of(
    view: ClusterView, uses: Sequence[RunUse], queued: int, wanted: Mapping[str, int], gpus: GpuUse | None = None
) -> Reading:
    """One moment as a sample: the snapshot's sums, what was measured of them, and what waits.

    `measured` says how much of what is allocated the figure `used` covers. `gpus` is what Prometheus tells (None: the
    site has none, and the launchers' samples count).
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
    return reading if gpus is None else with_gpus(reading, view, gpus)


def with_gpus(reading: Reading, view: ClusterView, gpus: GpuUse) -> Reading:
    """The same with Prometheus' word on the GPUs, jobs from outside the portal too; what it does not tell is not known."""
    told = gpuuse.by_type(view, gpus)
    changed = {
        GPU + label: _told(reading.get(GPU + label, {}), amount, told.get(label)) for label, amount in view.gpus.items()
    }
    return {**reading, **changed}


def node_readings(view: ClusterView, gpus: GpuUse | None) -> dict[str, Reading]:
    """Each node's part of a sample: what is allocated and, of GPUs, how many are in use (None: not measured)."""
    found: dict[str, Reading] = {}
    for node in view.nodes:
        seen = gpuuse.of_node(node, gpus) if gpus is not None else None
        reading: dict[str, dict[str, float | None]] = {
            CPU: {"allocated": node.cpus.allocated},
            MEMORY: {"allocated": node.memory_mib.allocated},
        }
        for label, amount in node.gpus.items():
            busy = None if seen is None else sum(one.label == label and one.reading.is_busy for one in seen)
            reading[GPU + label] = {"allocated": amount.allocated, "used": busy}
        found[node.name] = reading
    return found


def _told(figures: Mapping[str, float | None], amount: Amount, use: TypeUse | None) -> dict[str, float | None]:
    if use is None or (use.measured == 0 and amount.allocated > 0):
        return {**figures, "used": None, "measured": 0}
    sums = _sums(amount, use.busy, use.measured)
    return {**figures, **sums, SIMULATED: 1 if use.simulated else 0}


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
