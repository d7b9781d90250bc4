"""The library as pages and programs see it: a list with filters, one component, who uses it, and what a placement gets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, AppVersion, Component, ComponentUse, ComponentVersion, Draft, Image, User
from portal.domain.permissions import Permission
from portal.domain.resources_text import demand_text
from portal.services import components, componentuses, imagechecks
from portal.services.access import allowed, component_facts, demand, visible_apps
from portal.services.audit import Actor
from portal.services.errors import NotFound
from portal.services.imagechecks import Check
from portal.services.paging import Page, contains
from portal.spec.models import Resources

SORTS = ("name", "owner", "created")
Found = Select[Component, ComponentVersion]


@dataclass(frozen=True)
class Wanted:
    """Which components and in which order; `deprecated`: "" hides them, "only" shows nothing else, "all" both."""

    q: str = ""
    tag: str = ""
    gpu: str = ""
    mine: bool = False
    deprecated: str = ""
    sort: str = "name"
    descending: bool = False


@dataclass(frozen=True)
class Uses:
    """In how many Apps and Tasks a component is placed, published or drawn."""

    apps: int = 0
    tasks: int = 0


@dataclass(frozen=True)
class VersionLine:
    """One version, what is known of its image, what it asks for, and how many Apps place it."""

    version: ComponentVersion
    check: Check
    resources: str
    apps: int = 0


@dataclass(frozen=True)
class ComponentLine:
    """One component of the list, with its newest version."""

    component: Component
    newest: VersionLine
    uses: Uses


@dataclass(frozen=True)
class ComponentDetail:
    """One component, looked at in `chosen`; `locked`: a published App places the newest version, so it stays as it is."""

    component: Component
    versions: tuple[VersionLine, ...]
    chosen: VersionLine
    uses: Uses
    sif: str
    may_edit: bool
    locked: bool

    @property
    def newest(self) -> VersionLine:
        """The version that new placements get."""
        return self.versions[0]


@dataclass(frozen=True)
class UseLine:
    """One placement: App (its `app_version` None: the draft), Task and node; `behind`: a newer version exists."""

    use: ComponentUse
    status: str
    behind: bool


@dataclass(frozen=True)
class UsePage:
    """The placements one may see, and how many private Apps of others place it too."""

    lines: Page[UseLine]
    private_apps: int


async def page(session: AsyncSession, actor: Actor, wanted: Wanted, number: int, size: int) -> Page[ComponentLine]:
    """A page of the library; one past the end is empty. Raises Forbidden."""
    demand(actor, Permission.COMPONENT_READ)
    query = _found().where(*_conditions(actor, wanted))
    total = await session.scalar(select(func.count()).select_from(query.with_only_columns(Component.id).subquery()))
    found = await session.execute(query.order_by(*_order(wanted)).offset((number - 1) * size).limit(size))
    rows = [(row[0], row[1]) for row in found.unique()]
    checks = await _checks(session, [version for _component, version in rows])
    uses = await _uses(session, {component.id for component, _version in rows})
    lines = [
        ComponentLine(component, _line(version, checks), uses.get(component.id, Uses())) for component, version in rows
    ]
    return Page(lines, total or 0)


async def detail(session: AsyncSession, actor: Actor, component_id: str, version: str | None = None) -> ComponentDetail:
    """One component, looked at in `version` (default: the newest). Raises NotFound."""
    component = await components.get(session, actor, component_id)
    rows = await components.versions(session, component_id)
    checks, apps = await _checks(session, rows), await _apps_by_version(session, component_id)
    lines = tuple(_line(row, checks, apps.get(row.version, 0)) for row in rows)
    chosen = next((line for line in lines if version in (None, "", line.version.version)), None)
    if chosen is None:
        raise NotFound("component version", f"{component_id} {version}")
    image = await session.get(Image, chosen.version.digest) if chosen.version.digest else None
    return ComponentDetail(
        component,
        lines,
        chosen,
        (await _uses(session, {component_id})).get(component_id, Uses()),
        image.state if image is not None else "",
        allowed(actor, Permission.COMPONENT_EDIT, component_facts(component)),
        await componentuses.is_locked(session, component_id, rows[0].version),
    )


async def uses(session: AsyncSession, actor: Actor, component_id: str, number: int, size: int) -> UsePage:
    """Where it is placed, by App and its versions, newest first. Raises NotFound."""
    await components.get(session, actor, component_id)
    newest = (await components.versions(session, component_id))[0].version
    mine = ComponentUse.component_id == component_id
    query = select(ComponentUse).join(App, App.id == ComponentUse.app_id).where(mine, visible_apps(actor))
    total = await session.scalar(select(func.count()).select_from(query.with_only_columns(ComponentUse.id).subquery()))
    ordered = query.order_by(func.lower(App.name), App.id, ComponentUse.id.desc())
    rows = (await session.scalars(ordered.offset((number - 1) * size).limit(size))).unique().all()
    statuses = await _statuses(session, {row.app_id for row in rows})
    lines = [UseLine(row, statuses[row.app_id], row.component_version not in (None, newest)) for row in rows]
    hidden = (
        select(func.count(func.distinct(ComponentUse.app_id)))
        .join(App, App.id == ComponentUse.app_id)
        .where(mine, ~visible_apps(actor))
    )
    return UsePage(Page(lines, total or 0), await session.scalar(hidden) or 0)


async def tags(session: AsyncSession) -> list[str]:
    """Every tag in the library, in order."""
    lines = await session.scalars(select(Component.tag_lines).where(Component.tag_lines != ""))
    return sorted({tag for line in lines for tag in line.split()}, key=str.casefold)


async def gpu_types(session: AsyncSession) -> list[str]:
    """Every GPU type that a newest version asks for."""
    column = ComponentVersion.resources["gpu_type"].as_string()
    found = await session.scalars(select(column).where(ComponentVersion.id.in_(_newest_ids()), column.is_not(None)))
    return sorted({gpu for gpu in found if gpu})


def resources_line(document: dict[str, Any]) -> str:
    """`A100 x 4, 128GB` of a version's default resources."""
    return demand_text(Resources.model_validate(document, strict=False))


def _newest_ids() -> Select[int]:
    return select(func.max(ComponentVersion.id)).group_by(ComponentVersion.component_id)


def _found() -> Found:
    newest = and_(ComponentVersion.component_id == Component.id, ComponentVersion.id.in_(_newest_ids()))
    return select(Component, ComponentVersion).join(ComponentVersion, newest).join(User, User.id == Component.owner_id)


def _conditions(actor: Actor, wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.deprecated != "all":
        shown = Component.deprecated_at.is_not(None) if wanted.deprecated else Component.deprecated_at.is_(None)
        found.append(shown)
    if wanted.q:
        columns = (Component.name, Component.id, Component.description)
        image = (ComponentVersion.repository + ":" + ComponentVersion.tag).icontains(wanted.q, autoescape=True)
        found.append(or_(*(contains(column, wanted.q) for column in columns), image))
    if wanted.tag:
        found.append(Component.tag_lines.contains(f"\n{wanted.tag}\n", autoescape=True))
    if wanted.gpu:
        found.append(ComponentVersion.resources["gpu_type"].as_string() == wanted.gpu)
    if wanted.mine:
        found.append(Component.owner_id == actor.user_id)
    return found


def _order(wanted: Wanted) -> list[ColumnElement[Any]]:
    """The id settles what is equal: no row on two pages."""
    by: dict[str, ColumnElement[Any]] = {
        "owner": func.lower(User.display_name),
        "created": func.coalesce(Component.created_at),
    }
    key = by.get(wanted.sort, func.lower(Component.name))
    return [key.desc() if wanted.descending else key.asc(), Component.id.asc()]


def _line(version: ComponentVersion, checks: dict[str, Check], apps: int = 0) -> VersionLine:
    reference = f"{version.repository}:{version.tag}"
    check = checks.get(reference, Check(reference, imagechecks.UNCHECKED))
    return VersionLine(version, check, resources_line(version.resources), apps)


async def _checks(session: AsyncSession, rows: Sequence[ComponentVersion]) -> dict[str, Check]:
    return await imagechecks.known(session, {f"{row.repository}:{row.tag}" for row in rows})


async def _uses(session: AsyncSession, ids: Collection[str]) -> dict[str, Uses]:
    """Every App counts, also the private ones of others: how much depends on a component is no secret."""
    placed = (
        select(ComponentUse.component_id, ComponentUse.app_id, ComponentUse.task_id)
        .where(ComponentUse.component_id.in_(ids))
        .distinct()
        .subquery()
    )
    counted = select(placed.c.component_id, func.count(func.distinct(placed.c.app_id)), func.count()).group_by(
        placed.c.component_id
    )
    return {row[0]: Uses(row[1], row[2]) for row in await session.execute(counted)}


async def _apps_by_version(session: AsyncSession, component_id: str) -> dict[str | None, int]:
    counted = (
        select(ComponentUse.component_version, func.count(func.distinct(ComponentUse.app_id)))
        .where(ComponentUse.component_id == component_id)
        .group_by(ComponentUse.component_version)
    )
    return {row[0]: row[1] for row in await session.execute(counted)}


async def _statuses(session: AsyncSession, ids: Collection[str]) -> dict[str, str]:
    """The glossary's status of each App."""
    made = select(AppVersion.app_id).where(AppVersion.app_id.in_(ids)).distinct()
    with_version = set(await session.scalars(made))
    drawn = set(await session.scalars(select(Draft.app_id).where(Draft.app_id.in_(ids))))
    archived = set(await session.scalars(select(App.id).where(App.id.in_(ids), App.archived_at.is_not(None))))

    def status(app_id: str) -> str:
        if app_id in archived:
            return "archived"
        if app_id not in with_version:
            return "draft"
        return "editing" if app_id in drawn else "ready"

    return {app_id: status(app_id) for app_id in ids}
