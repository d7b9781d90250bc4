"""Apps as a list and a page show them: in what state, how large, changed when; of one App also its Tasks and versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, AppVersion, Draft, User, Workload
from portal.domain.approval import ApprovalReason
from portal.domain.kinds import NO_REQUESTS
from portal.domain.permissions import Permission
from portal.domain.resources_text import largest_text
from portal.services import apps
from portal.services.access import allowed, app_facts, visible_apps
from portal.services.approvalrule import ApprovalRule, approval_rule
from portal.services.audit import Actor
from portal.services.paging import Page, contains
from portal.settings import Settings
from portal.spec.canonical import content_sha256
from portal.spec.graph import components_of
from portal.spec.load import load_spec
from portal.spec.models import AppSpec
from portal.spec.problems import SpecError

STATUSES = ("draft", "ready", "editing", "archived")
SORTS = ("name", "owner", "updated")
Found = Select[App, AppVersion, Draft, datetime]
"""Version and draft are None where an App has none."""


@dataclass(frozen=True)
class Wanted:
    """Which Apps, and in which order (one of SORTS); archived ones only where `status` asks for them.

    `runnable` leaves those that have a version: they can be asked for, with or without an open draft.
    """

    q: str = ""
    mine: bool = False
    status: str = ""
    runnable: bool = False
    sort: str = "updated"
    descending: bool = True


@dataclass(frozen=True)
class TaskLine:
    """One Task: how many components, the largest of them, where it is from, and the Tasks before it."""

    task_id: str
    name: str
    components: int
    resources: str
    imported_from: str
    after: tuple[str, ...]


@dataclass(frozen=True)
class Size:
    """How large a spec is; `resources` is "" and `reasons` empty where it is a draft with errors."""

    tasks: tuple[TaskLine, ...]
    components: int
    resources: str
    reasons: tuple[ApprovalReason, ...]


@dataclass(frozen=True)
class AppLine:
    """One App of the list; without `version` there is only a draft, whose `size` is known to those who may edit it."""

    app: App
    status: str
    version: str
    size: Size | None
    updated_at: datetime
    may_edit: bool
    may_manage: bool
    """Whether the asker may archive it and say who sees it."""


@dataclass(frozen=True)
class VersionLine:
    """One version of an App, who made it, and how many workloads it had (tests do not count)."""

    version: AppVersion
    by: str
    runs: int


@dataclass(frozen=True)
class AppDetail:
    """One App with its versions, newest first, and the one that is looked at (None: there is none yet)."""

    line: AppLine
    versions: tuple[VersionLine, ...]
    chosen: AppVersion | None
    intact: bool
    """The content of `chosen` has the hash that was written beside it."""
    draft_open: bool = False


async def page(
    session: AsyncSession, actor: Actor, settings: Settings, wanted: Wanted, number: int, size: int
) -> Page[AppLine]:
    """A page of the visible Apps; one past the end is empty."""
    query = _found().where(*_conditions(actor, wanted))
    total = await session.scalar(select(func.count()).select_from(query.with_only_columns(App.id).subquery()))
    rows = await session.execute(query.order_by(*_order(wanted)).offset((number - 1) * size).limit(size))
    rule = await approval_rule(session, settings)
    return Page([_line(actor, rule, row[0], row[1], row[2], row[3]) for row in rows.unique()], total or 0)


async def detail(
    session: AsyncSession, actor: Actor, settings: Settings, app_id: str, version: str | None = None
) -> AppDetail:
    """One App, looked at in `version` (default: the newest). Raises NotFound for an App or version that one cannot see."""
    await apps.get(session, actor, app_id)
    row = (await session.execute(_found().where(App.id == app_id))).unique().one()
    rule = await approval_rule(session, settings)
    line = _line(actor, rule, row[0], row[1], row[2], row[3])
    chosen: AppVersion | None = row[1]
    if version:
        chosen = await apps.version(session, actor, app_id, version)
        line = replace(line, version=chosen.version, size=size_of(chosen.spec, rule))
    intact = chosen is not None and content_sha256(chosen.spec) == chosen.content_sha256
    return AppDetail(line, await _versions(session, actor, app_id), chosen, intact, row[2] is not None)


def size_of(document: Mapping[str, Any], rule: ApprovalRule) -> Size:
    """How large a spec is; of one with errors only what can be counted."""
    try:
        spec = load_spec(document).spec
    except SpecError:
        return _counted(document)
    components = [component for _path, _task, component in components_of(spec)]
    return Size(_tasks(spec), len(components), largest_text(components), rule.reasons(spec))


def _tasks(spec: AppSpec) -> tuple[TaskLine, ...]:
    sources = {app.app_ref: f"{app.name} {app.version or ''}".rstrip() for app in spec.imported_apps}
    return tuple(
        TaskLine(
            task.task_id,
            task.name,
            len(task.components),
            largest_text(task.components),
            sources.get(task.imported_from, task.imported_from) if task.imported_from else "",
            task.after,
        )
        for task in spec.tasks
    )


def _counted(document: Mapping[str, Any]) -> Size:
    tasks = [task for task in _list(document, "tasks") if isinstance(task, dict)]
    lines = tuple(
        TaskLine(str(task.get("task_id", "")), str(task.get("name", "")), len(_list(task, "components")), "", "", ())
        for task in tasks
    )
    return Size(lines, sum(line.components for line in lines), "", ())


def _list(document: Mapping[str, Any], field: str) -> list[Any]:
    found = document.get(field)
    return found if isinstance(found, list) else []


def _line(
    actor: Actor, rule: ApprovalRule, app: App, newest: AppVersion | None, draft: Draft | None, updated: datetime
) -> AppLine:
    may_edit = allowed(actor, Permission.APP_EDIT, app_facts(app))
    may_manage = allowed(actor, Permission.APP_ARCHIVE, app_facts(app))
    if app.archived_at is not None:
        status = "archived"
    elif newest is None:
        status = "draft"
    else:
        status = "ready" if draft is None else "editing"
    size = None
    if newest is not None:
        size = size_of(newest.spec, rule)
    elif draft is not None and may_edit:
        size = size_of(json.loads(draft.spec), rule)
    return AppLine(app, status, newest.version if newest else "", size, updated, may_edit, may_manage)


async def _versions(session: AsyncSession, actor: Actor, app_id: str) -> tuple[VersionLine, ...]:
    found = await apps.versions(session, actor, app_id)
    people = select(User.id, User.display_name).where(User.id.in_({one.created_by_id for one in found}))
    names = {row[0]: row[1] for row in await session.execute(people)}
    counted = (
        select(Workload.app_version, func.count())
        .where(Workload.app_id == app_id, Workload.kind.not_in(NO_REQUESTS))
        .group_by(Workload.app_version)
    )
    runs = {row[0]: row[1] for row in await session.execute(counted)}
    return tuple(VersionLine(one, names.get(one.created_by_id, ""), runs.get(one.version, 0)) for one in found)


def _found() -> Found:
    """Every App with its newest version and its draft, where it has them, and when it last changed."""
    newest = select(func.max(AppVersion.id)).where(AppVersion.app_id == App.id).correlate(App).scalar_subquery()
    return (
        select(App, AppVersion, Draft, _updated())
        .join(User, User.id == App.owner_id)
        .outerjoin(AppVersion, AppVersion.id == newest)
        .outerjoin(Draft, Draft.app_id == App.id)
    )


def _updated() -> ColumnElement[datetime]:
    """The newest of version and draft; the App's own birth where there is neither."""
    settled = func.coalesce(AppVersion.created_at, App.created_at)
    return case((Draft.saved_at > settled, Draft.saved_at), else_=settled)


def _conditions(actor: Actor, wanted: Wanted) -> list[ColumnElement[bool]]:
    made, open_draft = AppVersion.id.is_not(None), Draft.app_id.is_not(None)
    by_status = {
        "draft": AppVersion.id.is_(None),
        "ready": and_(made, Draft.app_id.is_(None)),
        "editing": and_(made, open_draft),
    }
    archived = App.archived_at.is_not(None) if wanted.status == "archived" else App.archived_at.is_(None)
    found = [visible_apps(actor), archived]
    if wanted.status in by_status:
        found.append(by_status[wanted.status])
    if wanted.runnable:
        found.append(made)
    if wanted.q:
        found.append(or_(contains(App.id, wanted.q), contains(App.name, wanted.q)))
    if wanted.mine:
        found.append(App.owner_id == actor.user_id)
    return found


def _order(wanted: Wanted) -> list[ColumnElement[Any]]:
    """The id settles what is equal: no row on two pages."""
    key: ColumnElement[Any] = {
        "name": func.lower(App.name),
        "owner": func.lower(User.display_name),
    }.get(wanted.sort, _updated())
    return [key.desc() if wanted.descending else key.asc(), App.id.asc()]
