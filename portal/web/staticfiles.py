"""What the browser loads: `portal/web/static`, made by `make assets`, every name with a fingerprint."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from litestar import Router
from litestar.datastructures import CacheControlHeader
from litestar.static_files import create_static_files_router

FOLDER = Path(__file__).parent / "static"
URL = "/static"
_YEAR_S = 365 * 24 * 3600


def asset(name: str) -> str:
    """The address of a built file, e.g. `app.js` -> `/static/app-4F6T2K1A.js`. Raises KeyError for what is not built."""
    return f"{URL}/{_manifest()[name]}"


@lru_cache
def _manifest() -> dict[str, str]:
    path = FOLDER / "manifest.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `make assets`")
    manifest: dict[str, str] = json.loads(path.read_text())
    return manifest


def static_router() -> Router:
    """Serves the folder; a fingerprinted name never changes its content, so browsers keep it."""
    FOLDER.mkdir(exist_ok=True)
    return create_static_files_router(
        path=URL,
        directories=[FOLDER],
        include_in_schema=False,
        cache_control=CacheControlHeader(public=True, max_age=_YEAR_S, immutable=True),
    )
