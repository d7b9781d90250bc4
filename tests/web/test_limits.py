"""Per-user limits: what is counted, what the refusal says, and an event stream that nobody reads."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from prometheus_client import REGISTRY

from portal.db.engine import transaction
from portal.services import workloads
from portal.services.errors import TooMany
from portal.services.workloads import SubmitRequest
from portal.settings import Limits
from portal.web.app import create_app
from portal.web.limits import UserLimits
from portal.web.main import forget_dead_peers
from tests.daemon.test_road import finished
from tests.web.conftest import Site

PATIENCE_S = 120


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_calls_at_once_then_as_time_gives_them_back() -> None:
    clock = Clock()
    limits = UserLimits(Limits(api_calls_per_minute=60), clock)
    for _ in range(60):
        limits.count_call(1)
    with pytest.raises(TooMany, match="60 API calls within a minute") as refused:
        limits.count_call(1)
    assert refused.value.retry_after_s == 1
    limits.count_call(2)
    clock.now += refused.value.retry_after_s
    limits.count_call(1)
    with pytest.raises(TooMany):
        limits.count_call(1)
    clock.now += 3600
    for _ in range(60):
        limits.count_call(1)


def test_streams_are_counted_until_they_end() -> None:
    limits = UserLimits(Limits(log_streams=2))
    with limits.stream(1), limits.stream(1), limits.stream(2):
        with pytest.raises(TooMany, match="2 logs"):
            limits.check_stream(1)
        limits.check_stream(2)
    limits.check_stream(1)


def limited(site: Site, **limits: int) -> None:
    """Give the running application other limits."""
    changed = site.world.context.settings.model_copy(update={"limits": Limits(**limits)})
    site.app.state.settings = changed
    site.app.state.limits = UserLimits(changed.limits)


async def test_a_refusal_names_limit_and_cure(site: Site, small: dict[str, Any]) -> None:
    limited(site, pending_workloads=1)
    before = metric("one_web_limited_total", limit="pending_workloads")
    await site.post("kim", "/workloads", {"spec": small}, status=201)
    async with site.client("kim", **{"Accept-Language": "ko"}) as client:
        response = await client.post("/api/v1/workloads", json={"spec": small})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["code"] == "pending_workloads"
    assert "한도 1건, limits.pending_workloads" in document["detail"]
    assert metric("one_web_limited_total", limit="pending_workloads") == before + 1
    await site.post("park", "/workloads", {"spec": {**small, "app_id": "APP-PARK1"}}, status=201)


async def test_calls_are_counted_by_the_guard(site: Site) -> None:
    limited(site, api_calls_per_minute=10)
    for _ in range(10):
        await site.get("kim", "/me")
    async with site.client("kim") as client:
        response = await client.get("/api/v1/me")
    assert (response.status_code, response.json()["code"]) == (429, "api_calls_per_minute")
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    await site.get("park", "/me")


@contextmanager
def served(app: Any, limit_s: float) -> Iterator[int]:
    """The application on a real port of this machine, in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="on"))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    forget_dead_peers(listener, limit_s)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@pytest.mark.whole
async def test_a_client_that_does_not_read_is_dropped_and_can_come_back(site: Site, small: dict[str, Any]) -> None:
    """A real socket that stops reading in the middle of 20 MB."""
    async with transaction(site.world.maker) as session:
        made = await workloads.submit(
            session, site.world.actors["kim"], site.world.context.settings, SubmitRequest(spec=small)
        )
        workload_id = made.id
    for _ in range(2):
        await site.world.round()
    await site.world.play(workload_id)
    row = await site.world.workload(workload_id)
    text = "".join(f"line {number} {'x' * 90}\n" for number in range(200_000))
    Path(row.attempts[0].run_dir, "steps", "TASK-001", "CL-REF-001", "t1", "stdout.log").write_text(text)
    settings = site.world.context.settings.model_copy(update={"limits": Limits(slow_client_s=1)})
    app = create_app(settings, store=site.world.store)  # type: ignore[arg-type]
    before = metric("one_web_slow_clients_dropped_total")
    path = f"/api/v1/workloads/{workload_id}/logs/follow?component=CL-REF-001"
    with served(app, settings.limits.slow_client_s) as port:
        received, position = await anyio_run(stalled, port, path, site.values["kim"], before)
        assert len(received) < len(text) / 2, "it was not read ahead for the client"
        await finished(site.world, workload_id)
        rest = await anyio_run(followed, port, path, site.values["kim"], position)
    assert received + rest == text


async def anyio_run(work: Any, *args: Any) -> Any:
    from anyio import to_thread

    return await to_thread.run_sync(work, *args)


def stalled(port: int, path: str, token: str, before: float) -> tuple[str, str]:
    """Ask, read nothing until the portal gave up, then what had arrived: its text and the last event's id."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.connect(("127.0.0.1", port))
        head = f"GET {path} HTTP/1.1\r\nHost: portal\r\nAuthorization: Bearer {token}\r\n\r\n"
        client.sendall(head.encode())
        deadline = time.monotonic() + PATIENCE_S
        while metric("one_web_slow_clients_dropped_total") <= before:
            assert time.monotonic() < deadline, "never dropped"
            time.sleep(0.1)
        data = b""
        try:
            while piece := client.recv(65536):
                data += piece
        except ConnectionError:
            pass
    events = [event for event in unchunked(data).decode(errors="ignore").split("\r\n\r\n") if "data: " in event]
    whole = events[:-1]  # the last one may be cut off
    return "".join(text_of(event) for event in whole), id_of(whole[-1]) if whole else ""


def unchunked(data: bytes) -> bytes:
    """The body of a chunked answer as far as it came."""
    _, _, rest = data.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        if not size:
            break
        length = int(size, 16)
        body += rest[:length]
        rest = rest[length + 2 :]
    return body


def text_of(event: str) -> str:
    lines = dict(line.split(": ", 1) for line in event.splitlines() if ": " in line)
    return str(json.loads(lines["data"])["text"]) if lines.get("event") == "log" else ""


def id_of(event: str) -> str:
    return next(line.removeprefix("id: ") for line in event.splitlines() if line.startswith("id: "))


def followed(port: int, path: str, token: str, position: str) -> str:
    """Everything from `position` to the end, by a client that reads."""
    headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": position} if position else {})}
    with (
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client,
        client.sse(path, headers=headers) as source,
    ):
        return "".join(json.loads(event.data)["text"] for event in source if event.event == "log")
