"""Gives every request an id, answers it as X-Request-ID and writes one log line a request."""

from __future__ import annotations

import time
from uuid import uuid4

import structlog
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

HEADER = b"x-request-id"
_log = structlog.get_logger("portal.web")


def request_id_of(scope: Scope) -> str:
    """The id of this request; made here when a failure came before the middleware."""
    state = scope.setdefault("state", {})
    value = state.get("request_id")
    if not isinstance(value, str):
        value = uuid4().hex
        state["request_id"] = value
    return value


class RequestIds(ASGIMiddleware):
    """Outermost middleware of the application; a client's own X-Request-ID is never trusted."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Number the request, pass it on, log how it ended (path and status, never query or body)."""
        request_id = request_id_of(scope)
        started = time.monotonic()
        status = 0

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, request_id.encode())]
            await send(message)

        try:
            await next_app(scope, receive, with_id)
        finally:
            _log.info(
                "request",
                method=scope.get("method"),
                path=scope.get("path"),
                status=status,
                seconds=round(time.monotonic() - started, 4),
                request_id=request_id,
            )
