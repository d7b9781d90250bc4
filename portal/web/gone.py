"""A client that goes away while its request is still being read: nobody's fault, and nobody is there to be answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response
from litestar.exceptions import InternalServerException

CLIENT_CLOSED_REQUEST = 499
"""nginx's number for it. Source: https://github.com/nginx/nginx/blob/master/src/http/ngx_http_request.h"""
_LITESTARS_WORDS = "client disconnected prematurely"
"""Litestar raises its general 500 with these words (litestar.connection.request, 2.25)."""
Handler = Callable[[Request[Any, Any, Any], InternalServerException], Response[Any]]


def unless_gone(otherwise: Handler) -> Handler:
    """A handler of the framework's own 500s: a client that is gone is no fault of ours."""

    def answer(request: Request[Any, Any, Any], error: InternalServerException) -> Response[Any]:
        if _LITESTARS_WORDS in error.detail:
            return Response(None, status_code=CLIENT_CLOSED_REQUEST)
        return otherwise(request, error)

    return answer
