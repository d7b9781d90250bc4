"""Every error has one shape, in the language asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from structlog.testing import capture_logs

from tests.web.conftest import Site

KEYS = {"type", "title", "status", "detail", "code", "instance", "requestId"}


def shape(response: httpx2.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert set(document) - {"problems"} == KEYS
    assert document["status"] == response.status_code
    assert document["type"] == f"urn:one:problem:{document['code']}"
    assert document["requestId"] == response.headers["x-request-id"]
    return document


REFUSED: list[tuple[str, str, bytes | None, int, str]] = [
    ("GET", "/api/v1/nowhere", None, 404, "not_found"),
    ("PUT", "/api/v1/me", None, 405, "method_not_allowed"),
    ("GET", "/api/v1/apps/APP-NONE", None, 404, "not_found"),
    ("GET", "/api/v1/apps?page=0", None, 422, "unprocessable_entity"),
    ("GET", "/api/v1/apps?size=9999", None, 422, "unprocessable_entity"),
    ("POST", "/api/v1/tokens", b'{"name": "x"', 422, "invalid_input"),
    ("POST", "/api/v1/tokens", b'{"name": "x", "name": "y", "scopes": ["read"]}', 422, "invalid_input"),
    ("POST", "/api/v1/tokens", b'{"name": "x", "scopes": ["read"], "dayz": 3}', 422, "unprocessable_entity"),
    ("POST", "/api/v1/tokens", b'{"name": "x", "scopes": ["approve"]}', 403, "scope_too_wide"),
    ("POST", "/api/v1/apps", b"[]", 422, "invalid_input"),
    ("POST", "/api/v1/tokens", b'{"name": "' + b"x" * 3_000_000 + b'"}', 413, "request_entity_too_large"),
]


async def test_every_refusal_has_the_shape(site: Site) -> None:
    async with site.client("kim", **{"Content-Type": "application/json"}) as client:
        for method, path, body, status, code in REFUSED:
            document = shape(await client.request(method, path, content=body))
            assert (document["status"], document["code"]) == (status, code), (method, path)


async def test_all_problems_of_an_input_have_their_place(site: Site) -> None:
    async with site.client("kim", **{"Accept-Language": "en"}) as client:
        response = await client.post("/api/v1/tokens", json={"scopes": ["read"], "dayz": 3})
    assert {problem["path"] for problem in shape(response)["problems"]} == {"$.name", "$.dayz"}


async def test_language_follows_the_header(site: Site) -> None:
    async with site.client() as client:
        korean = await client.get("/api/v1/me")
        english = await client.get("/api/v1/me", headers={"Accept-Language": "fr, en-GB;q=0.8, ko;q=0.5"})
    assert "먼저 로그인하세요" in shape(korean)["detail"]
    assert shape(english)["detail"].startswith("Sign in first")
    assert english.headers["content-language"] == "en"
    assert english.headers["www-authenticate"] == 'Bearer realm="one"'


async def test_a_fault_of_ours_shows_nothing_but_its_id(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("portal.services.accounts.user_of", broken)
    async with site.client("kim") as client:
        response = await client.get("/api/v1/me")
    document = shape(response)
    assert document["status"] == 500
    assert "secret detail" not in response.text
    assert document["requestId"] in document["detail"]


async def test_a_clients_request_id_is_not_trusted(site: Site) -> None:
    async with site.client() as client:
        response = await client.get("/healthz", headers={"X-Request-ID": "mine"})
    assert response.status_code == 200
    assert response.headers["x-request-id"] != "mine"


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (StaleDataError("another writer was first"), 409, "changed_meanwhile"),
        (OperationalError("SELECT secret", {}, Exception("server closed the connection")), 503, "service_unavailable"),
        (DataError("SELECT secret", {}, Exception("integer out of range")), 422, "unusable_value"),
    ],
)
async def test_what_the_database_refuses_is_said_so(
    site: Site, monkeypatch: pytest.MonkeyPatch, trouble: Exception, status: int, code: str
) -> None:
    async def broken(*_: object) -> None:
        raise trouble

    monkeypatch.setattr("portal.services.accounts.user_of", broken)
    async with site.client("kim") as client:
        document = shape(await client.get("/api/v1/me"))
    assert (document["status"], document["code"]) == (status, code)
    assert "secret" not in str(document)


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/login", "application/x-www-form-urlencoded", b"username=ki"),
        ("/login", "multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; na"),
        ("/api/v1/tokens", "application/json", b'{"name": '),
    ],
)
async def test_a_client_that_goes_away_in_the_middle_is_no_fault_of_ours(
    site: Site, path: str, kind: str, body: bytes
) -> None:
    received: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": body, "more_body": True}, {"type": "http.disconnect"}]
    )
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(received)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = {"authorization": f"Bearer {site.values['kim']}", "content-type": kind, "content-length": "999"}
    if path == "/login":
        headers = {"content-type": kind, "content-length": "999", "origin": "http://portal"}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "portal", **headers}.items()],
        "client": ("127.0.0.1", 1),
        "server": ("portal", 80),
    }
    with capture_logs() as logs:
        await site.app(scope, receive, send)  # type: ignore[arg-type]
    assert [message["status"] for message in sent if message["type"] == "http.response.start"] == [499]
    assert [(entry["log_level"], entry["status"]) for entry in logs if entry["event"] == "request"] == [("info", 499)]
    assert not [entry for entry in logs if entry["log_level"] == "error"]
