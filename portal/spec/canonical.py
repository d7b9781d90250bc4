"""Canonical JSON and the spec hash: what makes two specs the same run.

In the hash (decision D13): Tasks, components with image digests, resources after overrides, params, commands, edges,
order, env_vars, training_config, storage, time limit. Not in it: names, version, created_at, test_run_ref,
imported_apps, library pins, notes, priority. Defaults count as written, so adding one changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from portal.spec.models import AppSpec, Component, Task

HASH_FORMAT = 1
"""Raised when the meaning of the hashed content changes; it is part of what is hashed."""


class UnresolvedImage(ValueError):
    """A component's image has no digest yet, so there is no hash; `step` is TASK/NODE."""

    def __init__(self, step: str) -> None:
        super().__init__(f"image of {step} has no digest")
        self.step = step


def canonical_json(value: Any) -> bytes:
    """One byte string for equal JSON values: keys sorted, no spaces, UTF-8, 1.0 written as 1.

    `{"b": 1.0, "a": "é"}` -> `{"a":"é","b":1}`. Keys sort by code point, numbers print as Python does. Raises ValueError
    for NaN and infinities.
    """
    text = json.dumps(_plain_numbers(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def content_sha256(document: Any) -> str:
    """SHA-256 (hex) of a document's canonical JSON: two files with the same value have the same one."""
    return hashlib.sha256(canonical_json(document)).hexdigest()


def spec_hash(spec: AppSpec, *, time_limit_min: int) -> str:
    """SHA-256 (hex) of what `spec` runs within `time_limit_min` minutes.

    `spec` is resolved: overrides applied, every image with its digest. Raises UnresolvedImage.
    """
    return content_sha256(hashed_content(spec, time_limit_min=time_limit_min))


def hashed_content(spec: AppSpec, *, time_limit_min: int) -> dict[str, Any]:
    """Exactly what enters the hash, as JSON. Raises UnresolvedImage."""
    return {
        "format": HASH_FORMAT,
        "tasks": [_task(task) for task in spec.tasks],
        "execution": spec.execution,
        "env_vars": spec.env_vars,
        "training_config": spec.training_config and spec.training_config.model_dump(mode="json"),
        "storage": spec.storage and spec.storage.model_dump(mode="json"),
        "time_limit_min": time_limit_min,
    }


def _task(task: Task) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "components": [_component(task, component) for component in task.components],
        "workflow": sorted([edge.source, edge.target, edge.when] for edge in task.workflow),
        "after": sorted(task.after),
    }


def _component(task: Task, component: Component) -> dict[str, Any]:
    if component.image.digest is None:
        raise UnresolvedImage(f"{task.task_id}/{component.id}")
    return {
        "node_id": component.id,
        "image": component.image.digest,
        "resources": _resources(component),
        "params": component.params,
        "command": component.command or None,
        "args": component.args or None,
        "retries": component.retries,
        "service": component.service,
        "ready": component.ready and component.ready.model_dump(mode="json"),
    }


def _resources(component: Component) -> dict[str, Any]:
    """In one unit each: "64GB" and "64GiB" are the same demand, and a type without GPUs demands nothing."""
    asked = component.resources
    return {
        "gpu_type": asked.gpu_type if asked.gpu_count or asked.gpu_shards else None,
        "gpu_count": asked.gpu_count,
        "gpu_shards": asked.gpu_shards,
        "memory_mib": asked.memory_mib,
        "cpus": asked.cpus,
        "nodes": asked.nodes,
        "time_limit_s": asked.time_limit_s,
    }


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
