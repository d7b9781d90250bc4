"""One HTTP request by the standard library: half of what a short command costs is importing a client that can do more."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PATH_LETTERS = "/%:@!$&'()*+,;=~"


class NoAnswer(Exception):
    """The connection was refused, broke or took too long."""


class BadAddress(Exception):
    """What was given is no address that can be asked."""


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status_code: int
    reason_phrase: str
    content: bytes

    @property
    def is_success(self) -> bool:
        """2xx."""
        return self.status_code // 100 == 2

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.content)


def usable() -> bool:
    """Whether this will do: behind a proxy it will not."""
    return not any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXY_VARIABLES)


def ask(
    method: str,
    url: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes | None,
    connect_s: float,
    read_s: float,
) -> Answer:
    """The answer to one request on a connection of its own. Raises NoAnswer, BadAddress."""
    try:
        connection, path = _connection(url, connect_s)
        target = f"{path}?{urlencode(query)}" if query else path
    except ValueError as error:
        raise BadAddress(str(error)) from error
    try:
        connection.connect()
        _patience(connection.sock, read_s)
        connection.request(method, target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, answer.reason, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(str(error) or type(error).__name__) from error
    finally:
        connection.close()


def _connection(url: str, connect_s: float) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an address: {url}")
    path = quote(parts.path, safe=_PATH_LETTERS)
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=connect_s), path
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=connect_s, context=_tls()), path


def _tls() -> Any:
    """The system's own certificates, or those that the usual variables name."""
    import ssl

    if any(os.environ.get(name) for name in CERTIFICATE_VARIABLES):
        return ssl.create_default_context()
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _patience(connected: socket.socket, read_s: float) -> None:
    connected.settimeout(read_s)
