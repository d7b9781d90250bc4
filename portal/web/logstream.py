"""Log files and what follows them as HTTP answers: for the API's programs and for the pages alike."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from litestar.response import ServerSentEventMessage

from portal.services import logs
from portal.services.errors import ServiceError
from portal.services.logfollow import Cursor, Piece, StateChange
from portal.services.logs import CHUNK_BYTES, RunLogs
from portal.services.logsource import LogFile


async def events_of(
    pieces: AsyncIterator[Piece | StateChange | None], counted: AbstractContextManager[None], *, korean: bool
) -> AsyncIterator[ServerSentEventMessage]:
    """Errors after the first byte cannot be a status any more: they are the last event."""
    try:
        with counted:
            async for piece in pieces:
                yield _event(piece)
    except ServiceError as error:
        detail = error.message_ko if korean else error.message_en
        yield _message("error", {"code": error.code, "status": error.status, "detail": detail}, None)


def _event(piece: Piece | StateChange | None) -> ServerSentEventMessage:
    if piece is None:
        return ServerSentEventMessage(data=None, comment="waiting")
    if isinstance(piece, Piece):
        data = {**file_document(piece.file), "offset": piece.offset, "text": piece.text}
        return _message("log", data, piece.cursor)
    data = {"state": piece.state, "phase": piece.phase}
    return _message("end" if piece.ended else "state", data, piece.cursor)


def _message(event: str, data: dict[str, Any], cursor: Cursor | None) -> ServerSentEventMessage:
    text = json.dumps(data, ensure_ascii=False)
    return ServerSentEventMessage(data=text, event=event, id=cursor.text() if cursor else None)


async def merged(found: RunLogs, files: Sequence[LogFile], *, prefixed: bool) -> AsyncIterator[bytes]:
    """All these files as far as written, one after the other, each line prefixed with its node id."""
    for file in files:
        prefix = f"[{file.node_id}] ".encode() if prefixed else b""
        offset, at_line_start = 0, True
        while True:
            _, data = await logs.read(found, file, offset, CHUNK_BYTES)
            if not data:
                break
            offset += len(data)
            body = data[:-1] if data.endswith(b"\n") else data
            yield (prefix if at_line_start else b"") + body.replace(b"\n", b"\n" + prefix) + data[len(body) :]
            at_line_start = data.endswith(b"\n")
        if not at_line_start:
            yield b"\n"


def file_document(file: LogFile) -> dict[str, Any]:
    """A log file as programs and the page's scripts know it."""
    task_id, _, node_id = file.step.rpartition("/")
    return {
        "step": file.step,
        "taskId": task_id,
        "nodeId": node_id,
        "iteration": file.iteration,
        "try": file.attempt_try,
        "stream": file.stream,
        "size": file.size,
    }
