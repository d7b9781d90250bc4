"""What an App imports: versions of its sources, what a spec's imports are told of, and cycles, refused at every door."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, AppVersion
from portal.services.access import visible_apps
from portal.services.audit import Actor
from portal.services.errors import Invalid
from portal.spec.imports import Pin, chain_back, changed_tasks, newer_version
from portal.spec.load import load_spec
from portal.spec.models import AppSpec, ImportedApp
from portal.spec.problems import Problem, SpecError, problem

HIDDEN = "…"
"""In a chain: an App that the asker may not see."""


async def versions_of(session: AsyncSession, actor: Actor, app_ids: Collection[str]) -> dict[str, list[str]]:
    """Versions of these Apps, newest first; of those that one may not see, or that are archived or absent, none."""
    found: dict[str, list[str]] = {app_id: [] for app_id in app_ids}
    query = (
        select(AppVersion.app_id, AppVersion.version)
        .join(App, App.id == AppVersion.app_id)
        .where(App.id.in_(found), visible_apps(actor), App.archived_at.is_(None))
        .order_by(AppVersion.id.desc())
    )
    for app_id, version in await session.execute(query):
        found[app_id].append(version)
    return found


async def chain_of(session: AsyncSession, actor: Actor, into: str, into_name: str, start: Pin) -> tuple[str, ...]:
    """Names from the App `into` over `start` back to it; empty when `start` does not lead back."""
    chain = chain_back(start, await _reached(session, [start]), into)
    return await _named(session, actor, chain, {into: into_name})


async def problems_of(session: AsyncSession, actor: Actor, spec: AppSpec) -> list[Problem]:
    """Imports that lead back to the App itself, that a newer version may replace, or whose Tasks were changed here."""
    if not spec.imported_apps:
        return []
    newer = await _newer(session, actor, spec)
    return [*await cycles_of(session, actor, spec), *newer, *await _changed(session, actor, spec)]


async def cycles_of(session: AsyncSession, actor: Actor, spec: AppSpec) -> list[Problem]:
    """Imports by way of which the App imports itself; a direct one is a rule of `portal.spec` already."""
    starts = {path: Pin(app.app_ref, app.version) for path, app in _imports(spec) if app.app_ref != spec.app_id}
    reached = await _reached(session, starts.values())
    found = []
    for path, start in starts.items():
        if chain := chain_back(start, reached, spec.app_id):
            names = await _named(session, actor, chain, {spec.app_id: spec.name})
            found.append(problem(f"{path}.app_ref", "import_cycle", chain=" → ".join(names)))
    return found


async def refuse_cycles(session: AsyncSession, actor: Actor, spec: AppSpec) -> None:
    """Raises Invalid naming the chains when the App would import itself."""
    if found := await cycles_of(session, actor, spec):
        english = " ".join(one.message_en for one in found)
        korean = " ".join(one.message_ko for one in found)
        raise Invalid("import_cycle", english, korean, found)


async def _newer(session: AsyncSession, actor: Actor, spec: AppSpec) -> Iterator[Problem]:
    versions = await versions_of(session, actor, {app.app_ref for app in spec.imported_apps})
    return (
        problem(f"{path}.version", "newer_import", name=app.name, pinned=app.version or "?", newest=newest)
        for path, app in _imports(spec)
        if (newest := newer_version(versions[app.app_ref], app.version, app.declined_version))
    )


async def _changed(session: AsyncSession, actor: Actor, spec: AppSpec) -> list[Problem]:
    """Imported Tasks are locked in the Builder only: a file may say anything. What one may not see cannot be compared."""
    pins = {Pin(app.app_ref, app.version) for app in spec.imported_apps if app.version is not None}
    if not pins:
        return []
    query = (
        select(AppVersion.spec)
        .join(App, App.id == AppVersion.app_id)
        .where(tuple_(AppVersion.app_id, AppVersion.version).in_(pins), visible_apps(actor))
    )
    found = []
    for document in await session.scalars(query):
        try:
            source = load_spec(document).spec
        except SpecError:
            continue  # by today's rules it could not be published, so nothing can be said of it
        for index, task in changed_tasks(spec, source):
            values = {"app": source.name, "version": source.version, "task": task.name}
            found.append(problem(f"$.tasks[{index}].imported_from", "import_changed", **values))
    return found


def _imports(spec: AppSpec) -> Iterator[tuple[str, ImportedApp]]:
    for index, app in enumerate(spec.imported_apps):
        yield f"$.imported_apps[{index}]", app


async def _reached(session: AsyncSession, starts: Iterable[Pin]) -> dict[Pin, tuple[Pin, ...]]:
    """What the starts import, and what that imports, and so on; two queries a step away from them."""
    reached: dict[Pin, tuple[Pin, ...]] = {}
    wanted = set(starts)
    while wanted:
        reached |= await _imported_by(session, wanted)
        wanted = {pin for one in wanted for pin in reached[one]} - reached.keys()
    return reached


async def _imported_by(session: AsyncSession, pins: set[Pin]) -> dict[Pin, tuple[Pin, ...]]:
    """What each version imports. A version that is not there stands for the newest, an App that is not there imports nothing."""
    rows: dict[Pin, int] = {}
    known = select(AppVersion.app_id, AppVersion.version, AppVersion.id).order_by(AppVersion.id)
    for app_id, version, row in await session.execute(known.where(AppVersion.app_id.in_({pin.app_id for pin in pins}))):
        rows[Pin(app_id, version)] = rows[Pin(app_id, None)] = row
    of_row = {pin: rows.get(pin, rows.get(Pin(pin.app_id, None))) for pin in pins}
    # Not the whole specs: they may be large, and there may be many of them.
    lists = select(AppVersion.id, AppVersion.spec["imported_apps"]).where(
        AppVersion.id.in_(set(of_row.values()) - {None})
    )
    documents: dict[int | None, list[dict[str, Any]] | None] = dict((await session.execute(lists)).all())
    return {pin: tuple(_pins(documents.get(row) or [])) for pin, row in of_row.items()}


def _pins(documents: Iterable[Mapping[str, Any]]) -> Iterator[Pin]:
    for document in documents:
        yield Pin(document["app_ref"], document.get("version"))


async def _named(
    session: AsyncSession, actor: Actor, chain: tuple[str, ...], own: Mapping[str, str]
) -> tuple[str, ...]:
    """The Apps' names; of those that the actor may not see only that there is one."""
    query = select(App.id, App.name).where(App.id.in_(chain), visible_apps(actor))
    names = dict((await session.execute(query)).all()) | dict(own)
    return tuple(names.get(app_id, HIDDEN) for app_id in chain)
