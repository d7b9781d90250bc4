"""What a page route answers besides a page: off to another page, with a toast there."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.datastructures import Cookie

from portal.settings import Settings
from portal.web import cookies
from portal.web.paths import own_path

__all__ = ["own_path", "to"]
_TOAST_CHARS = 300


def to(
    request: Request[Any, Any, Any],
    path: str,
    *,
    toast: str = "",
    undo: str = "",
    set_cookies: list[Cookie] | None = None,
) -> Response[None]:
    """See other (303); htmx is told to go there whole. `undo` is the address whose POST takes the change back."""
    settings: Settings = request.app.state.settings
    sent = list(set_cookies or [])
    if toast:
        sent.append(
            cookies.write(
                settings, cookies.TOAST, quote("\n".join(filter(None, (toast[:_TOAST_CHARS], undo)))), max_age_s=60
            )
        )
    if request.headers.get("hx-request") == "true":
        return Response(None, status_code=204, headers={"HX-Redirect": path}, cookies=sent)
    return Response(None, status_code=303, headers={"Location": path, "Cache-Control": "no-store"}, cookies=sent)
