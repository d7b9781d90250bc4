"""A stored file on its way out: whole or one byte range of it, with the headers that let a broken download go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

from litestar import Request
from litestar.exceptions import HTTPException
from litestar.response import Stream

from portal.web.ranges import Unsatisfiable, byte_range

Opener = Callable[[int, int], Awaitable[AsyncIterator[bytes]]]
"""(offset, length) -> the bytes; it has read the first ones before it returns, so that errors come early."""


async def file_answer(
    request: Request[Any, Any, Any], opener: Opener, *, name: str, size: int, tag: str, sha256: str = ""
) -> Stream:
    """`size` bytes that `opener` reads, as the attachment `name`; `tag` changes whenever the content does.

    A Range counts only while the If-Range of the client names the same content (RFC 9110 section 13.1.5).
    """
    same = request.headers.get("if-range", f'"{tag}"') == f'"{tag}"'
    try:
        part = byte_range(request.headers.get("range") if same else None, size)
    except Unsatisfiable as error:
        raise HTTPException(status_code=416) from error
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Length": str(part.length),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "ETag": f'"{tag}"',
    }
    if sha256:
        headers["X-Content-SHA256"] = sha256
    if part.partial:
        headers["Content-Range"] = part.content_range
    chunks = await opener(part.offset, part.length)
    status = 206 if part.partial else 200
    return Stream(chunks, status_code=status, media_type="application/octet-stream", headers=headers)
