"""How many parts a document has, judged before anything else is: a hostile file must not cost minutes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portal.spec import limits
from portal.spec.problems import Problem, problem


def count_problems(document: Any) -> list[Problem]:
    """Too many Tasks, components, connections or imports; whatever has the wrong type is left to the models."""
    if not isinstance(document, dict):
        return []
    tasks = [task for task in _list(document, "tasks") if isinstance(task, dict)]
    return [*_counts(document, tasks)]


def _counts(document: dict[str, Any], tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    for field in ("tasks", "imported_apps"):
        yield from _too_many(f"$.{field}", len(_list(document, field)), limits.MAX_COMPONENTS)
    for index, task in enumerate(tasks):
        for field, limit in (("workflow", limits.MAX_EDGES), ("after", limits.MAX_COMPONENTS)):
            yield from _too_many(f"$.tasks[{index}].{field}", len(_list(task, field)), limit)
    components = sum(len(_list(task, "components")) for task in tasks)
    if components > limits.MAX_COMPONENTS:
        yield problem("$.tasks", "too_many_components", count=components, limit=limits.MAX_COMPONENTS)


def _too_many(path: str, count: int, limit: int) -> Iterator[Problem]:
    if count > limit:
        yield problem(path, "too_many_items", count=count, limit=limit)


def _list(value: dict[str, Any], field: str) -> list[Any]:
    found = value.get(field)
    return found if isinstance(found, list) else []
