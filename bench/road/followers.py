"""People who follow logs: one process that holds many streams open, as browsers would, and reads whatever comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import anyio.from_thread
import httpx2

from lab.hosts import portal_url
from lab.people import token


@contextmanager
def following(workload: str, count: int) -> Iterator[None]:
    """`count` open streams on a workload's logs while the block runs."""
    headers = {"Authorization": f"Bearer {token('kim')}"}
    url = f"{portal_url()}/api/v1/workloads/{workload}/logs/follow"
    ready, scopes = threading.Event(), list[anyio.CancelScope]()
    began: list[int] = []

    async def one(http: httpx2.AsyncClient) -> None:
        async with http.stream("GET", url) as answer:
            answer.raise_for_status()
            began.append(1)
            if len(began) == count:
                ready.set()
            async for _ in answer.aiter_bytes():
                pass

    async def everybody() -> None:
        limits = httpx2.Limits(max_connections=count, max_keepalive_connections=count)
        http = httpx2.AsyncClient(headers=headers, limits=limits, timeout=None)
        async with http, anyio.create_task_group() as group:
            scopes.append(group.cancel_scope)
            for _ in range(count):
                group.start_soon(one, http)

    with anyio.from_thread.start_blocking_portal() as portal:
        running = portal.start_task_soon(everybody)
        try:
            if not ready.wait(120):
                raise RuntimeError(f"only {len(began)} of {count} followers were let in")
            yield
        finally:
            portal.call(scopes[0].cancel)
            running.result(30)
