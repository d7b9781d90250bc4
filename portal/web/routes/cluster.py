"""The queue and an admin's changes to it; nodes and status."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import BaseModel, ConfigDict, Field

from portal.domain.priority import Level
from portal.services import cluster, gpuuse, maintenance, queue, wholequeue
from portal.web.context import Asker, InLanguage, PageNumber, PageSize, Session, SiteSettings, page_document
from portal.web.guards import APPROVE, READ
from portal.web.schemas import workload_document
from portal.web.schemas_cluster import cluster_document, maintenance_document, queue_document, status_document

WorkloadId = FromPath[str]


class PriorityBody(BaseModel):
    """The new level."""

    model_config = ConfigDict(extra="forbid")

    priority: Level


class MoveBody(BaseModel):
    """Exactly one place in the level."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    before: Annotated[str | None, Field(max_length=16, description="Directly before this workload.")] = None
    after: Annotated[str | None, Field(max_length=16, description="Directly after this workload.")] = None
    to_top: Annotated[bool, Field(alias="toTop", description="First of its level.")] = False


@get("/queue", guards=[READ])
async def list_queue(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    language: InLanguage,
    whose: Annotated[Literal["all", "mine"], QueryParameter(name="scope")] = "all",
    page: PageNumber = 1,
    size: PageSize = 50,
) -> dict[str, Any]:
    """What waits, in Slurm's own order, jobs from outside the portal included."""
    start, stop = (page - 1) * size, page * size
    if whose == "mine":
        own = await wholequeue.own_lines(session, actor, settings)
        shown, total = own[start:stop], len(own)
    else:
        whole = await wholequeue.read(session, actor, settings)
        shown, total = whole.part(start, stop), len(whole)
    return page_document([queue_document(line, language) for line in shown], page, size, total)


@post("/queue/{workload_id:str}/priority", guards=[APPROVE], status_code=200)
async def set_priority(
    session: Session, actor: Asker, settings: SiteSettings, workload_id: WorkloadId, data: JSONBody[PriorityBody]
) -> dict[str, Any]:
    """Put a waiting workload at the end of another level; Slurm gets it within seconds."""
    return workload_document(await queue.set_priority(session, actor, settings, workload_id, data.priority))


@post("/queue/{workload_id:str}/move", guards=[APPROVE], status_code=200)
async def move(
    session: Session, actor: Asker, settings: SiteSettings, workload_id: WorkloadId, data: JSONBody[MoveBody]
) -> dict[str, Any]:
    """Give a waiting workload another place in its level."""
    workload = await queue.move(
        session, actor, settings, workload_id, before=data.before, after=data.after, to_top=data.to_top
    )
    return workload_document(workload)


@post("/queue/{workload_id:str}/hold", guards=[APPROVE], status_code=200)
async def hold(session: Session, actor: Asker, workload_id: WorkloadId) -> dict[str, Any]:
    """Keep a waiting workload from starting."""
    return workload_document(await queue.hold(session, actor, workload_id, held=True))


@post("/queue/{workload_id:str}/release", guards=[APPROVE], status_code=200)
async def release(session: Session, actor: Asker, workload_id: WorkloadId) -> dict[str, Any]:
    """Let a held workload start again."""
    return workload_document(await queue.hold(session, actor, workload_id, held=False))


@get("/nodes", guards=[READ])
async def nodes(session: Session, settings: SiteSettings) -> dict[str, Any]:
    """Nodes and sums of the newest snapshot, with the time it was taken."""
    view = await cluster.nodes(session, settings)
    return cluster_document(view, await gpuuse.newest(session, settings))


@get("/status", guards=[READ])
async def status(session: Session, settings: SiteSettings, language: InLanguage) -> dict[str, Any]:
    """Slurm's version, the road to it and why, freshness, workloads by state, and whether hand-over is stopped."""
    found = status_document(await cluster.status(session, settings))
    return {**found, "maintenance": maintenance_document(await maintenance.current(session), language)}


ROUTES = [list_queue, set_priority, move, hold, release, nodes, status]
