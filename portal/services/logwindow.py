"""Windows on a log file by byte offset, and finding in it: a file of any size is read a piece at a time, never whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portal.services.logs import MAX_READ_BYTES, RunLogs, read
from portal.services.logsource import LogFile

WINDOW_BYTES = 64 * 1024
FIND_BYTES = 16 * 1024 * 1024
"""Of one search; it goes on from where it stopped."""
MAX_NEEDLE_BYTES = 256
ERROR = re.compile(
    rb"(?i)(error|exception|traceback|fatal|critical|segmentation fault|out of memory|oom-kill|killed)\b"
)
"""What the first error of a log begins with: words that programs of every language use."""


@dataclass(frozen=True)
class Window:
    """Whole lines of a file, bytes `start` to `end` of `size`."""

    file: LogFile
    start: int
    end: int
    data: bytes

    @property
    def text(self) -> str:
        """As it is read."""
        return self.data.decode(errors="replace")


@dataclass(frozen=True)
class Hit:
    """Where the line of the next hit begins (None: not up to `searched`), and how far was looked."""

    at: int | None
    searched: int


async def window_before(logs: RunLogs, file: LogFile, end: int | None = None, limit: int = WINDOW_BYTES) -> Window:
    """The lines before byte `end` (default: the file's end), at most `limit` bytes. Raises Unavailable."""
    stop = file.size if end is None else min(end, file.size)
    start = max(0, stop - limit)
    _, data = await read(logs, file, start, stop - start)
    if start:
        begun = data.find(b"\n") + 1  # a line longer than the window is shown as it is
        start, data = start + begun, data[begun:]
    return Window(file, start, start + len(data), data)


async def window_from(logs: RunLogs, file: LogFile, start: int, limit: int = WINDOW_BYTES) -> Window:
    """The lines from byte `start` on, at most `limit` bytes. Raises Unavailable."""
    begin = min(max(0, start), file.size)
    _, data = await read(logs, file, begin, limit)
    ends = data.rfind(b"\n") + 1
    if ends and begin + len(data) < file.size:
        data = data[:ends]
    return Window(file, begin, begin + len(data), data)


async def find(logs: RunLogs, file: LogFile, pattern: re.Pattern[bytes], start: int) -> Hit:
    """The first line from byte `start` on in which the pattern is, looking at FIND_BYTES at most. Raises Unavailable."""
    place = min(max(0, start), file.size)
    stop = min(file.size, place + FIND_BYTES)
    kept = b""
    while place < stop:
        _, data = await read(logs, file, place, MAX_READ_BYTES)
        if not data:
            break
        piece = kept + data
        found = pattern.search(piece)
        if found is not None:
            begun = piece.rfind(b"\n", 0, found.start()) + 1
            return Hit(place - len(kept) + begun, place)
        place += len(data)
        # A hit may lie across two pieces, and its line begins in the first.
        kept = piece[max(piece.rfind(b"\n") + 1, len(piece) - MAX_READ_BYTES) :]
    return Hit(None, place)


def needle(text: str) -> re.Pattern[bytes]:
    """What somebody looks for, as it is written, in upper or lower case. Raises ValueError: empty, or longer than allowed."""
    raw = text.encode()
    if not 0 < len(raw) <= MAX_NEEDLE_BYTES:
        raise ValueError(f"1 to {MAX_NEEDLE_BYTES} bytes")
    return re.compile(re.escape(raw), re.IGNORECASE)
