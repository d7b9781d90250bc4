"""Gives every request an id, answers it as X-Request-ID and writes one log line a request."""

from __future__ import annotations

from uuid import uuid4

import structlog
from litestar.types import Message, Scope

HEADER = b"x-request-id"
_PROBED = frozenset({"/healthz", "/metrics"})
"""Asked every few seconds by machines: only their failures are worth a line."""
_log = structlog.get_logger("portal.web")


def request_id_of(scope: Scope) -> str:
    """The id of this request, made at the first question; a client's own X-Request-ID is never trusted."""
    state = scope.setdefault("state", {})
    value = state.get("request_id")
    if not isinstance(value, str):
        value = uuid4().hex
        state["request_id"] = value
    return value


async def answer_with_id(message: Message, scope: Scope) -> None:
    """Before every response, refused ones too: the header, and the log line (path and status, never query or body)."""
    if message["type"] != "http.response.start":
        return
    request_id = request_id_of(scope)
    message["headers"] = [*message.get("headers", []), (HEADER, request_id.encode())]
    if scope.get("path") in _PROBED and message["status"] < 400:
        return
    _log.info(
        "request",
        method=scope.get("method"),
        path=scope.get("path"),
        status=int(message["status"]),
        user=getattr(scope.get("user"), "name", None),
        request_id=request_id,
    )
