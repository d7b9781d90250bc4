"""What the browser loads: `portal/web/static`, made by `make assets`, every name with a fingerprint."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from litestar import Router, get, head
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, HeaderParameter
from litestar.response import File

FOLDER = Path(__file__).parent / "static"
URL = "/static"
_YEAR_S = 365 * 24 * 3600
ENCODINGS = {".br": "br", ".gz": "gzip"}
"""Beside the built files, the smallest first; `make assets` writes them. Pages are not compressed: they hold form tokens."""
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
Accepted = Annotated[str, HeaderParameter(name="Accept-Encoding", max_length=200)]


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
    return Router(path=URL, route_handlers=[_get, _head], include_in_schema=False)


@get("/{file_path:path}", sync_to_thread=False)
def _get(file_path: FromPath[str], accept_encoding: Accepted = "") -> File:
    return _file(file_path, accept_encoding)


@head("/{file_path:path}", sync_to_thread=False)
def _head(file_path: FromPath[str], accept_encoding: Accepted = "") -> File:
    return _file(file_path, accept_encoding)


def _file(name: str, accepted: str) -> File:
    """The file, compressed as it was built where the browser takes that. Raises NotFoundException."""
    path = (FOLDER / name.lstrip("/")).resolve()
    if not path.is_relative_to(FOLDER.resolve()) or path.suffix in ENCODINGS or not path.is_file():
        raise NotFoundException
    headers = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable", "Vary": "Accept-Encoding"}
    media_type = TYPES.get(path.suffix, "application/octet-stream")
    taken = {one.partition(";")[0].strip() for one in accepted.lower().split(",")}
    for ending, encoding in ENCODINGS.items():
        packed = path.with_name(path.name + ending)
        if encoding in taken and packed.is_file():
            path, headers = packed, {**headers, "Content-Encoding": encoding}
            break
    return File(path, media_type=media_type, content_disposition_type="inline", headers=headers)
