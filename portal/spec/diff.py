"""What differs between two specs: field paths with old and new value, grouped by component, Task and App."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from portal.spec.models import AppSpec, Model, Task

_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One field, as a dotted path inside its group ("resources.gpu_count"); None is JSON's null or "not there"."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class DiffGroup:
    """One component ("TASK-001/CL-REF-001"), one Task ("TASK-001") or the App ("") and what became of it."""

    where: str
    kind: Literal["app", "task", "component"]
    change: Literal["added", "removed", "changed"]
    changes: tuple[Change, ...] = ()


def diff_specs(old: AppSpec, new: AppSpec) -> tuple[DiffGroup, ...]:
    """Groups with a difference, the App first, then each Task and its components in the order of `new`, then removed ones.

    Defaults count as written: adding `"nodes": 1` is no difference. An empty answer means the same App.
    """
    return (*_changed("", "app", _app_fields(old), _app_fields(new)), *_tasks(old, new))


def _tasks(old: AppSpec, new: AppSpec) -> Iterator[DiffGroup]:
    before, after = _parts(old), _parts(new)
    for where, (kind, fields) in after.items():
        if where in before:
            yield from _changed(where, kind, before[where][1], fields)
        else:
            yield DiffGroup(where, kind, "added")
    for where, (kind, _fields) in before.items():
        if where not in after:
            yield DiffGroup(where, kind, "removed")


def _parts(spec: AppSpec) -> dict[str, tuple[Literal["task", "component"], dict[str, Any]]]:
    parts: dict[str, tuple[Literal["task", "component"], dict[str, Any]]] = {}
    for task in spec.tasks:
        parts[task.task_id] = ("task", _task_fields(task))
        for component in task.components:
            fields = _dump(component)
            fields["node_id"] = component.id
            parts[f"{task.task_id}/{component.id}"] = ("component", fields)
    return parts


def _app_fields(spec: AppSpec) -> dict[str, Any]:
    fields = _dump(spec)
    fields["tasks"] = [task.task_id for task in spec.tasks]
    return fields


def _task_fields(task: Task) -> dict[str, Any]:
    fields = _dump(task)
    fields["components"] = [component.id for component in task.components]
    fields["workflow"] = sorted(f"{edge.source} → {edge.target} ({edge.when})" for edge in task.workflow)
    return fields


def _dump(model: Model) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True)


def _changed(
    where: str, kind: Literal["app", "task", "component"], old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[DiffGroup]:
    changes = tuple(leaf_changes("", old, new))
    if changes:
        yield DiffGroup(where, kind, "changed", changes)


def leaf_changes(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Leaves that differ; lists are leaves (an order is one value)."""
    for key in dict.fromkeys((*old, *new)):
        path = f"{prefix}.{key}" if prefix else key
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from leaf_changes(path, before, after)
        elif before != after or type(before) is not type(after):
            yield Change(path, None if before is _ABSENT else before, None if after is _ABSENT else after)
