"""`--demo`: the components of the example Apps are in the library, so that their palette is not empty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Component
from portal.services import components
from portal.services.audit import Actor
from portal.services.components import FIRST_VERSION, About, Registration
from portal.settings import Settings
from portal.spec.library import Content, Param, ParamType

_TYPES: tuple[tuple[type, ParamType], ...] = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "text"))


async def fill(session: AsyncSession, actor: Actor, settings: Settings, spec: Mapping[str, Any]) -> None:
    """Register every component of a spec that the library lacks, with what this spec gives it."""
    for task in spec["tasks"]:
        for component in task["components"]:
            if await session.get(Component, component["component_id"]) is None:
                await components.register(session, actor, settings, _registration(spec, task, component))


def _registration(spec: Mapping[str, Any], task: Mapping[str, Any], component: Mapping[str, Any]) -> Registration:
    content = Content(
        component["image"]["registry"],
        component["image"]["tag"],
        component["resources"],
        tuple(Param(name, _type_of(value), value) for name, value in component.get("params", {}).items()),
        _words(component.get("command")),
        _words(component.get("args")),
    )
    return Registration(
        name=component["name"],
        version=FIRST_VERSION,
        content=content,
        about=About(f"{spec['name']}: {task['name']}", tags=("example",)),
        component_id=component["component_id"],
    )


def _type_of(value: Any) -> ParamType:
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "json")


def _words(words: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if words is None else tuple(words)
