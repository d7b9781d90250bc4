"""Where the page of a thing is, by its kind and id; "" for a kind whose page this portal does not have."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import quote

_BELOW: Final = {
    "app": "/apps/",
    "workload": "/workloads/",
    "component": "/components/",
    "user": "/admin/users/",
    "analysis": "/analyses/",
}
_WHOLE: Final = {
    "checkup": "/admin/health",
    "repair": "/admin/health",
    "maintenance": "/admin/settings",
    "settings": "/admin/settings",
    "audit": "/admin/audit",
}


def href_of(kind: str, identifier: str, paths: Collection[str]) -> str:
    """`paths` are the application's own ("/apps/{app_id:str}", …)."""
    if kind in _WHOLE and _WHOLE[kind] in paths:
        return _WHOLE[kind]
    below = _BELOW.get(kind)
    if below is None or not any(path.startswith(below + "{") and path.count("/") == below.count("/") for path in paths):
        return ""
    return below + quote(identifier, safe="")
