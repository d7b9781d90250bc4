"""Home: what needs this person, how their runs are, and whether there is room; a handful of queries whoever looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Checkup, Model, User, Workload, now
from portal.domain.lifecycle import State
from portal.domain.permissions import ADMIN, RESEARCHER, VIEWER
from portal.services import cluster, identities, importnews, models
from portal.services.audit import Actor
from portal.services.cluster import ClusterView
from portal.services.models import ModelFilter
from portal.settings import Settings

RECENT = timedelta(days=7)
ROWS = 10
LATE = timedelta(hours=24)
"""An approval that waits longer is shown as late."""
TroubleKind = Literal[
    "approvals",
    "waiting",
    "unmapped",
    "node",
    "mismatch",
    "rejected",
    "test_required",
    "test_failed",
    "failed",
    "newer_import",
]


@dataclass(frozen=True)
class Need:
    """One thing that waits for this person: what it is, since when, where to go; `count` for those told as a number."""

    kind: TroubleKind
    at: datetime | None
    href: str
    name: str = ""
    count: int = 0
    reason: str = ""

    @property
    def late(self) -> bool:
        """Whether it has waited longer than a day."""
        return self.kind == "approvals" and self.at is not None and now() - self.at > LATE


@dataclass(frozen=True)
class Home:
    """What Home shows; `models` only for those who run nothing."""

    needs: tuple[Need, ...]
    workloads: tuple[Workload, ...]
    models: tuple[Model, ...]
    cluster: ClusterView
    queued: int


async def look(session: AsyncSession, actor: Actor, settings: Settings) -> Home:
    """Home as this person sees it."""
    view = await cluster.nodes(session, settings)
    needs: list[Need] = []
    if actor.role == ADMIN:
        needs += [*await _to_decide(session), *await _waiting(session), *await _unmapped(session)]
        needs += [*_nodes(view), *await _mismatches(session)]
    if actor.role in (ADMIN, RESEARCHER):
        needs += [*await _own(session, actor), *await _imports(session, actor)]
    stored = (await models.page(session, actor, ModelFilter(), 1, ROWS)).items if actor.role == VIEWER else []
    queued = await session.scalar(select(func.count()).select_from(Workload).where(_is(State.QUEUED)))
    return Home(
        tuple(sorted(needs, key=lambda need: (need.at is None, need.at))),
        await _workloads(session, actor) if actor.role != VIEWER else (),
        tuple(stored),
        view,
        queued or 0,
    )


async def _to_decide(session: AsyncSession) -> list[Need]:
    query = select(func.count(), func.min(Workload.submitted_at)).where(_is(State.AWAITING_APPROVAL))
    count, oldest = (await session.execute(query)).one()
    return [Need("approvals", oldest, "/approvals", count=count)] if count else []


async def _waiting(session: AsyncSession) -> list[Need]:
    """People who signed in by SSO and whom no rule gave a role."""
    query = select(func.count(), func.min(User.created_at)).where(User.active, identities.waits())
    count, oldest = (await session.execute(query)).one()
    return [Need("waiting", oldest, "/admin/users?status=waiting", count=count)] if count else []


async def _unmapped(session: AsyncSession) -> list[Need]:
    """People who may submit by their role and cannot, because nobody told which Unix user they are."""
    query = select(func.count(), func.min(User.created_at)).where(
        User.active, User.role == RESEARCHER, or_(User.unix_user.is_(None), User.slurm_account.is_(None))
    )
    count, oldest = (await session.execute(query)).one()
    return [Need("unmapped", oldest, "/admin/users", count=count)] if count else []


def _nodes(view: ClusterView) -> list[Need]:
    return [
        Need("node", view.at, f"/resources/nodes/{quote(node.name, safe='')}", name=node.name, reason=node.reason)
        for node in view.nodes
        if node.state in ("down", "drain")
    ]


async def _mismatches(session: AsyncSession) -> list[Need]:
    query = select(Checkup).where(Checkup.state == "done", Checkup.reconcile).order_by(Checkup.id.desc()).limit(1)
    newest: Checkup | None = await session.scalar(query)
    if newest is None or not newest.findings:
        return []
    return [Need("mismatch", newest.done_at, "/admin/health?tab=mismatch", count=len(newest.findings))]


async def _own(session: AsyncSession, actor: Actor) -> list[Need]:
    since = now() - RECENT
    ended = Workload.state.in_((State.REJECTED.value, State.FAILED.value)) & (Workload.ended_at > since)
    query = (
        select(Workload)
        .where(Workload.owner_id == actor.user_id, Workload.kind != "test", ended | _is(State.AWAITING_APPROVAL))
        .order_by(Workload.submitted_at)
        .limit(ROWS)
    )
    found = (_need_of(workload) for workload in (await session.scalars(query)).unique())
    return [need for need in found if need is not None]


async def _imports(session: AsyncSession, actor: Actor) -> list[Need]:
    return [
        Need(
            "newer_import",
            one.at,
            f"/apps/{one.app_id}/builder?tab=app",
            one.app_name,
            reason=f"{one.source} {one.version}",
        )
        for one in await importnews.of_author(session, actor)
    ]


def _need_of(workload: Workload) -> Need | None:
    href = f"/workloads/{workload.id}"
    if workload.state == State.REJECTED:
        return Need("rejected", workload.ended_at, href, workload.name, reason=workload.reject_reason)
    if workload.state == State.FAILED:
        return Need("failed", workload.ended_at, href, workload.name)
    if workload.test is None:
        return Need("test_required", workload.submitted_at, href, workload.name)
    if workload.test.status == "failed":
        return Need("test_failed", workload.submitted_at, href, workload.name)
    return None


async def _workloads(session: AsyncSession, actor: Actor) -> tuple[Workload, ...]:
    """Live ones first, then those that ended lately."""
    live = Workload.ended_at.is_(None)
    query = (
        select(Workload)
        .where(Workload.owner_id == actor.user_id, Workload.kind != "test", live | (Workload.ended_at > now() - RECENT))
        .order_by(case((live, 0), else_=1), Workload.submitted_at.desc(), Workload.id)
        .limit(ROWS)
    )
    return tuple((await session.scalars(query)).unique())


def _is(wanted: State) -> ColumnElement[bool]:
    return Workload.state == wanted.value
