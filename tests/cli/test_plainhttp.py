"""The short way of asking the portal: one request by the standard library, the same answers and failures as the long one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from portal.cli import plainhttp
from portal.cli.api import Api, ApiError, ConnectionLost
from portal.cli.credentials import Credentials
from portal.cli.exits import CliError, Exit
from portal.cli.words import Words

asked: list[tuple[str, str, str, bytes]] = []


class _Portal(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked.append((self.command, self.path, self.headers["Authorization"], body))
        status, document = (404, {"title": "gone", "code": "x"}) if "absent" in self.path else (200, _EMPTY)
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


_EMPTY = {"items": [], "page": 1, "size": 50, "total": 0}


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a portal that has nothing."""
    for name in plainhttp.PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Portal) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _api(url: str) -> Api:
    return Api(Credentials(url, "one_secret"), Words("en"))


def test_query_path_and_body_arrive(portal: str) -> None:
    with _api(portal) as api:
        assert api.get("/workloads/123+1", q="한 b", mine=True) == _EMPTY
        api.post("/workloads", {"name": "x"})
    (_, path, token, _), (method, _, _, body) = asked
    assert path == "/api/v1/workloads/123+1?q=%ED%95%9C+b&mine=true"
    assert token == "Bearer one_secret"
    assert (method, json.loads(body)) == ("POST", {"name": "x"})


def test_a_no_is_an_error_with_its_status(portal: str) -> None:
    with _api(portal) as api, pytest.raises(ApiError) as caught:
        api.get("/absent")
    assert caught.value.status == 404


def test_nobody_there_may_be_asked_again() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with _api(f"http://127.0.0.1:{unused.getsockname()[1]}") as api, pytest.raises(ConnectionLost):
            api.get("/workloads")


@pytest.mark.parametrize("url", ["ftp://portal", "http://portal:port", "portal"])
def test_what_is_no_address_is_a_wrong_use(url: str) -> None:
    with _api(url) as api, pytest.raises(CliError) as caught:
        api.get("/workloads")
    assert caught.value.exit_code == Exit.USAGE


def test_a_short_command_imports_no_large_client(portal: str) -> None:
    code = "import sys; from portal.cli.main import app; app(['list'], standalone_mode=False); print('httpx2' in sys.modules)"
    variables = {"ONE_URL": portal, "ONE_TOKEN": "one_x", "PATH": "/usr/bin:/bin", "ONE_LANG": "en"}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=variables,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == "False"
