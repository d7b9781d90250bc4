"""P26: what went wrong, as a page, or as a line where htmx asked for a part; the API answers with portal.web.problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm.exc import StaleDataError

from portal.services.errors import ServiceError, Unauthenticated
from portal.web import cookies, problems
from portal.web.frame import Frame, frame_of
from portal.web.pageguards import PasswordFirst
from portal.web.pages.answers import to
from portal.web.rendering import PageContext, shown
from portal.web.requestid import request_id_of

_log = structlog.get_logger("portal.web")
_FOR_PROGRAMS = ("/api/", "/healthz", "/metrics", "/static/")
E = TypeVar("E", bound=Exception)
Asked = Request[Any, Any, Any]
Handler = Callable[[Asked, E], Response[Any]]


@dataclass(frozen=True)
class ErrorPage(PageContext):
    """What happened, in one sentence and with its details; `again` is the address worth trying once more.

    `retry_s`: the page tries by itself after so many seconds. `next_href` is the one step that helps, "" without one.
    """

    template: ClassVar[str] = "errors/error.html"
    status: int
    title: str
    detail: str
    problems: tuple[str, ...] = ()
    again: str = ""
    retry_s: int = 0
    next_href: str = ""


@dataclass(frozen=True)
class ErrorLine(ErrorPage):
    """The same where a part of a page was asked for."""

    template: ClassVar[str] = "errors/fragment.html"


def by_door(for_programs: Handler[E], for_people: Handler[E]) -> Handler[E]:
    """The API's answer or the pages', by the address that was asked."""

    def answer(request: Asked, error: E) -> Response[Any]:
        api = request.url.path.startswith(_FOR_PROGRAMS)
        return for_programs(request, error) if api else for_people(request, error)

    return answer


def on_service_error(request: Asked, error: ServiceError) -> Response[Any]:
    """A use case said no."""
    if isinstance(error, PasswordFirst):
        return to(request, "/account/password")
    if isinstance(error, Unauthenticated):
        return _sign_in_first(request)
    frame = frame_of(request)
    korean = frame.language == "ko"
    found = tuple(p.message_ko if korean else p.message_en for p in error.problems)
    said = error.message_ko if korean else error.message_en
    retry_s = getattr(error, "retry_after_s", problems.RETRY_AFTER_S)
    return _page(request, frame, error.status, said, found, retry_s=retry_s)


def on_http_error(request: Asked, error: HTTPException) -> Response[Any]:
    """What the framework refuses."""
    frame = frame_of(request)
    return _page(request, frame, error.status_code, problems.words(error.status_code, frame.language))


def on_second_writer(request: Asked, _error: StaleDataError) -> Response[Any]:
    """Somebody else was first."""
    frame = frame_of(request)
    detail = "그 사이 다른 변경이 있었습니다." if frame.language == "ko" else "Something changed meanwhile."
    return _page(request, frame, HTTPStatus.CONFLICT, detail)


def on_unusable_value(request: Asked, error: DataError) -> Response[Any]:
    """A value that the database cannot hold came past every check."""
    _log.error("unusable value", path=request.url.path, request_id=request_id_of(request.scope), error=str(error.orig))
    frame = frame_of(request)
    return _page(request, frame, HTTPStatus.UNPROCESSABLE_ENTITY, problems.words(422, frame.language))


def on_database_away(request: Asked, error: OperationalError) -> Response[Any]:
    """The database does not answer."""
    _log.error("database away", path=request.url.path, request_id=request_id_of(request.scope), error=str(error.orig))
    frame = frame_of(request)
    return _page(request, frame, HTTPStatus.SERVICE_UNAVAILABLE, problems.words(503, frame.language))


def on_unexpected(request: Asked, error: Exception) -> Response[Any]:
    """A fault of ours: logged whole, shown as nothing but the id to ask about."""
    _log.error("unexpected", path=request.url.path, request_id=request_id_of(request.scope), exc_info=error)
    frame = frame_of(request)
    return _page(request, frame, 500, problems.words(500, frame.language))


def _sign_in_first(request: Asked) -> Response[Any]:
    """To the sign-in and back here; a script of an open page gets 401 and opens its dialog."""
    if request.headers.get("hx-request") == "true":
        return Response(None, status_code=401, headers={"Cache-Control": "no-store"})
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    goal = here if request.method == "GET" else "/"
    expired = "&expired=1" if cookies.read(request, cookies.SESSION) else ""
    return to(request, f"/login?next={quote(goal, safe='/')}{expired}")


def _page(
    request: Asked,
    frame: Frame,
    status: int,
    detail: str,
    found: tuple[str, ...] = (),
    *,
    retry_s: int = problems.RETRY_AFTER_S,
) -> Response[Any]:
    passing, reading = status in (429, 503), request.method == "GET"
    headers = {"Retry-After": str(retry_s)} if passing else {}
    if frame.htmx:
        return shown(frame, ErrorLine(status, "", detail, found), status=status, headers=headers)
    title = problems.words(status, frame.language)
    if detail.startswith(title.rstrip(".")):
        title, detail = detail, ""  # one sentence, not the same twice
    page = ErrorPage(
        status,
        title,
        detail,
        found,
        again=frame.here if reading and (passing or status == HTTPStatus.CONFLICT) else "",
        retry_s=retry_s if reading and passing else 0,
        next_href=_NEXT.get(status, "") if frame.visitor else "",
    )
    return shown(frame, page, status=status, headers=headers)


_NEXT = {403: "/help/contact", 404: "/search"}
"""The step that helps: who can give the role, or where to look for what is gone."""
