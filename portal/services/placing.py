"""What the Builder knows of the library: entries to place, and what it says of the placements of a spec."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, AppVersion, Component, ComponentVersion, Draft
from portal.services import apps, components, imagechecks, imports
from portal.services.apps import Checked
from portal.services.audit import Actor
from portal.services.imagechecks import Check
from portal.settings import Settings
from portal.spec.load import load_spec
from portal.spec.problems import Problem, SpecError, errors_of, listed, problem
from portal.spec.version import version_key

ENTRIES = 500
APPS_OFFERED = 50


@dataclass(frozen=True)
class Target:
    """A Task that something can be placed in."""

    app_id: str
    app_name: str
    task_id: str
    task_name: str


@dataclass(frozen=True)
class _Placed:
    """One placement of a spec, as far as it can be read, and where it stands."""

    path: str
    component_id: str
    version: str
    name: str
    image: str
    imported: bool


async def palette(session: AsyncSession) -> list[dict[str, Any]]:
    """The library by name: what a placement gets from the newest version, and what the older ones would have given.

    Deprecated components are marked: they are not offered, but what is placed already knows them.
    """
    query = select(Component).order_by(func.lower(Component.name), Component.id).limit(ENTRIES)
    found = list((await session.scalars(query)).unique())
    versions = await _versions(session, {component.id for component in found})
    images = {_image(rows[0]) for rows in versions.values()}
    checks = await imagechecks.known(session, images)
    return [_entry(component, versions[component.id], checks) for component in found]


async def targets(session: AsyncSession, actor: Actor) -> list[Target]:
    """Tasks of one's own Apps where a component can be placed: not imported ones, the newest Apps first."""
    newest = select(func.max(AppVersion.id)).where(AppVersion.app_id == App.id).correlate(App).scalar_subquery()
    query = (
        select(App.id, App.name, AppVersion.spec, Draft.spec)
        .outerjoin(AppVersion, AppVersion.id == newest)
        .outerjoin(Draft, Draft.app_id == App.id)
        .where(App.owner_id == actor.user_id, App.archived_at.is_(None))
        .order_by(App.created_at.desc(), App.id)
        .limit(APPS_OFFERED)
    )
    found = []
    for app_id, app_name, version, draft in await session.execute(query):
        document = json.loads(draft) if draft is not None else version or {}
        found += [Target(app_id, app_name, task_id, name) for task_id, name in _own_tasks(document)]
    return found


def _own_tasks(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    tasks = document.get("tasks")
    for task in tasks if isinstance(tasks, list) else []:
        if isinstance(task, dict) and task.get("task_id") and not task.get("imported_from"):
            yield str(task["task_id"]), str(task.get("name", ""))


async def check(session: AsyncSession, actor: Actor, settings: Settings, content: bytes) -> Checked:
    """As `apps.check`, and with what library and imported Apps say of a spec that can be read."""
    found = apps.check(settings, content)
    try:
        loaded = load_spec(content)
    except SpecError:
        return found
    library = await problems_of(session, loaded.document)
    problems = listed([*found.problems, *library, *await imports.problems_of(session, actor, loaded.spec)])
    return Checked(not errors_of(problems), problems)


async def problems_of(session: AsyncSession, document: Mapping[str, Any]) -> list[Problem]:
    """Components that the library lacks, deprecated ones, newer versions; images that their registry does not have."""
    placed = list(_placements(document))
    ids = {one.component_id for one in placed}
    known = {row.id: row for row in (await session.scalars(select(Component).where(Component.id.in_(ids)))).unique()}
    versions = await _versions(session, known)
    checks = await imagechecks.known(session, {one.image for one in placed})
    found: list[Problem] = []
    for one in placed:
        if checks.get(one.image, Check(one.image, imagechecks.UNCHECKED)).state == imagechecks.NOT_FOUND:
            found.append(problem(f"{one.path}.image.tag", "image_not_found", image=one.image))
        found += _of_library(one, known.get(one.component_id), versions.get(one.component_id, []))
    return found


def _of_library(one: _Placed, component: Component | None, versions: list[ComponentVersion]) -> Iterator[Problem]:
    if component is None:
        yield problem(f"{one.path}.component_id", "unknown_component", id=one.component_id)
        return
    if component.deprecated_at is not None:
        yield problem(f"{one.path}.component_id", "deprecated_component", name=component.name)
    if one.version and one.version not in {row.version for row in versions}:
        yield problem(f"{one.path}.component_version", "unknown_component", id=f"{one.component_id} {one.version}")
    newest = versions[0].version
    if one.version and not one.imported and version_key(newest) > version_key(one.version):
        values = {"name": one.name, "pinned": one.version, "newest": newest}
        yield problem(f"{one.path}.component_version", "newer_component", **values)


def _placements(document: Mapping[str, Any]) -> Iterator[_Placed]:
    for i, task in enumerate(document["tasks"]):
        for j, component in enumerate(task["components"]):
            image = component["image"]
            # Pinned: where the tag points now does not matter.
            reference = "" if image.get("digest") else f"{image['registry']}:{image['tag']}"
            yield _Placed(
                f"$.tasks[{i}].components[{j}]",
                component["component_id"],
                component.get("component_version") or "",
                component["name"],
                reference,
                task.get("imported_from") is not None,
            )


async def _versions(session: AsyncSession, ids: Collection[str]) -> dict[str, list[ComponentVersion]]:
    """All versions of these components, newest first."""
    query = select(ComponentVersion).where(ComponentVersion.component_id.in_(ids))
    found: dict[str, list[ComponentVersion]] = {component_id: [] for component_id in ids}
    for row in (await session.scalars(query.order_by(ComponentVersion.id.desc()))).unique():
        found[row.component_id].append(row)
    return found


def _entry(component: Component, versions: list[ComponentVersion], checks: Mapping[str, Check]) -> dict[str, Any]:
    newest = versions[0]
    check = checks.get(_image(newest), Check(_image(newest), imagechecks.UNCHECKED))
    return {
        "component_id": component.id,
        "name": component.name,
        "description": component.description,
        "tags": component.tags,
        "deprecated": component.deprecated_at is not None,
        "image_state": check.state,
        **_given(newest),
        "versions": {row.version: _given(row) for row in versions[1:]},
    }


def _given(version: ComponentVersion) -> dict[str, Any]:
    """What a placement gets from a version."""
    image = {"registry": version.repository, "tag": version.tag}
    return {
        "version": version.version,
        "image": image | ({"digest": version.digest} if version.digest else {}),
        "resources": version.resources,
        "params": components.content_of(version).defaults,
        "command": version.command,
        "args": version.args,
    }


def _image(version: ComponentVersion) -> str:
    return f"{version.repository}:{version.tag}"
