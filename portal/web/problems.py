"""Every error as one shape, `application/problem+json` (RFC 9457), in the asker's language and with the request's id."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm.exc import StaleDataError

from portal.auth.bearer import CHALLENGE
from portal.services.errors import ServiceError, TooMany
from portal.spec.problems import Problem
from portal.web.language import Language, language_of
from portal.web.limits import LIMITED
from portal.web.requestid import request_id_of

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 15
_log = structlog.get_logger("portal.web")
Words = tuple[str, str]
_WORDS: dict[int, Words] = {
    400: ("The request could not be read.", "요청을 읽을 수 없습니다."),
    401: ("Sign in first.", "먼저 로그인하세요."),
    403: ("Not permitted.", "권한이 없습니다."),
    404: ("Not found, or not visible to you.", "찾을 수 없거나 볼 수 없는 항목입니다."),
    405: ("This address does not know this method.", "이 주소는 이 메서드를 지원하지 않습니다."),
    409: ("Something changed meanwhile.", "그 사이 다른 변경이 있었습니다."),
    413: (
        "The request is too large: a spec has at most 2 MiB.",
        "요청이 너무 큽니다. 스펙은 최대 2 MiB입니다.",
    ),
    415: ("This media type is not supported.", "지원하지 않는 형식입니다."),
    416: ("This range lies outside the file.", "파일 범위를 벗어났습니다."),
    422: ("Check your input.", "입력을 확인하세요."),
    429: ("Too many requests.", "요청이 너무 많습니다."),
    500: (
        "Something went wrong. Your input is kept.",
        "문제가 생겼습니다. 입력한 내용은 저장되어 있습니다.",
    ),
    503: ("Unavailable. Running jobs go on.", "점검 중이거나 연결할 수 없습니다. 실행 중인 작업은 계속됩니다."),
}


def on_service_error(request: Request[Any, Any, Any], error: ServiceError) -> Response[dict[str, Any]]:
    """A use case said no: its own code, words and problems."""
    language = _language(request)
    detail = error.message_ko if language == "ko" else error.message_en
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers.update(CHALLENGE)
    if isinstance(error, TooMany):
        LIMITED.labels(error.code).inc()
    if error.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers["Retry-After"] = str(getattr(error, "retry_after_s", RETRY_AFTER_S))
    problems = [problem_document(problem, language) for problem in error.problems]
    return _response(request, error.status, error.code, detail, problems=problems, headers=headers)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """What the framework refuses: unknown address or method, unreadable or wrong input."""
    status = error.status_code
    problems: list[dict[str, str]] = []
    if isinstance(error, ValidationException):
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        problems = [_input_problem(entry) for entry in error.extra if isinstance(entry, dict)] if error.extra else []
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return _response(request, status, _code(status), _words(request, status), problems=problems, headers=headers)


def on_second_writer(request: Request[Any, Any, Any], _error: StaleDataError) -> Response[dict[str, Any]]:
    """Somebody else changed the same row between reading and writing it: nothing of this request was kept."""
    korean = _language(request) == "ko"
    detail = "그 사이 다른 변경이 있었습니다." if korean else "Something changed meanwhile."
    return _response(request, HTTPStatus.CONFLICT, "changed_meanwhile", detail)


def on_unusable_value(request: Request[Any, Any, Any], error: DataError) -> Response[dict[str, Any]]:
    """A value that the database cannot hold came past every check: nothing of this request was kept."""
    _log.error("unusable value", path=request.url.path, request_id=request_id_of(request.scope), error=str(error.orig))
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return _response(request, status, "unusable_value", _words(request, status))


def on_database_away(request: Request[Any, Any, Any], error: OperationalError) -> Response[dict[str, Any]]:
    """The database does not answer: nothing of this request was kept, running jobs go on."""
    _log.error("database away", path=request.url.path, request_id=request_id_of(request.scope), error=str(error.orig))
    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return _response(request, status, _code(status), _words(request, status), headers=headers)


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """A fault of ours: logged whole, answered with nothing but the id to ask about."""
    request_id = request_id_of(request.scope)
    _log.error("unexpected", path=request.url.path, request_id=request_id, exc_info=error)
    detail = f"{_words(request, 500)} {'요청 ID' if _language(request) == 'ko' else 'Request id'} {request_id}"
    return _response(request, 500, _code(500), detail)


def problem_document(problem: Problem, language: Language) -> dict[str, str]:
    """One finding in one language: place, code, severity, what is wrong, what to do."""
    korean = language == "ko"
    return {
        "path": problem.path,
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message_ko if korean else problem.message_en,
        "cure": problem.cure_ko if korean else problem.cure_en,
    }


def _input_problem(entry: dict[str, Any]) -> dict[str, str]:
    source = entry.get("source", "body")
    key, source = str(entry.get("key", "")), str(getattr(source, "value", source))  # an enum whose text is its name
    path = f"{source}:{key}" if source != "body" else f"$.{key}" if key else "$"
    return {
        "path": path,
        "code": "bad_input",
        "severity": "error",
        "message": str(entry.get("message", "")),
        "cure": "",
    }


def _response(
    request: Request[Any, Any, Any],
    status: int,
    code: str,
    detail: str,
    *,
    problems: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[dict[str, Any]]:
    document: dict[str, Any] = {
        "type": f"urn:one:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": request.url.path,
        "requestId": request_id_of(request.scope),
    }
    if problems:
        document["problems"] = problems
    return Response(
        document,
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Content-Language": _language(request), "Cache-Control": "no-store", **(headers or {})},
    )


def _language(request: Request[Any, Any, Any]) -> Language:
    return language_of(request.headers.get("accept-language", ""))


def _words(request: Request[Any, Any, Any], status: int) -> str:
    return words(status, _language(request))


def words(status: int, language: Language) -> str:
    """What a status says to a person."""
    english, korean = _WORDS.get(status, (HTTPStatus(status).phrase, HTTPStatus(status).phrase))
    return korean if language == "ko" else english


def _code(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
