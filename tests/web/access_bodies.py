"""What each route of the walk is sent, so that it gets as far as asking who one is; the others get an empty body."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
VERSION = {
    "version": "2.0.0",
    "image": {"registry": "registry.avatar.io/walk", "tag": "2.0"},
    "resources": {"gpu_count": 0, "memory": "1GB"},
    "note": "walk",
}
Given = Callable[[dict[str, Any]], Any]
_JSON: dict[str, Given] = {
    "POST /api/v1/tokens": lambda _: {"name": "walk", "scopes": ["read"], "days": 1},
    "POST /api/v1/apps": lambda spec: {**spec, "version": "9.0.0"},
    "POST /api/v1/validate": lambda spec: spec,
    "POST /api/v1/plan": lambda spec: spec,
    "POST /api/v1/components": lambda _: {**VERSION, "id": "CL-NEW", "name": "new"},
    "POST /api/v1/components/{component_id}/versions": lambda _: VERSION,
    "PATCH /api/v1/components/{component_id}": lambda _: {"revision": 1, "description": "walk"},
    "POST /api/v1/workloads": lambda spec: {"spec": spec},
    "POST /api/v1/workloads/dry-run": lambda spec: {"spec": spec},
    "POST /api/v1/workloads/{workload_id}/cancel": lambda _: {"reason": "because of the walk"},
    "POST /api/v1/workloads/{workload_id}/reject": lambda _: {"reason": "because of the walk"},
    "POST /api/v1/workloads/{workload_id}/analyses": lambda _: {"operator": "OP-WALK"},
    "POST /api/v1/queue/{workload_id}/priority": lambda _: {"priority": "low"},
    "POST /api/v1/queue/{workload_id}/move": lambda _: {"toTop": True},
    "POST /api/v1/repairs": lambda _: {"code": "lost_job", "object": "1", "side": "slurm"},
    "POST /api/v1/maintenance": lambda _: {"reason": "walk"},
    "POST /api/v1/models/{app_id}/{version}/aliases": lambda _: {"alias": "candidate"},
    "POST /api/v1/models/{app_id}/{version}/note": lambda _: {"note": "walk"},
    "POST /api/v1/models/{app_id}/{version}/purge": lambda _: {"name": "walk"},
    "POST /api/v1/users": lambda _: {"username": "choi", "displayName": "choi", "role": "viewer"},
    "PUT /api/builder/{app_id}/draft": lambda spec: {"revision": 0, "spec": spec, "layout": {}},
    "POST /api/builder/{app_id}/publish": lambda _: {"revision": 1},
    "POST /api/builder/{app_id}/discard": lambda _: {"revision": 1},
    "POST /api/builder/{app_id}/validate": lambda spec: {"spec": spec},
    "POST /api/builder/{app_id}/plan": lambda spec: {"spec": spec},
    "POST /api/builder/{app_id}/difference": lambda spec: {"old": spec, "new": spec},
    "POST /api/image-checks": lambda _: {"registry": "registry.avatar.io/walk", "tag": "1.0"},
}
_FORMS: dict[str, dict[str, str]] = {
    "POST /apps/{app_id}/share": {"visibility": "lab"},
    "POST /apps/{app_id}/editors": {"username": "park"},
    "POST /apps/{app_id}/duplicate": {"version": "1.0.0"},
    "POST /apps/{app_id}/draft": {"version": "1.0.0"},
    "POST /approvals/{workload_id}/reject": {"reason": "because of the walk"},
    "POST /workloads/{workload_id}/actions/cancel": {"reason": "because of the walk"},
    "POST /models/{app_id}/{name}/{number}/rename": {"name": "other"},
    "POST /models/{app_id}/{name}/{number}/alias": {"alias": "candidate"},
    "POST /models/{app_id}/{name}/{number}/note": {"note": "walk"},
    "POST /models/{app_id}/{name}/{number}/purge": {"name": "walk"},
    "POST /queue/{workload_id}/place": {"priority": "low"},
    "POST /queue/{workload_id}/hold": {"held": "1"},
    "POST /new-app": {"name": "walk"},
    "POST /admin/settings/maintenance": {"on": "1", "reason": "walk"},
    "POST /preferences/language": {"language": "en"},
    "POST /preferences/theme": {"theme": "dark"},
    "POST /account/tokens": {"name": "walk", "scope": "read", "days": "30"},
}
QUERIES = {
    "GET /events": "?topics=workload:{workload_id}:overview",
    "GET /trainer": "?app={app_id}",
    "GET /components/{component_id}/place": "?target={app_id}%20{task_id}",
    "GET /api/image-checks": "?registry=registry.avatar.io/walk&tag=1.0",
    "GET /image-checks": "?registry=registry.avatar.io/walk&tag=1.0",
    "GET /workloads/{workload_id}/logs/window": "?step={task_id}/{node_id}",
    "GET /workloads/{workload_id}/logs/find": "?step={task_id}/{node_id}&q=x",
    "POST /models/{app_id}/{name}/{number}/rename-undo": "?back_to=older",
    "POST /models/{app_id}/{name}/{number}/alias-undo": "?alias=champion&move=1",
}
"""What is asked for beside the path; places are filled in as in a path."""


def body(method: str, path: str, spec: dict[str, Any]) -> tuple[bytes, str]:
    """Content and its type."""
    if method in ("GET", "DELETE"):
        return b"", ""
    key = f"{method} {path}"
    if key in _JSON:
        return json.dumps(_JSON[key](spec)).encode(), JSON
    if path.startswith("/api/"):
        return b"{}", JSON
    return urlencode(_FORMS.get(key, {"walk": "1"})).encode(), FORM
