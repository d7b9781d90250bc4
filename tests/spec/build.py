"""Small specs to bend, and what is found in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.spec.load import load_spec
from portal.spec.problems import Problem, SpecError


def component(node: str, **fields: Any) -> dict[str, Any]:
    """A component that is valid as it is."""
    return {
        "component_id": node,
        "name": node,
        "image": {"registry": "registry.avatar.io/x", "tag": "1.0"},
        "resources": {"memory": "1GB"},
        **fields,
    }


def task(task_id: str, nodes: list[Any], edges: Sequence[tuple[str, ...]] = (), **fields: Any) -> dict[str, Any]:
    """A Task of components (names or documents) and edges (from, to[, when])."""
    return {
        "task_id": task_id,
        "name": task_id,
        "components": [component(node) if isinstance(node, str) else node for node in nodes],
        "workflow": [dict(zip(("from", "to", "when"), edge, strict=False)) for edge in edges],
        **fields,
    }


def app(*tasks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An App of the given Tasks."""
    return {"app_id": "APP-1", "name": "app", "version": "1.0.0", "tasks": list(tasks), **fields}


def found(document: Any) -> list[tuple[str, str]]:
    """(path, code) of everything found, errors and warnings."""
    return [(problem.path, problem.code) for problem in problems(document)]


def problems(document: Any) -> tuple[Problem, ...]:
    """Everything found."""
    try:
        return load_spec(document).problems
    except SpecError as exc:
        return exc.problems
