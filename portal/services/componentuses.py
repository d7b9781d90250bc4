"""Where components are placed: kept beside every version and draft of an App, so that "used in" is one query."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import ComponentUse
from portal.spec.models import AppSpec

MOST_OF_A_DRAFT = 1000
"""A draft may be wrong in any way; more components than an App may have need not be kept."""
_ID_CHARS, _NAME_CHARS = 64, 128


class Placement(NamedTuple):
    """One placement of a spec."""

    component_id: str
    component_version: str | None
    task_id: str
    task_name: str
    node_id: str


def note_version(session: AsyncSession, app_id: str, version: str, spec: AppSpec) -> None:
    """What a new version of an App places."""
    for task in spec.tasks:
        for one in task.components:
            placed = Placement(one.component_id, one.component_version, task.task_id, task.name, one.id)
            session.add(_row(app_id, version, placed))


async def note_draft(session: AsyncSession, app_id: str, spec: Mapping[str, Any] | None) -> None:
    """What the App's draft places now; None: there is no draft any more. Most saves change nothing here."""
    wanted = set(islice(placements_of(spec), MOST_OF_A_DRAFT)) if spec is not None else set()
    mine = (ComponentUse.app_id == app_id, ComponentUse.app_version.is_(None))
    rows = {_placement(row): row.id for row in (await session.scalars(select(ComponentUse).where(*mine))).unique()}
    gone = [row_id for placed, row_id in rows.items() if placed not in wanted]
    if gone:
        await session.execute(delete(ComponentUse).where(ComponentUse.id.in_(gone)))
    session.add_all(_row(app_id, None, placed) for placed in sorted(wanted - rows.keys(), key=repr))


async def is_locked(session: AsyncSession, component_id: str, version: str) -> bool:
    """Whether a published App places exactly this version."""
    query = select(ComponentUse.id).where(
        ComponentUse.component_id == component_id,
        ComponentUse.component_version == version,
        ComponentUse.app_version.is_not(None),
    )
    return await session.scalar(query.limit(1)) is not None


def placements_of(spec: Mapping[str, Any]) -> Iterator[Placement]:
    """The placements of a draft, which may be wrong in any way that JSON can be: what cannot be read is left out."""
    for task in _objects(spec, "tasks"):
        for component in _objects(task, "components"):
            found = component.get("component_id")
            if isinstance(found, str) and found:
                version = component.get("component_version")
                yield Placement(
                    found[:_ID_CHARS],
                    version[:_ID_CHARS] if isinstance(version, str) and version else None,
                    str(task.get("task_id", ""))[:_ID_CHARS],
                    str(task.get("name", ""))[:_NAME_CHARS],
                    str(component.get("node_id") or found)[:_ID_CHARS],
                )


def _objects(holder: Mapping[str, Any], key: str) -> Collection[dict[str, Any]]:
    found = holder.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _row(app_id: str, version: str | None, placed: Placement) -> ComponentUse:
    return ComponentUse(app_id=app_id, app_version=version, **placed._asdict())


def _placement(row: ComponentUse) -> Placement:
    return Placement(row.component_id, row.component_version, row.task_id, row.task_name, row.node_id)
