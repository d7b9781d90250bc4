"""One node: its state with who set it, what each GPU does and for whom, what runs there, and how the node was before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, SlurmJob, Workload, now
from portal.domain.lifecycle import State
from portal.domain.nodehistory import Stretch, troubles
from portal.domain.permissions import Permission, may
from portal.services import cluster, gpuuse, outside, trends
from portal.services.access import demand, person_of, workload_facts
from portal.services.audit import Actor
from portal.services.cluster import ClusterView, NodeView
from portal.services.errors import NotFound
from portal.services.gpuuse import GpuUse, NodeGpu
from portal.services.planning import gpus_of_plan
from portal.settings import Settings
from slurm.states import RUNNING


@dataclass(frozen=True)
class RunHere:
    """What runs on the node: a workload, or a job from outside the portal (`outside`).

    `workload_id` None and no name: a private one of somebody else. `gpus` and `nodes` are those of the whole run, of
    which this node may have a part.
    """

    workload_id: str | None
    name: str
    owner: str
    outside: bool
    slurm_ids: tuple[int, ...]
    gpus: Mapping[str, int]
    nodes: int
    started_at: datetime | None


@dataclass(frozen=True)
class NodeOverview:
    """The node now. `gpus` None: Slurm's types or a figure of one is not known; `use` None: the site has no Prometheus."""

    view: ClusterView
    node: NodeView
    use: GpuUse | None
    gpus: tuple[NodeGpu, ...] | None
    runs: tuple[RunHere, ...]
    history: tuple[Stretch, ...]

    def busy(self, label: str) -> int | None:
        """How many GPUs of a type are in use; None: not measured."""
        if self.gpus is None:
            return None
        return sum(one.label == label and one.reading.is_busy for one in self.gpus)

    def holders(self, gpu: NodeGpu) -> tuple[RunHere, ...]:
        """Who holds a GPU, as far as the exporter is told of jobs."""
        return tuple(run for run in self.runs if not set(run.slurm_ids).isdisjoint(gpu.reading.jobs))


async def overview(session: AsyncSession, actor: Actor, settings: Settings, name: str) -> NodeOverview:
    """Raises Forbidden, NotFound for a node that the newest reading of Slurm does not have."""
    demand(actor, Permission.CLUSTER_READ)
    view = await cluster.nodes(session, settings)
    node = next((one for one in view.nodes if one.name == name), None)
    if node is None:
        raise NotFound("node", name)
    use = await gpuuse.newest(session, settings)
    runs = [*await _workloads(session, actor, name), *await _outside(session, settings, name)]
    looks = await trends.states_of(session, actor, name)
    return NodeOverview(
        view=view,
        node=node,
        use=use,
        gpus=gpuuse.of_node(node, use) if use is not None else None,
        runs=tuple(runs),
        history=tuple(troubles(looks, now())),
    )


async def _workloads(session: AsyncSession, actor: Actor, name: str) -> list[RunHere]:
    """The portal's: nodes are compared by columns, then those on this node are loaded together."""
    query = (
        select(Attempt.workload_id, SlurmJob.nodes, SlurmJob.component_ids, SlurmJob.started_at)
        .join(SlurmJob, SlurmJob.attempt_id == Attempt.id)
        .join(Workload, Attempt.workload_id == Workload.id)
        .where(Workload.state == State.RUNNING.value, SlurmJob.status == "submitted", SlurmJob.state == RUNNING)
        .order_by(SlurmJob.started_at, SlurmJob.id)
    )
    here = [row for row in await session.execute(query) if name in row.nodes]
    loaded = await session.scalars(select(Workload).where(Workload.id.in_([row.workload_id for row in here])))
    workloads = {one.id: one for one in loaded.unique()}
    return [
        _run(actor, workloads[row.workload_id], row.nodes, row.component_ids, row.started_at)
        for row in here
        if row.workload_id in workloads
    ]


def _run(
    actor: Actor, workload: Workload, nodes: Sequence[str], ids: Sequence[int], started_at: datetime | None
) -> RunHere:
    hidden = not may(person_of(actor), Permission.WORKLOAD_READ, workload_facts(workload))
    return RunHere(
        workload_id=None if hidden else workload.id,
        name="" if hidden else workload.name,
        owner=workload.owner.display_name,
        outside=False,
        slurm_ids=tuple(ids),
        gpus=gpus_of_plan(workload.attempts[-1].plan if workload.attempts else {}),
        nodes=len(nodes),
        started_at=started_at,
    )


async def _outside(session: AsyncSession, settings: Settings, name: str) -> list[RunHere]:
    return [
        RunHere(
            workload_id=None,
            name=job.name,
            owner=job.user,
            outside=True,
            slurm_ids=(job.job_id,),
            gpus=cluster.gpus_of_gres(job.gres, settings),
            nodes=len(job.nodes),
            started_at=datetime.fromtimestamp(job.started_at, UTC) if job.started_at else None,
        )
        for job in (await outside.read(session)).on_node(name)
    ]
