"""The component library: registering, changing, new versions, deprecating. Nothing is ever deleted (D30).

Description, tags and help may be changed always. Image, default resources, parameters and command belong to a version, and
only the newest one may still be changed, until a published App places it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from portal.db.models import Component, ComponentVersion, now
from portal.domain.permissions import RESEARCHER, Permission
from portal.services import componentuses, imagechecks
from portal.services.access import allowed, component_facts, demand
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound
from portal.services.site import site_rules
from portal.settings import Settings
from portal.spec.library import Content, Described, Param, problems_of
from portal.spec.problems import Problem, errors_of, problem
from portal.spec.version import next_version, version_key

FIRST_VERSION = "1.0.0"
_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_FREE_ID = "CL-NEW"


@dataclass(frozen=True)
class About:
    """What may be changed always."""

    description: str = ""
    help: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Registration:
    """A new component with its first version; `component_id` "" means one is made up."""

    name: str
    version: str
    content: Content
    about: About = field(default_factory=About)
    note: str = ""
    component_id: str = ""


async def get(session: AsyncSession, actor: Actor, component_id: str) -> Component:
    """One component. Raises NotFound."""
    demand(actor, Permission.COMPONENT_READ)
    found = await session.get(Component, component_id)
    if found is None:
        raise NotFound("component", component_id)
    return found


async def editable(session: AsyncSession, actor: Actor, component_id: str) -> Component:
    """One component that the actor may change. Raises NotFound, Forbidden."""
    component = await get(session, actor, component_id)
    if not allowed(actor, Permission.COMPONENT_EDIT, component_facts(component)):
        name = component.owner.display_name
        raise Forbidden(
            "component_not_yours",
            f"Only {name}, who registered it, and administrators may change this component.",
            f"이 컴포넌트는 등록자({name})와 관리자만 바꿀 수 있습니다.",
        )
    return component


async def versions(session: AsyncSession, component_id: str) -> list[ComponentVersion]:
    """Its versions, newest first."""
    query = select(ComponentVersion).where(ComponentVersion.component_id == component_id)
    return list((await session.scalars(query.order_by(ComponentVersion.id.desc()))).unique())


async def register(session: AsyncSession, actor: Actor, settings: Settings, wanted: Registration) -> Component:
    """A new component of the library. Raises Forbidden, and Invalid with every problem and its place."""
    if actor.user_id is None:
        raise Forbidden("no_person", "Only a person owns a component.", "컴포넌트의 등록자는 사람이어야 합니다.")
    demand(actor, Permission.COMPONENT_CREATE, role=RESEARCHER)
    described = _described(wanted.component_id or _FREE_ID, wanted.name, wanted.version, wanted.content, wanted.about)
    found = [*await _problems(session, settings, described), *await _taken(session, wanted)]
    _refuse(found)
    made = Component(
        id=wanted.component_id or _new_id(),
        name=wanted.name,
        owner_id=actor.user_id,
        description=wanted.about.description,
        help=wanted.about.help,
        tag_lines=_tag_lines(wanted.about.tags),
    )
    try:
        async with session.begin_nested():
            session.add(made)
            await session.flush()
    except IntegrityError as error:
        raise _changed_meanwhile() from error
    record(session, actor, Action.COMPONENT_CREATE, "component", made.id, after={"name": made.name})
    await _add_version(session, actor, settings, made, wanted.version, wanted.content, wanted.note)
    await session.refresh(made, ["owner"])
    return made


async def new_version(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    component_id: str,
    *,
    version: str,
    content: Content,
    note: str,
) -> ComponentVersion:
    """A version above all others, with a note of what changed. Raises NotFound, Forbidden, Invalid."""
    component = await editable(session, actor, component_id)
    described = _described(component.id, component.name, version, content, About(), note)
    found = await _problems(session, settings, described)
    highest = max((one.version for one in await versions(session, component_id)), key=version_key)
    if version_key(version) <= version_key(highest):
        values = {"version": version, "highest": highest, "next": next_version(highest)}
        found.append(problem("$.version", "component_version_low", **values))
    if not note.strip():
        found.append(problem("$.note", "note_missing"))
    _refuse(found)
    return await _add_version(session, actor, settings, component, version, content, note)


async def change(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    component_id: str,
    *,
    revision: int,
    about: About,
    content: Content | None = None,
) -> Component:
    """Change what may be changed; `content` None leaves the newest version as it is.

    Raises NotFound, Forbidden, Invalid, and Conflict: somebody else was first, or the version is in use.
    """
    component = await editable(session, actor, component_id)
    if component.revision != revision:
        raise _changed_meanwhile()
    newest = (await versions(session, component_id))[0]
    described = _described(component.id, component.name, newest.version, content or content_of(newest), about)
    _refuse(await _problems(session, settings, described))
    before = about_of(component)
    component.description, component.help = about.description, about.help
    component.tag_lines, component.changed_at = _tag_lines(about.tags), now()
    if content is not None and content != content_of(newest):
        await _rewrite(session, actor, settings, newest, content)
    if about != before:
        facts = _differences(before, about)
        record(session, actor, Action.COMPONENT_CHANGE, "component", component.id, before=facts[0], after=facts[1])
    try:
        await session.flush()
    except StaleDataError as error:
        raise _changed_meanwhile() from error
    return component


async def deprecate(session: AsyncSession, actor: Actor, component_id: str) -> Component:
    """Offer it no more; Apps that place it go on working. Again is fine. Raises NotFound, Forbidden."""
    component = await editable(session, actor, component_id)
    if component.deprecated_at is None:
        component.deprecated_at = now()
        record(session, actor, Action.COMPONENT_DEPRECATE, "component", component.id)
    return component


async def restore(session: AsyncSession, actor: Actor, component_id: str) -> Component:
    """Take deprecating back. Raises NotFound, Forbidden."""
    component = await editable(session, actor, component_id)
    if component.deprecated_at is not None:
        component.deprecated_at = None
        record(session, actor, Action.COMPONENT_RESTORE, "component", component.id)
    return component


def content_of(version: ComponentVersion) -> Content:
    """What a version fixes, as a value."""
    return Content(
        registry=version.repository,
        tag=version.tag,
        resources=version.resources,
        params=tuple(Param(**param) for param in version.params),
        command=None if version.command is None else tuple(version.command),
        args=None if version.args is None else tuple(version.args),
    )


def about_of(component: Component) -> About:
    """What may be changed always, as a value."""
    return About(component.description, component.help, tuple(component.tags))


async def _add_version(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    component: Component,
    version: str,
    content: Content,
    note: str,
) -> ComponentVersion:
    made = ComponentVersion(
        component_id=component.id, version=version, note=note, created_by_id=actor.user_id, **_columns(content)
    )
    made.digest = await _digest(session, actor, settings, content)
    try:
        async with session.begin_nested():
            session.add(made)
            await session.flush()
    except IntegrityError as error:
        raise _changed_meanwhile() from error
    facts = {"version": version, "image": f"{content.registry}:{content.tag}", "digest": made.digest, "note": note}
    record(session, actor, Action.COMPONENT_VERSION, "component", component.id, after=facts)
    await session.refresh(made, ["created_by"])
    return made


async def _rewrite(
    session: AsyncSession, actor: Actor, settings: Settings, version: ComponentVersion, content: Content
) -> None:
    """The newest version with other content, while no published App places it."""
    if await componentuses.is_locked(session, version.component_id, version.version):
        raise Conflict(
            "version_in_use",
            "Locked because it is in use. Make a new version.",
            "사용 중이라 잠겼습니다. 새 버전을 만드세요.",
        )
    old = content_of(version)
    for name, value in _columns(content).items():
        setattr(version, name, value)
    if (old.registry, old.tag) != (content.registry, content.tag):
        version.digest = await _digest(session, actor, settings, content)
    before, after = {"version": version.version, **_facts(old)}, {"version": version.version, **_facts(content)}
    record(session, actor, Action.COMPONENT_CHANGE, "component", version.component_id, before=before, after=after)


async def _digest(session: AsyncSession, actor: Actor, settings: Settings, content: Content) -> str | None:
    """The digest where it is known by now; otherwise the daemon writes it as soon as it knows."""
    check = await imagechecks.ask(session, actor, settings, content.registry, content.tag)
    return check.digest if check.state == imagechecks.VERIFIED else None


def _columns(content: Content) -> dict[str, Any]:
    return {
        "repository": content.registry,
        "tag": content.tag,
        "resources": dict(content.resources),
        "params": [param.as_json() for param in content.params],
        "command": None if content.command is None else list(content.command),
        "args": None if content.args is None else list(content.args),
    }


def _facts(content: Content) -> dict[str, Any]:
    columns = _columns(content)
    return {"image": f"{columns.pop('repository')}:{columns.pop('tag')}", **columns}


def _described(component_id: str, name: str, version: str, content: Content, about: About, note: str = "") -> Described:
    texts = {"description": about.description, "help": about.help, "note": note}
    return Described(component_id, name, version, content, about.tags, texts)


async def _problems(session: AsyncSession, settings: Settings, described: Described) -> list[Problem]:
    """By the rules, and by what the registry said of the image a moment ago."""
    found = list(problems_of(described, site_rules(settings)))
    content = described.content
    if await imagechecks.is_missing(session, content.registry, content.tag):
        found.append(problem("$.image.tag", "image_not_found", image=f"{content.registry}:{content.tag}"))
    return found


async def _taken(session: AsyncSession, wanted: Registration) -> list[Problem]:
    found = []
    same_name = select(Component.id).where(func.lower(Component.name) == wanted.name.lower()).limit(1)
    if await session.scalar(same_name) is not None:
        found.append(problem("$.name", "component_name_taken", name=wanted.name))
    if wanted.component_id and await session.get(Component, wanted.component_id) is not None:
        found.append(problem("$.component_id", "component_id_taken", id=wanted.component_id))
    return found


def _refuse(found: list[Problem]) -> None:
    if wrong := errors_of(found):
        count = len(wrong)
        raise Invalid("invalid_component", f"Check {count} fields.", f"입력을 확인하세요 ({count}건).", wrong)


def _differences(before: About, after: About) -> tuple[dict[str, Any], dict[str, Any]]:
    old, new = vars(before), vars(after)
    changed = [name for name in old if old[name] != new[name]]
    return _plain(old, changed), _plain(new, changed)


def _plain(values: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: list(values[name]) if isinstance(values[name], tuple) else values[name] for name in names}


def _new_id() -> str:
    return "CL-" + "".join(secrets.choice(_ID_LETTERS) for _ in range(6))


def _tag_lines(tags: tuple[str, ...]) -> str:
    return "\n" + "".join(f"{tag}\n" for tag in tags) if tags else ""


def _changed_meanwhile() -> Conflict:
    return Conflict(
        "changed_meanwhile",
        "Somebody changed this component meanwhile. Load it again and repeat your change.",
        "그 사이 이 컴포넌트가 바뀌었습니다. 다시 불러온 뒤 고치세요.",
    )
