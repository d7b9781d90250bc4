"""The daemon's side of a conversion: ask a service for a SIF, hear of its progress, get the answer.

The service is a socket (`at_socket`), or a child process of one's own for each request (`as_child`).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.stapled import StapledByteStream

from containers.errors import ContainersError, ConversionFailed
from containers.image import ImageConfig

MAX_LINE_BYTES = 1024 * 1024
STOP_TIMEOUT_S = 5.0

Service = Callable[[], AbstractAsyncContextManager[ByteStream]]
"""Opens a connection to whoever converts: takes one line of request, gives lines of answers."""


def at_socket(path: Path) -> Service:
    """The service behind a Unix socket."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[ByteStream]:
        async with await anyio.connect_unix(str(path)) as stream:
            yield stream

    return opened


def as_child(argv: Sequence[str], environment: Mapping[str, str]) -> Service:
    """A child process a request, with exactly this environment; who stops waiting ends it, by TERM and then by KILL."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[ByteStream]:
        process = await anyio.open_process(argv, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield StapledByteStream(process.stdin, process.stdout)
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)

    return opened


async def _end(process: anyio.abc.Process) -> None:
    """Wait for a child that has answered; one that is still at work is told to stop."""
    with anyio.move_on_after(STOP_TIMEOUT_S):
        if process.returncode is None:
            process.terminate()
        await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()


@dataclass(frozen=True, slots=True)
class Progress:
    """A line to show while the image is being converted."""

    text: str


@dataclass(frozen=True, slots=True)
class Converted:
    """The SIF, its size in bytes and the image's own command."""

    sif: Path
    size: int
    config: ImageConfig


async def convert(
    service: Service, reference: str, digest: str, *, in_use: Collection[str] | None = None, timeout_s: float = 3600.0
) -> AsyncGenerator[Progress | Converted]:
    """Progress lines, then exactly one Converted. `in_use` names digests that must stay when the cache is full.

    Raises ConversionFailed; its `error` is the protocol's word, "unreachable" also when the service does not answer.
    """
    request: dict[str, Any] = {"reference": reference, "digest": digest}
    if in_use is not None:
        request["in_use"] = sorted(in_use)
    async with aclosing(_exchange(service, request, timeout_s)) as answers:
        async for answer in answers:
            if "progress" in answer:
                yield Progress(str(answer["progress"]))
            else:
                yield _converted(answer)
                return


async def remove(service: Service, digest: str, *, timeout_s: float = 60.0) -> int:
    """Delete one unused SIF; the bytes given back. Raises ConversionFailed."""
    async with aclosing(_exchange(service, {"remove": digest}, timeout_s)) as answers:
        async for answer in answers:
            return int(answer.get("freed", 0))
    raise ConversionFailed("unreachable", "the conversion service closed the connection without an answer")


async def _exchange(service: Service, request: dict[str, Any], timeout_s: float) -> AsyncGenerator[dict[str, Any]]:
    """Send one line; yield the lines that come back until the last, which has `ok: true`."""
    deadline = anyio.current_time() + timeout_s
    try:
        async with service() as stream:
            with anyio.fail_after(timeout_s):
                await stream.send(json.dumps(request).encode() + b"\n")
            lines = BufferedByteReceiveStream(stream)
            while True:
                with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
                    line = await lines.receive_until(b"\n", MAX_LINE_BYTES)
                answer = _read(line)
                yield answer
                if "ok" in answer:
                    return
    except TimeoutError as exc:
        raise ConversionFailed(
            "unreachable", f"the conversion service gave no answer within {timeout_s:.0f} s"
        ) from exc
    except (
        OSError,
        anyio.BrokenResourceError,
        anyio.ClosedResourceError,
        anyio.EndOfStream,
        anyio.IncompleteRead,
        anyio.DelimiterNotFound,
    ) as exc:
        reason = str(exc) or "it closed the connection without an answer"
        raise ConversionFailed("unreachable", f"the conversion service cannot be reached: {reason}") from exc


def _read(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError as exc:
        raise ConversionFailed("failed", "the conversion service answered something that is not JSON") from exc
    if not isinstance(answer, dict):
        raise ConversionFailed("failed", "the conversion service answered something that is not a JSON object")
    if answer.get("ok") is False:
        raise ConversionFailed(str(answer.get("error", "failed")), str(answer.get("message", "")))
    return answer


def _converted(answer: dict[str, Any]) -> Converted:
    try:
        return Converted(Path(answer["sif"]), int(answer["size"]), ImageConfig.from_json(answer["config"]))
    except (KeyError, TypeError, ValueError, AttributeError, ContainersError) as exc:
        raise ConversionFailed("failed", "the conversion service's answer lacks sif, size or config") from exc
