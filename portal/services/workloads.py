"""Workloads as people ask for them: submit through one gate for every door, look, list, cancel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, defer, selectinload

from portal.db.models import App, Attempt, Event, SlurmJob, User, Workload, now
from portal.domain.approval import ApprovalReason
from portal.domain.lifecycle import TERMINAL, Phase, State
from portal.domain.permissions import RESEARCHER, Permission
from portal.services import analyses, apps, cluster, operators, planning, state
from portal.services.access import (
    SHARE_LOGS,
    app_facts,
    demand,
    job_of_slurm,
    readable_workload,
    visible_workloads,
    workload_facts,
)
from portal.services.approvalrule import reasons_for
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid
from portal.services.intake import Entry, earlier_one, enter, mapped_owner
from portal.services.paging import Page, contains, paged
from portal.services.planning import PlanPreview
from portal.services.site import site_rules
from portal.services.telling import NOTIFY
from portal.settings import Settings
from portal.spec.load import LoadedSpec, load_spec
from portal.spec.models import NAME_PATTERN
from portal.spec.overrides import apply_overrides
from portal.spec.problems import Problem, SpecError, errors_of, problem
from portal.spec.rules import site_problems
from slurm.ids import parse_job_id
from slurm.plan import Form

RL, GENERAL = "rl", "general"
MAX_NAME_CHARS = 128
NO_GPU = "none"
SORTS = {
    "submitted_at": Workload.submitted_at,
    "name": Workload.name,
    "state": Workload.state,
    "started_at": Workload.started_at,
}

_LISTED = (
    contains_eager(Workload.app),
    selectinload(Workload.attempts).options(
        defer(Attempt.plan, raiseload=True),
        defer(Attempt.report, raiseload=True),
        defer(Attempt.usage, raiseload=True),
        selectinload(Attempt.jobs).defer(SlurmJob.accounting, raiseload=True),
    ),
)
"""A list shows where each is, not what each did: plans, reports and accounting are most of a page's bytes."""


@dataclass(frozen=True)
class SubmitRequest:
    """What any door hands in. `kind` None: RL if the spec has a training_config (D8); overrides as `one --set` writes them.

    `operator` is one of the asker's Operators ("OP-A1B2C3", or its version "OP-A1B2C3:2"), run when the workload has succeeded;
    `notify` what to tell by every way (`portal.domain.notices.WISHES`).
    """

    spec: Mapping[str, Any]
    kind: str | None = None
    as_new_app: str | None = None
    name: str = ""
    note: str = ""
    idempotency_key: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    time_limit_min: int | None = None
    form: Form = "auto"
    smallest: bool = False
    run_test: bool = False
    share_logs: bool = False
    operator: str = ""
    notify: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """What is kept of it beside the spec."""
        kept = {"form": self.form, "smallest": self.smallest, "run_test": self.run_test}
        shared = {SHARE_LOGS: True} if self.share_logs else {}
        told = {NOTIFY: list(self.notify)} if self.notify else {}
        return {**kept, **shared, **told, **({analyses.OPTION: self.operator} if self.operator else {})}


@dataclass(frozen=True)
class DryRun:
    """What a submission would become: its plan, whether it needs approval and why, and warnings."""

    preview: PlanPreview
    kind: str
    approval: tuple[ApprovalReason, ...]
    warnings: tuple[Problem, ...]


@dataclass(frozen=True)
class WorkloadFilter:
    """Which workloads a list shows; empty means all. `job` is a Slurm job id (tests are shown too then).

    `gpu` is a GPU type that it asks for (NO_GPU: none), `q` part of id or name, or a Slurm job id. Those submitted at
    `since` or later and before `until` are shown. `sort` is a key of SORTS, with `-` for the newest first.
    """

    owner: str = ""
    state: str = ""
    kind: str = ""
    app: str = ""
    gpu: str = ""
    job: str = ""
    q: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sort: str = "-submitted_at"


async def submit(session: AsyncSession, actor: Actor, settings: Settings, request: SubmitRequest) -> Workload:
    """Take a request in; the same idempotency key answers the workload that it made.

    Raises Invalid (everything wrong in the spec, or a size that no node has), Forbidden, Conflict (no Slurm mapping, or an
    App that is not the asker's).
    """
    if (earlier := await earlier_one(session, actor, request.idempotency_key)) is not None:
        return earlier
    owner = await mapped_owner(session, actor)
    check_name(request.name)
    request = await with_operator(session, actor, settings, request)
    uploaded = _load(request.spec)
    loaded, kind = checked(settings, request, uploaded)
    try:
        version = await apps.upload_spec(session, actor, uploaded, request.as_new_app)
    except Conflict:
        # The same request a moment earlier may have made the App in between: then its workload is the answer.
        if (earlier := await earlier_one(session, actor, request.idempotency_key)) is not None:
            return earlier
        raise
    demand(actor, Permission.APP_SUBMIT, app_facts(version.app), role=RESEARCHER)
    demand_in_use(version.app)
    limit = request.time_limit_min or settings.policy.time_limit_min
    await check_fit(session, settings, loaded, owner, limit, request)
    entry = Entry(
        spec=loaded.spec,
        document={**loaded.document, "app_id": version.app_id},
        kind=kind,
        app_id=version.app_id,
        app_version=version.version,
        owner=owner,
        time_limit_min=limit,
        options=request.options,
        name=request.name or loaded.spec.name,
        note=request.note,
        idempotency_key=request.idempotency_key,
    )
    return await enter(session, actor, settings, entry)


async def dry_run(session: AsyncSession, actor: Actor, settings: Settings, request: SubmitRequest) -> DryRun:
    """Everything that `submit` would decide, and nothing written. Raises Invalid, Conflict."""
    loaded, kind = checked(settings, request)
    limit = request.time_limit_min or settings.policy.time_limit_min
    owner = await mapped_owner(session, actor)
    preview = await planning.preview(
        session,
        settings,
        loaded.spec,
        form=request.form,
        smallest=request.smallest,
        account=owner.slurm_account,
        time_limit_min=limit,
    )
    return DryRun(preview, kind, await reasons_for(session, settings, loaded.spec), loaded.problems)


async def get(session: AsyncSession, actor: Actor, workload_id: str) -> Workload:
    """One workload. Raises NotFound when it is absent or not visible."""
    return await readable_workload(session, actor, workload_id)


async def page(session: AsyncSession, actor: Actor, wanted: WorkloadFilter, number: int, size: int) -> Page[Workload]:
    """A page of the visible workloads; tests only when their kind is asked for. Raises Invalid for an unknown sort."""
    name = wanted.sort.removeprefix("-")
    if name not in SORTS:
        known = ", ".join(SORTS)
        raise Invalid("sort", f"Sort by one of {known}.", f"정렬 기준은 {known} 중 하나입니다.")
    column = SORTS[name]
    order = column.desc() if wanted.sort.startswith("-") else column.asc()
    query = select(Workload).join(Workload.app).where(*await _conditions(session, actor, wanted)).options(*_LISTED)
    return await paged(session, query.order_by(order, Workload.id), number, size)


async def counts(session: AsyncSession, actor: Actor, wanted: WorkloadFilter) -> dict[str, int]:
    """How many of those that `wanted` shows are in each state, whatever state it asks for itself."""
    conditions = await _conditions(session, actor, replace(wanted, state=""))
    query = select(Workload.state, func.count()).join(App, Workload.app_id == App.id).where(*conditions)
    return {row[0]: row[1] for row in await session.execute(query.group_by(Workload.state))}


async def events(session: AsyncSession, actor: Actor, workload_id: str, after: int = 0) -> list[Event]:
    """The workload's story after event id `after`, oldest first. Raises NotFound."""
    await readable_workload(session, actor, workload_id)
    query = select(Event).where(Event.workload_id == workload_id, Event.id > after).order_by(Event.id)
    return list(await session.scalars(query))


async def cancel(session: AsyncSession, actor: Actor, workload_id: str, reason: str = "") -> Workload:
    """Ask for the end of a live workload; what Slurm does not have yet ends at once. Raises NotFound, Forbidden, Conflict."""
    workload = await readable_workload(session, actor, workload_id)
    current = State(workload.state)
    if current in TERMINAL:
        raise Conflict(
            "ended", f"{workload_id} has ended already: {current}.", f"{workload_id}은(는) 이미 끝났습니다: {current}."
        )
    demand(actor, Permission.WORKLOAD_CANCEL, workload_facts(workload))
    if current is State.SAVING:
        raise Conflict(
            "saving",
            f"{workload_id} has run to its end and its results are being saved; there is nothing left to cancel.",
            f"{workload_id}은(는) 실행을 마치고 결과를 저장하는 중이라 취소할 것이 없습니다.",
        )
    if actor.user_id != workload.owner_id and not reason.strip():
        raise Invalid("reason", "Give a reason: it is not your workload.", "본인의 워크로드가 아니므로 사유를 쓰세요.")
    if workload.cancel_requested_at is None:
        workload.cancel_requested_at = now()
        workload.cancel_requested_by_id = actor.user_id
        workload.cancel_reason = reason.strip()
        record(session, actor, Action.WORKLOAD_CANCEL, "workload", workload.id, after={"reason": reason.strip()})
        state.event(session, workload, "portal", "cancel_requested", text=actor.name)
    if not workload.attempts and current is not State.QUEUED:
        await state.change(session, workload, State.CANCELLED, actor, detail={"reason": reason.strip()})
    else:
        workload.phase = Phase.CANCELLING.value
    return workload


async def with_operator(
    session: AsyncSession, actor: Actor, settings: Settings, request: SubmitRequest
) -> SubmitRequest:
    """The request with its Operator pinned to a version. Raises NotFound, Conflict (archived, or the site has none)."""
    if not request.operator:
        return request
    operators.demand_operators(settings)
    version = await operators.find(session, actor, request.operator)
    return replace(request, operator=operators.reference(version))


def demand_in_use(app: App) -> None:
    """An archived App takes no new requests. Raises Conflict."""
    if app.archived_at is not None:
        raise Conflict(
            "app_archived",
            f"The App {app.id} was archived. Choose another App, or ask its owner to restore it.",
            f"App {app.id}이(가) 보관되었습니다. 다른 App을 고르거나 소유자에게 복원을 요청하세요.",
        )


def check_name(name: str) -> None:
    """A workload's own name follows the rule of names in a spec. Raises Invalid."""
    if name and not (len(name) <= MAX_NAME_CHARS and re.fullmatch(NAME_PATTERN, name)):
        found = problem("$.name", "bad_format", found=name, example="RL-DesignOpt-v1")
        raise Invalid("bad_name", found.message_en, found.message_ko, [found])


def checked(settings: Settings, request: SubmitRequest, loaded: LoadedSpec | None = None) -> tuple[LoadedSpec, str]:
    """The spec with overrides, and its kind: what every door asks first; `loaded` is the request's spec where it was read.

    Raises Invalid with every problem.
    """
    loaded = loaded or _load(request.spec)
    if request.overrides:
        try:
            loaded = load_spec(apply_overrides(loaded.document, request.overrides))
        except SpecError as error:
            raise _invalid(error.problems) from error
    problems = site_problems(loaded.spec, site_rules(settings))
    if errors_of(problems):
        raise _invalid(problems)
    kind = request.kind or (RL if loaded.spec.training_config is not None else GENERAL)
    if kind == RL and loaded.spec.training_config is None:
        raise Invalid(
            "no_training_config",
            "A reinforcement learning run needs `training_config` in the spec. Add it, or submit as general.",
            "강화학습 실행에는 스펙의 `training_config`가 필요합니다. 추가하거나 일반으로 제출하세요.",
        )
    if kind == GENERAL and loaded.spec.training_config is not None:
        document = {key: value for key, value in loaded.document.items() if key != "training_config"}
        loaded = _load(document)
    return loaded, kind


def _load(spec: Mapping[str, Any]) -> LoadedSpec:
    try:
        return load_spec(spec)
    except SpecError as error:
        raise _invalid(error.problems) from error


def _invalid(found: Sequence[Problem]) -> Invalid:
    count = len(errors_of(found))
    return Invalid("spec_invalid", f"The spec has {count} problems.", f"입력을 확인하세요 ({count}건).", found)


async def check_fit(
    session: AsyncSession, settings: Settings, loaded: LoadedSpec, owner: User, limit: int, request: SubmitRequest
) -> None:
    """A size that no node has is refused before anything is submitted; before the first snapshot nothing is known."""
    inventory = await cluster.inventory(session, settings)
    if inventory:
        await planning.check_fit(
            session,
            settings,
            loaded.spec,
            inventory,
            form=request.form,
            smallest=request.smallest,
            account=owner.slurm_account,
            time_limit_min=limit,
        )


async def _workload_of_job(session: AsyncSession, text: str) -> str | None:
    """The workload of a Slurm job id, None when the portal handed no such job over. Raises Invalid for anything else."""
    try:
        return await job_of_slurm(session, parse_job_id(text))
    except ValueError as error:
        raise Invalid("slurm_job", str(error), f"Slurm 작업 ID가 아닙니다: {text!r} (예: 123, 123+1)") from error


async def _conditions(session: AsyncSession, actor: Actor, wanted: WorkloadFilter) -> list[ColumnElement[bool]]:
    conditions = [visible_workloads(actor)]
    if wanted.job:
        conditions.append(Workload.id == await _workload_of_job(session, wanted.job))
    if wanted.owner:
        mine = Workload.owner_id == actor.user_id
        conditions.append(mine if wanted.owner == "me" else Workload.owner.has(User.username == wanted.owner))
    if wanted.state:
        conditions.append(Workload.state.in_(wanted.state.split(",")))
    if wanted.kind:
        conditions.append(Workload.kind == wanted.kind)
    elif not wanted.job:
        conditions.append(Workload.kind != "test")
    if wanted.app:
        conditions.append(Workload.app_id == wanted.app)
    if wanted.gpu == NO_GPU:
        conditions.append(Workload.gpu_types == "")
    elif wanted.gpu:
        conditions.append(Workload.gpu_types.contains(f"|{wanted.gpu}|", autoescape=True))
    if wanted.since:
        conditions.append(Workload.submitted_at >= wanted.since)
    if wanted.until:
        conditions.append(Workload.submitted_at < wanted.until)
    if wanted.q:
        named = or_(contains(Workload.id, wanted.q), contains(Workload.name, wanted.q))
        conditions.append(or_(named, Workload.id == await _searched_job(session, wanted.q)))
    return conditions


async def _searched_job(session: AsyncSession, text: str) -> str | None:
    """The workload of a text that is a Slurm job id; None for any other text."""
    try:
        return await job_of_slurm(session, parse_job_id(text))
    except ValueError:
        return None
