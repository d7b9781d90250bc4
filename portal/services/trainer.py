"""What the Trainer works with: Apps that can be asked for, the one that is chosen, and what a request would become."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import AppVersion, Attempt, User, Workload, now
from portal.domain.approval import ApprovalReason
from portal.domain.kinds import NO_REQUESTS
from portal.domain.lifecycle import State
from portal.domain.pastwaits import PastWaits, gpus_at_once, past_waits
from portal.domain.permissions import RESEARCHER, Permission
from portal.domain.roomnow import Place, room_now
from portal.services import apps, cluster, planning
from portal.services.access import app_facts, demand, readable_workload, workload_facts
from portal.services.approvalrule import approval_rule
from portal.services.audit import Actor
from portal.services.cluster import ClusterView
from portal.services.errors import Conflict, Invalid, NotFound, ServiceError, Unavailable
from portal.services.intake import mapped_owner
from portal.services.planning import PlanPreview, plan_of
from portal.services.workloads import SubmitRequest, checked, demand_in_use
from portal.settings import Settings
from portal.spec.diff import DiffGroup, diff_specs
from portal.spec.load import load_resolved
from portal.spec.models import AppSpec

WAITS_LOOKED_AT = 200
WAITS_DAYS = 30


@dataclass(frozen=True)
class Opened:
    """The App version that is asked for; `source` is the former request that is cloned or edited.

    `versions` are all of the App, the newest first; `runs` counts what was asked of it before.
    """

    version: AppVersion
    versions: tuple[str, ...]
    spec: AppSpec
    runs: int
    source: Workload | None = None
    source_spec: AppSpec | None = None


@dataclass(frozen=True)
class Outlook:
    """What a request would become. `preview` is None where `obstacle` says why there is no plan.

    `room` names a node for every group where it could start this moment; None: not now. `blocker` is what keeps this
    person from asking for anything.
    """

    spec: AppSpec
    kind: str
    approval: tuple[ApprovalReason, ...]
    preview: PlanPreview | None
    obstacle: ServiceError | None
    room: tuple[Place, ...] | None
    waits: PastWaits
    unix_user: str
    slurm_account: str
    blocker: ServiceError | None
    unreachable_since: datetime | None
    shards_per_gpu: Mapping[str, int] = field(default_factory=dict)
    from_app: tuple[DiffGroup, ...] = field(default=())
    from_source: tuple[DiffGroup, ...] = field(default=())

    @property
    def can_be_placed(self) -> bool:
        """Whether some node has what is asked for, as far as is known."""
        return not isinstance(self.obstacle, Invalid)


async def opened(
    session: AsyncSession, actor: Actor, app_id: str, version: str = "", *, source: str = "", edit: str = ""
) -> Opened:
    """What the form begins with: a version of an App (default: the newest), or that of a former request.

    Raises NotFound, Forbidden, Conflict (the App is archived or has no version; the request is not to be edited).
    """
    former = await _former(session, actor, source, edit)
    if former and (edit or not app_id):
        app_id = former.app_id  # a correction stays with its App
    app = await apps.get(session, actor, app_id)
    demand(actor, Permission.APP_SUBMIT, app_facts(app), role=RESEARCHER)
    demand_in_use(app)
    found = await apps.versions(session, actor, app_id)
    if not found:
        raise Conflict(
            "no_version",
            "No ready App. Publish one in the Builder.",
            "준비 완료된 App이 없습니다. Builder에서 발행하세요.",
        )
    wanted = version or (former.app_version if former and former.app_id == app_id else "")
    chosen = next((one for one in found if one.version == wanted), None if version else found[0])
    if chosen is None:
        raise NotFound("app version", f"{app_id} {version}")
    former_spec = load_resolved(former.spec) if former else None
    names = tuple(one.version for one in found)
    asked = select(func.count()).select_from(Workload)
    runs = await session.scalar(asked.where(Workload.app_id == app_id, Workload.kind.not_in(NO_REQUESTS)))
    return Opened(chosen, names, load_resolved(chosen.spec), runs or 0, former, former_spec)


async def _former(session: AsyncSession, actor: Actor, source: str, edit: str) -> Workload | None:
    if not (source or edit):
        return None
    former = await readable_workload(session, actor, edit or source)
    if former.kind in NO_REQUESTS:
        raise NotFound("workload", former.id)
    if edit:
        demand_editable(actor, former)
    return former


def demand_editable(actor: Actor, workload: Workload) -> None:
    """Only its owner, and only while it waits for a decision (D7). Raises Conflict, Forbidden."""
    if workload.state != State.AWAITING_APPROVAL:
        raise Conflict(
            "not_waiting",
            f"{workload.id} does not wait for approval (it is {workload.state}): clone it into a new request.",
            f"{workload.id}은(는) 승인대기 상태가 아닙니다 (지금: {workload.state}). 복제해서 새로 요청하세요.",
        )
    demand(actor, Permission.WORKLOAD_EDIT, workload_facts(workload), role=RESEARCHER)


async def longest_min(session: AsyncSession, settings: Settings) -> int | None:
    """The longest time limit of any partition, in minutes; None: unlimited, or not known yet."""
    limits = [one.max_time_min for one in await cluster.inventory(session, settings)]
    known = [limit for limit in limits if limit is not None]
    return max(known) if known and len(known) == len(limits) else None


async def last_runs(session: AsyncSession, actor: Actor, app_ids: Collection[str]) -> dict[str, datetime]:
    """App -> when the asker last asked for it."""
    query = (
        select(Workload.app_id, func.max(Workload.submitted_at))
        .where(Workload.app_id.in_(app_ids), Workload.owner_id == actor.user_id, Workload.kind.not_in(NO_REQUESTS))
        .group_by(Workload.app_id)
    )
    return {row[0]: row[1] for row in await session.execute(query)}


async def outlook(
    session: AsyncSession, actor: Actor, settings: Settings, request: SubmitRequest, begun: Opened
) -> Outlook:
    """Everything that a submission would meet, and nothing written. Raises Invalid: the spec is wrong as it stands."""
    loaded, kind = checked(settings, request)
    owner, blocker = await _owner(session, actor)
    preview, obstacle = await _planned(session, settings, loaded.spec, request, owner)
    view = await cluster.nodes(session, settings)
    rule = await approval_rule(session, settings)
    former = begun.source_spec
    return Outlook(
        spec=loaded.spec,
        kind=kind,
        approval=rule.reasons(loaded.spec),
        preview=preview,
        obstacle=obstacle,
        room=await _room(session, preview, view),
        waits=await _waits(session, preview),
        unix_user=(owner.unix_user or "") if owner else "",
        slurm_account=(owner.slurm_account or "") if owner else "",
        blocker=blocker,
        unreachable_since=view.unreachable_since,
        shards_per_gpu=rule.shards_per_gpu,
        from_app=diff_specs(begun.spec, loaded.spec),
        from_source=diff_specs(former, loaded.spec) if former else (),
    )


async def _owner(session: AsyncSession, actor: Actor) -> tuple[User | None, ServiceError | None]:
    try:
        return await mapped_owner(session, actor), None
    except Conflict as error:
        return None, error


async def _planned(
    session: AsyncSession, settings: Settings, spec: AppSpec, request: SubmitRequest, owner: User | None
) -> tuple[PlanPreview | None, ServiceError | None]:
    try:
        found = await planning.preview(
            session,
            settings,
            spec,
            form=request.form,
            smallest=request.smallest,
            account=owner.slurm_account if owner else None,
            time_limit_min=request.time_limit_min,
        )
    except (Invalid, Unavailable) as error:
        return None, error
    return found, None


async def _room(session: AsyncSession, preview: PlanPreview | None, view: ClusterView) -> tuple[Place, ...] | None:
    taken = await cluster.snapshot(session) if preview and view.unreachable_since is None else None
    return room_now(plan_of(preview.plan), taken.nodes) if preview and taken else None


async def _waits(session: AsyncSession, preview: PlanPreview | None) -> PastWaits:
    """From the newest requests of the last days that started; the time for an approval is not in it."""
    if preview is None:
        return PastWaits(0, None)
    query = (
        select(Workload.queued_at, Workload.started_at, Attempt.plan)
        .join(Attempt, (Attempt.workload_id == Workload.id) & (Attempt.number == 1))
        .where(
            Workload.kind.not_in(NO_REQUESTS),
            Workload.queued_at.is_not(None),
            Workload.started_at > now() - timedelta(days=WAITS_DAYS),
        )
        .order_by(Workload.started_at.desc())
        .limit(WAITS_LOOKED_AT)
    )
    rows: list[tuple[Any, Any, dict[str, Any]]] = [(row[0], row[1], row[2]) for row in await session.execute(query)]
    past = [(gpus_at_once(plan), max((started - queued).total_seconds(), 0)) for queued, started, plan in rows]
    return past_waits(gpus_at_once(preview.plan), past)
