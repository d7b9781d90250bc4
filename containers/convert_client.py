"""The daemon's side of the convert socket: ask for a SIF, hear of its progress, get the answer."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from containers.errors import ContainersError, ConversionFailed
from containers.image import ImageConfig

MAX_LINE_BYTES = 1024 * 1024


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
    socket: Path, reference: str, digest: str, *, in_use: Collection[str] | None = None, timeout_s: float = 3600.0
) -> AsyncGenerator[Progress | Converted]:
    """Progress lines, then exactly one Converted. `in_use` names digests that must stay when the cache is full.

    Raises ConversionFailed; its `error` is the protocol's word, "unreachable" also when the service does not answer.
    """
    request: dict[str, Any] = {"reference": reference, "digest": digest}
    if in_use is not None:
        request["in_use"] = sorted(in_use)
    async with aclosing(_exchange(socket, request, timeout_s)) as answers:
        async for answer in answers:
            if "progress" in answer:
                yield Progress(str(answer["progress"]))
            else:
                yield _converted(answer)
                return


async def remove(socket: Path, digest: str, *, timeout_s: float = 60.0) -> int:
    """Delete one unused SIF; the bytes given back. Raises ConversionFailed."""
    async with aclosing(_exchange(socket, {"remove": digest}, timeout_s)) as answers:
        async for answer in answers:
            return int(answer.get("freed", 0))
    raise ConversionFailed("unreachable", "the conversion service closed the connection without an answer")


async def _exchange(socket: Path, request: dict[str, Any], timeout_s: float) -> AsyncGenerator[dict[str, Any]]:
    """Send one line; yield the lines that come back until the last, which has `ok: true`."""
    deadline = anyio.current_time() + timeout_s
    try:
        with anyio.fail_after(timeout_s):
            stream = await anyio.connect_unix(str(socket))
            await stream.send(json.dumps(request).encode() + b"\n")
        async with stream:
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
        anyio.EndOfStream,
        anyio.IncompleteRead,
        anyio.DelimiterNotFound,
    ) as exc:
        reason = str(exc) or "it closed the connection without an answer"
        raise ConversionFailed("unreachable", f"conversion service at {socket}: {reason}") from exc


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
