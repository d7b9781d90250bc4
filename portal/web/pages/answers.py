"""What a page route answers besides a page: off to another page, with a toast there that may take the change back."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.datastructures import Cookie

from portal.settings import Settings
from portal.web import cookies

_TOAST_CHARS = 300
_OWN_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\\]*")


def own_path(text: str, otherwise: str = "/") -> str:
    """A path of this site, never an address elsewhere: `next` and `back` come from outside."""
    return text if len(text) <= 2000 and _OWN_PATH.fullmatch(text) else otherwise


def to(
    request: Request[Any, Any, Any],
    path: str,
    *,
    toast: str = "",
    undo: str = "",
    set_cookies: list[Cookie] | None = None,
) -> Response[None]:
    """See other (303); htmx is told to go there whole. `undo` is the address that a POST takes the change back at."""
    settings: Settings = request.app.state.settings
    sent = list(set_cookies or [])
    if toast:
        value = f"{toast[:_TOAST_CHARS]}\n{undo}" if undo else toast[:_TOAST_CHARS]
        sent.append(cookies.write(settings, cookies.TOAST, quote(value), max_age_s=60))
    if request.headers.get("hx-request") == "true":
        return Response(None, status_code=204, headers={"HX-Redirect": path}, cookies=sent)
    return Response(None, status_code=303, headers={"Location": path, "Cache-Control": "no-store"}, cookies=sent)
