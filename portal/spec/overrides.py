"""Values changed for one request, on top of an App's spec: resources, params, training_config, env_vars, storage (D4, D23).

training_config.episodes = 500          env_vars.NCCL_DEBUG = "WARN"
TASK-001/CL-REF-002.resources.gpu_count = 2      TASK-001/CL-REF-002.params.lr = 0.01
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from portal.spec.problems import SpecError, problem

_APP_OBJECTS = ("training_config", "env_vars", "storage")
_COMPONENT_OBJECTS = ("resources", "params")


def apply_overrides(document: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a loaded spec's document with `overrides` applied; load it again to have the result checked.

    Below the first name the rest of a key is a path of object keys ("training_config.env_config.max_temp"); in params
    and env_vars it is one key, dots and all. Raises SpecError naming every key that cannot be overridden.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    problems = [
        problem("$", "bad_override", key=key) for key, value in overrides.items() if not _apply(changed, key, value)
    ]
    if problems:
        raise SpecError(problems)
    return changed


def parse_override(text: str) -> tuple[str, Any]:
    """`KEY=VALUE` as typed on a command line: the value is JSON where it reads as JSON, else (and in env_vars) text.

    `training_config.episodes=500` -> ("training_config.episodes", 500). Raises ValueError without "=" or key.
    """
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ValueError(f"not KEY=VALUE: {text!r}")
    if key.startswith("env_vars."):
        return key, value
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _apply(document: dict[str, Any], key: str, value: Any) -> bool:
    head, dot, rest = key.partition(".")
    if head in _APP_OBJECTS and dot and rest:
        names = [rest] if head == "env_vars" else rest.split(".")
        return _set(document, [head, *names], value)
    for step, component in _components(document):
        for name in _COMPONENT_OBJECTS:
            prefix = f"{step}.{name}."
            if key.startswith(prefix) and len(key) > len(prefix):
                return _set(component, [name, key.removeprefix(prefix)], value)
    return False


def _components(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{task['task_id']}/{component.get('node_id') or component['component_id']}", component)
        for task in document["tasks"]
        for component in task["components"]
    ]


def _set(place: dict[str, Any], names: list[str], value: Any) -> bool:
    for name in names[:-1]:
        if place.get(name) is None:
            place[name] = {}
        place = place[name]
        if not isinstance(place, dict):
            return False
    place[names[-1]] = value
    return True
