"""The portal over HTTP: one request a call, every failure a CliError with its exit code."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from portal.cli.credentials import Credentials
from portal.cli.exits import CliError, Exit, exit_of_status
from portal.cli.words import Words

if TYPE_CHECKING:
    import httpx2

    from portal.cli import plainhttp

PREFIX = "/api/v1"
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
SUBMIT_TRIES = 3


class ApiError(CliError):
    """The portal said no; `problems` as it sent them."""

    def __init__(self, status: int, document: Mapping[str, Any], words: Words) -> None:
        self.status = status
        self.code = str(document.get("code", ""))
        self.problems: list[dict[str, Any]] = list(document.get("problems", ()))
        lines = [str(document.get("detail") or document.get("title") or status)]
        lines += [f"  {entry['path']}: {entry['message']} {entry['cure']}".rstrip() for entry in self.problems]
        if document.get("requestId") and status >= 500:
            lines.append(words("request_id", id=document["requestId"]))
        super().__init__(exit_of_status(status), *lines)


class ConnectionLost(CliError):
    """No answer, or half of one: what was asked may be asked again."""


class Api:
    """The portal at an address, asked with a token; a context manager."""

    def __init__(self, credentials: Credentials, words: Words, transport: httpx2.BaseTransport | None = None) -> None:
        self.url = credentials.url.rstrip("/")
        self._words = words
        self._headers = {"Authorization": f"Bearer {credentials.token}", "Accept-Language": words.language}
        self._transport = transport
        self._opened: httpx2.Client | None = None

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def _client(self) -> httpx2.Client:
        """For streams, proxies and tests; imported only then, because that takes as long as everything else together."""
        import httpx2

        if self._opened is None:
            self._opened = httpx2.Client(
                base_url=self.url + PREFIX,
                headers=self._headers,
                timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
                transport=self._transport,
            )
        return self._opened

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The JSON of a GET; parameters that are None are left out. Raises ApiError, ConnectionLost."""
        return self._json("GET", path, params=_given(query))

    def text(self, path: str, **query: Any) -> str:
        """The text of a GET. Raises ApiError, ConnectionLost."""
        response = self._send("GET", path, params=_given(query))
        self._check(response)
        return response.text

    def post(
        self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **query: Any
    ) -> dict[str, Any]:
        """The JSON of a POST; bytes are sent as they are, anything else as JSON. Raises ApiError, ConnectionLost."""
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        return self._json("POST", path, params=_given(query), headers=all_headers, content=content)

    def post_repeatable(self, path: str, body: Any, key: str) -> dict[str, Any]:
        """A POST that is tried again when the answer is lost: the portal knows the key. Raises ApiError, ConnectionLost."""
        for last in (*[False] * (SUBMIT_TRIES - 1), True):
            try:
                return self.post(path, body, headers={"Idempotency-Key": key})
            except ConnectionLost:
                if last:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    def put(self, path: str) -> dict[str, Any]:
        """The JSON of a PUT without a body. Raises ApiError, ConnectionLost."""
        return self._json("PUT", path)

    def delete(self, path: str, **query: Any) -> dict[str, Any]:
        """The JSON of a DELETE; parameters that are None are left out. Raises ApiError, ConnectionLost."""
        return self._json("DELETE", path, params=_given(query))

    @contextlib.contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        """The response of a GET whose body is read piece by piece. Raises ApiError, ConnectionLost."""
        with self._translated(), self._client.stream("GET", path, headers=dict(headers)) as response:
            if response.is_error:
                response.read()
                self._check(response)
            yield response

    def events(self, path: str, last_event_id: str, **query: Any) -> Iterator[httpx2.ServerSentEvent]:
        """Server-Sent Events from after `last_event_id` ("" = the beginning). Raises ApiError, ConnectionLost."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        with self._translated(), self._client.sse(path, params=_given(query), headers=headers) as source:
            if source.response.is_error:
                source.response.read()
                self._check(source.response)
            yield from source

    def _json(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        response = self._send(method, path, **sent)
        self._check(response)
        try:
            document: dict[str, Any] = response.json()
        except ValueError as error:
            raise CliError(Exit.UNAVAILABLE, self._words("bad_answer", url=self.url, why=error)) from error
        return document

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx2.Response | plainhttp.Answer:
        from portal.cli import plainhttp  # with sockets and TLS behind it: `one --help` needs none

        if self._transport is not None or not plainhttp.usable():
            with self._translated():
                return self._client.request(method, path, params=params, headers=dict(headers or {}), content=content)
        try:
            return plainhttp.ask(
                method,
                self.url + PREFIX + path,
                query=params or {},
                headers={**self._headers, **(headers or {})},
                body=content,
                connect_s=CONNECT_TIMEOUT_S,
                read_s=READ_TIMEOUT_S,
            )
        except plainhttp.NoAnswer as error:
            raise ConnectionLost(Exit.UNAVAILABLE, self._words("unreachable", url=self.url, why=error)) from error
        except plainhttp.BadAddress as error:
            raise CliError(Exit.USAGE, self._words("bad_answer", url=self.url, why=error)) from error

    def _check(self, response: httpx2.Response | plainhttp.Answer) -> None:
        if response.is_success:
            return
        try:
            document = response.json()
        except ValueError:
            document = {}
        if not isinstance(document, dict):
            document = {}
        document.setdefault("title", f"HTTP {response.status_code} {response.reason_phrase}")
        raise ApiError(response.status_code, document, self._words)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        import httpx2

        try:
            yield
        except (httpx2.TransportError, httpx2.StreamError) as error:
            why = str(error) or type(error).__name__
            raise ConnectionLost(Exit.UNAVAILABLE, self._words("unreachable", url=self.url, why=why)) from error
        except (httpx2.InvalidURL, httpx2.DecodingError) as error:
            raise CliError(Exit.USAGE, self._words("bad_answer", url=self.url, why=error)) from error


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in query.items() if value is not None}


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
