"""Headers on every answer: what a browser may load, who may frame it, what it may tell others."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

from portal.web.cookies import secure
from portal.web.schemapage import STYLE

_STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' "
    f"'sha256-{_STYLE_HASH}'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No inline script or style, but for the style of the API's schema page by its hash; nothing from another host."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
OVER_HTTPS = {"Strict-Transport-Security": "max-age=31536000", "Cross-Origin-Opener-Policy": "same-origin"}
"""Browsers heed these over HTTPS only; over HTTP they complain of the second on every page."""


async def harden(message: Message, scope: Scope) -> None:
    """Before every answer, errors too; a route that sets one of these itself keeps its own."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    extra = OVER_HTTPS if secure(scope["litestar_app"].state.settings) else {}
    for name, value in (HEADERS | extra).items():
        headers.setdefault(name, value)
