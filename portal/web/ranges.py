"""One byte range of a file, as a Range header asks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Unsatisfiable(ValueError):
    """The range lies outside the file."""


@dataclass(frozen=True)
class ByteRange:
    """`length` bytes from `offset` of a file of `size` bytes; `partial` when a range was asked for."""

    offset: int
    length: int
    size: int
    partial: bool

    @property
    def content_range(self) -> str:
        """The Content-Range header's value."""
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{self.size}"


def byte_range(header: str | None, size: int) -> ByteRange:
    """`bytes=10-19`, `bytes=10-` or `bytes=-10` of `size` bytes; any other header counts as none (RFC 9110 section 14.2).

    Raises Unsatisfiable.
    """
    match = _ONE_RANGE.fullmatch(header.strip()) if header and len(header) < 64 else None
    if match is None or not (match[1] or match[2]):
        return ByteRange(0, size, size, partial=False)
    if not match[1]:
        length = min(int(match[2]), size)
        if not length:
            raise Unsatisfiable
        return ByteRange(size - length, length, size, partial=True)
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < first:
        return ByteRange(0, size, size, partial=False)
    if first >= size:
        raise Unsatisfiable
    return ByteRange(first, last - first + 1, size, partial=True)
