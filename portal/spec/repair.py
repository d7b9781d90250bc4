"""Make a misshapen document checkable, so that its graph and values are judged in the same answer as its shape."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

_PLACEHOLDERS: dict[str, Any] = {
    "name": "placeholder",
    "version": "0",
    "tasks": [],
    "components": [],
    "registry": "localhost/placeholder",
    "tag": "placeholder",
    "image": {"registry": "localhost/placeholder", "tag": "placeholder"},
    "memory": "1MB",
    "resources": {"memory": "1MB"},
    "type": "distributed",
    "path": "/placeholder",
    "metric": "placeholder",
    "op": ">=",
    "value": 0,
}
_IDS = frozenset({"app_id", "task_id", "component_id", "app_ref"})
GUESSWORK = frozenset({"missing_node", "missing_task", "no_tasks", "empty_task"})
"""Codes that a repaired document proves nothing about: what they miss may be what was misspelt."""


def repaired(document: Any, error: ValidationError) -> dict[str, Any] | None:
    """A copy of `document` in which every place that pydantic refused is dropped or filled with a harmless value.

    None when that cannot be done without moving list positions (paths must stay true).
    """
    if not isinstance(document, dict):
        return None
    copied: dict[str, Any] = copy.deepcopy(document)
    for number, details in enumerate(error.errors(include_url=False, include_input=False)):
        if not _repair(copied, details["loc"], number):
            return None
    return copied


def _repair(document: dict[str, Any], loc: tuple[str | int, ...], number: int) -> bool:
    """Drop or fill the place `loc`; a model's own error (gpu_count beside gpu_shards) has the model as its place."""
    parent, key = _parent(document, loc)
    if not isinstance(parent, dict) or not isinstance(key, str):
        return False
    parent.pop(key, None)
    if key in _IDS:
        parent[key] = f"placeholder-{number}"
    elif key in _PLACEHOLDERS:
        parent[key] = copy.deepcopy(_PLACEHOLDERS[key])
    return True


def _parent(document: dict[str, Any], loc: tuple[str | int, ...]) -> tuple[Any, str | int | None]:
    """The container of the deepest part of `loc` that exists (pydantic's loc may end in a union branch's name)."""
    place: Any = document
    for index, part in enumerate(loc):
        inner = place.get(part) if isinstance(place, dict) else _item(place, part)
        if index == len(loc) - 1 or not isinstance(inner, (dict, list)):
            return place, part
        place = inner
    return None, None


def _item(place: Any, part: str | int) -> Any:
    return place[part] if isinstance(place, list) and isinstance(part, int) and part < len(place) else None
