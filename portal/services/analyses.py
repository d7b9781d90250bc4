"""Analyses: an Operator run on a finished workload, as a small workload of its own (ST-05); and what came of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from containers.reference import parse
from portal.compile.analysis import COMMAND
from portal.db.models import Analysis, App, Operator, OperatorVersion, Workload
from portal.domain.kinds import REQUESTS
from portal.domain.lifecycle import Decision, Phase, State
from portal.domain.permissions import RESEARCHER, Permission
from portal.domain.priority import Level
from portal.services import operators, queue, state
from portal.services.access import analysis_facts, demand, readable_workload, visible_workloads, workload_facts
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, NotFound
from portal.services.ids import new_workload_id
from portal.services.intake import mapped_owner
from portal.services.models import ModelFile
from portal.services.paging import Page, contains, paged
from portal.services.quota import demand_room_for_one, one_at_a_time
from portal.settings import Settings
from portal.store.layout import FILES

KIND = "analysis"
TASK, NODE = "ANALYSIS", "OPERATOR"
STEP = f"{TASK}/{NODE}"
OPTION = "operator"
"""The option of a workload that names the Operator to run when it has succeeded."""
STATUSES = ("waiting", "running", "completed", "failed")
_STATES = {
    "waiting": (State.SUBMITTED, State.QUEUED),
    "running": (State.RUNNING, State.SAVING),
    "completed": (State.COMPLETED,),
    "failed": (State.FAILED, State.CANCELLED),
}
SORTS = ("created_at", "operator", "workload", "size")


@dataclass(frozen=True)
class AnalysisFilter:
    """Which analyses a list shows, empty means all; `operator` is an Operator's id, `status` one of STATUSES.

    `q` is part of the Operator's or the workload's name, or of an id. `sort` is one of SORTS, `-` for the last first.
    """

    app: str = ""
    workload: str = ""
    operator: str = ""
    status: str = ""
    q: str = ""
    mine: bool = False
    sort: str = "-created_at"


async def start(session: AsyncSession, actor: Actor, settings: Settings, workload_id: str, operator: str) -> Analysis:
    """Run one of one's Operators on a finished workload of one's own.

    Raises NotFound, Forbidden, Conflict (not finished, no run of its own, another Unix user, Operators off), TooMany.
    """
    operators.demand_operators(settings)
    workload = await readable_workload(session, actor, workload_id)
    if workload.owner_id == actor.user_id:
        _demand_finished(workload)
    demand(actor, Permission.WORKLOAD_ANALYSE, workload_facts(workload), role=RESEARCHER)
    owner = await mapped_owner(session, actor)
    version = await operators.find(session, actor, operator)
    await one_at_a_time(session, owner)
    await demand_room_for_one(session, settings, owner)
    return await _enter(session, actor, settings, workload, version)


async def start_asked(session: AsyncSession, actor: Actor, settings: Settings, workload: Workload) -> Analysis | None:
    """What a request asked for, once its workload has succeeded; where it cannot be, the workload's story says why."""
    asked = workload.options.get(OPTION)
    if not asked or workload.kind not in REQUESTS:
        return None
    operator_id, _, number = str(asked).partition(":")
    operator = await session.get(Operator, operator_id)
    try:
        operators.demand_operators(settings)
        if operator is None or operator.owner_id != workload.owner_id:
            raise NotFound("operator", operator_id)
        version = await operators.version_of(session, operator, number)
    except (Conflict, NotFound) as error:
        state.event(session, workload, "portal", "analysis_not_started", text=error.message_en, data={"asked": asked})
        return None
    return await _enter(session, actor, settings, workload, version)


async def _enter(
    session: AsyncSession, actor: Actor, settings: Settings, workload: Workload, version: OperatorVersion
) -> Analysis:
    """The analysis' own workload and its row are one change."""
    run = Workload(
        id=new_workload_id(),
        name=f"{workload.name} · {version.operator.name}"[:128],
        kind=KIND,
        app_id=workload.app_id,
        app_version=workload.app_version,
        owner_id=workload.owner_id,
        state=State.SUBMITTED.value,
        phase=Phase.CHECKING.value,
        decision=Decision.NOT_REQUIRED.value,
        spec=_spec(settings, workload, version),
        time_limit_min=settings.operators.time_limit_min,
        priority=Level.NORMAL.value,
        queue_rank=await queue.rank_at_end(session, settings, Level.NORMAL),
    )
    session.add(run)
    await session.flush()
    analysis = Analysis(
        run_id=run.id,
        workload_id=workload.id,
        attempt=workload.attempts[-1].number,
        operator_version_id=version.id,
        place=secrets.token_hex(16),
    )
    session.add(analysis)
    await session.flush()
    facts = {"workload": workload.id, "operator": operators.reference(version), "sha256": version.sha256}
    record(session, actor, Action.ANALYSIS_START, "analysis", run.id, after=facts)
    state.event(session, run, "portal", "state_submitted", text=actor.name, data={"kind": KIND, **facts})
    data = {"run": run.id, "operator": version.operator.name, "version": version.number}
    state.event(session, workload, "portal", "analysis_started", text=version.operator.name, data=data)
    await session.flush()
    await session.refresh(analysis, ["run", "workload", "version"])
    return analysis


def _spec(settings: Settings, workload: Workload, version: OperatorVersion) -> dict[str, Any]:
    """One small component in the site's image for Operators; what it reads is added when it is handed over."""
    image = parse(settings.operators.image)
    resources = {"gpu_count": 0, "memory": settings.operators.memory, "cpus": settings.operators.cpus}
    component = {
        "component_id": NODE,
        "name": version.operator.name,
        "image": {"registry": image.name, "tag": image.tag or "latest", "digest": image.digest},
        "resources": resources,
        "command": list(COMMAND),
    }
    task = {"task_id": TASK, "name": "analysis", "components": [component], "workflow": []}
    return {
        "app_id": workload.app_id,
        "name": version.operator.name,
        "version": workload.app_version,
        "env_vars": {},
        "tasks": [task],
    }


def _demand_finished(workload: Workload) -> None:
    if workload.kind not in REQUESTS:
        raise Conflict(
            "nothing_to_analyse",
            f"{workload.id} is a {workload.kind} run. An Operator looks at a run of an App.",
            f"{workload.id}은(는) {workload.kind} 실행입니다. Operator는 App 실행만 분석합니다.",
        )
    if workload.state != State.COMPLETED:
        raise Conflict(
            "not_completed",
            f"{workload.id} is {workload.state}. An Operator looks at a run that has completed.",
            f"{workload.id}은(는) 아직 완료되지 않았습니다 (지금: {workload.state}). 완료된 워크로드만 분석할 수 있습니다.",
        )
    folder = workload.attempts[-1].run_dir.split("/")
    if folder[-3] != workload.owner.unix_user:
        raise Conflict(
            "other_unix_user",
            f"{workload.id} ran as Unix user {folder[-3]}, its owner is {workload.owner.unix_user} now.",
            f"{workload.id}은(는) Unix 사용자 {folder[-3]}(으)로 실행되었고 지금은 {workload.owner.unix_user}입니다.",
        )


def visible(actor: Actor) -> Select[Analysis]:
    """The analyses that the actor may see, with their run and its App joined."""
    joined: Select[Analysis] = (
        select(Analysis)
        .join(Workload, Workload.id == Analysis.run_id)
        .join(App, App.id == Workload.app_id)
        .join(OperatorVersion, OperatorVersion.id == Analysis.operator_version_id)
        .join(Operator, Operator.id == OperatorVersion.operator_id)
    )
    return joined.where(visible_workloads(actor))


async def page(session: AsyncSession, actor: Actor, wanted: AnalysisFilter, number: int, size: int) -> Page[Analysis]:
    """A page of the visible analyses."""
    query = visible(actor).where(*_conditions(actor, wanted))
    key = {"operator": Operator.name, "workload": Workload.name, "size": Analysis.size_bytes}.get(
        wanted.sort.removeprefix("-"), Analysis.created_at
    )
    order = key.desc() if wanted.sort.startswith("-") else key.asc()
    return await paged(session, query.order_by(order, Analysis.run_id), number, size)


def _conditions(actor: Actor, wanted: AnalysisFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.app:
        found.append(Workload.app_id == wanted.app)
    if wanted.workload:
        found.append(Analysis.workload_id == wanted.workload)
    if wanted.operator:
        found.append(Operator.id == wanted.operator)
    if wanted.status in _STATES:
        found.append(Workload.state.in_(_STATES[wanted.status]))
    if wanted.mine:
        found.append(Workload.owner_id == actor.user_id)
    if wanted.q:
        columns = (Operator.name, Workload.name, Analysis.workload_id, Analysis.run_id)
        found.append(or_(*(contains(column, wanted.q) for column in columns)))
    return found


async def of_workloads(session: AsyncSession, actor: Actor, ids: list[str]) -> list[Analysis]:
    """Every visible analysis of these workloads, the newest first."""
    query = visible(actor).where(Analysis.workload_id.in_(ids)).order_by(Analysis.created_at.desc(), Analysis.run_id)
    return list(await session.scalars(query))


async def get(session: AsyncSession, actor: Actor, run_id: str) -> Analysis:
    """One analysis. Raises NotFound when it is absent or not visible."""
    analysis: Analysis | None = await session.scalar(visible(actor).where(Analysis.run_id == run_id))
    if analysis is None:
        raise NotFound("analysis", run_id)
    return analysis


def files_of(analysis: Analysis) -> tuple[ModelFile, ...]:
    """The files that the manifest lists; none before it is written."""
    return tuple(
        ModelFile(entry["path"], entry["size"], entry["sha256"], f"{analysis.prefix}{FILES}{entry['path']}")
        for entry in (analysis.manifest or {}).get("files", [])
    )


async def file_of(session: AsyncSession, actor: Actor, run_id: str, path: str) -> ModelFile:
    """A result to keep, audited. Raises NotFound, Forbidden."""
    analysis = await get(session, actor, run_id)
    demand(actor, Permission.ANALYSIS_DOWNLOAD, analysis_facts(analysis), role=RESEARCHER)
    found = next((file for file in files_of(analysis) if file.path == path), None)
    if found is None:
        raise NotFound("result", path)
    record(session, actor, Action.ANALYSIS_DOWNLOAD, "analysis", run_id, after={"file": path})
    return found


async def operator_of(session: AsyncSession, actor: Actor, run_id: str) -> OperatorVersion:
    """The Operator of an analysis, for whoever may keep its results, audited. Raises NotFound, Forbidden."""
    analysis = await get(session, actor, run_id)
    demand(actor, Permission.ANALYSIS_DOWNLOAD, analysis_facts(analysis), role=RESEARCHER)
    facts = {"analysis": run_id, "version": analysis.version.number}
    record(session, actor, Action.OPERATOR_DOWNLOAD, "operator", analysis.version.operator_id, after=facts)
    return analysis.version
