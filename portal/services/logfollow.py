"""Following a run's logs: one shared look at the files every half second, however many people watch."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from portal.db.engine import Sessions, transaction
from portal.db.models import Workload
from portal.services.errors import Invalid, NotFound
from portal.services.logs import CHUNK_BYTES, RunLogs, logs_of
from portal.services.logsource import LogFile, Stream, wanted
from portal.settings import Settings
from portal.store.s3 import ObjectStore

LOOK_INTERVAL_S = 0.5
"""A follower waits this long between looks, and a look may be as old: together under a second."""
RECHECK_INTERVAL_S = 30.0
HELD_LINE_BYTES = 8 * 1024
"""A line without an end is shown when it is this long or the run has ended: progress bars never end theirs."""
_CACHED_CHUNKS = 64
_FORGET_AFTER_S = 60.0
_Place = tuple[str, int, str, int, int]
"""Workload, attempt, path, offset and size: what one chunk is known by."""


@dataclass(frozen=True)
class Cursor:
    """How far each file of an attempt was read, as text: `2;TASK-1/A:0:1:stdout=120,...`; "" is the beginning."""

    attempt: int = 0
    offsets: dict[str, int] = field(default_factory=dict)

    def of(self, file: LogFile) -> int:
        """Bytes of `file` read so far."""
        return self.offsets.get(_key(file), 0)

    def moved(self, file: LogFile, offset: int) -> Cursor:
        """The cursor after reading `file` up to `offset`."""
        return Cursor(self.attempt, {**self.offsets, _key(file): offset})

    def text(self) -> str:
        """What a client sends back to go on from here."""
        return f"{self.attempt};" + ",".join(f"{key}={offset}" for key, offset in self.offsets.items())


def parse_cursor(text: str) -> Cursor:
    """The cursor of a client. Raises Invalid."""
    if not text:
        return Cursor()
    try:
        attempt, _, rest = text.partition(";")
        pairs = [part.rpartition("=") for part in rest.split(",") if part]
        offsets = {key: int(offset) for key, _, offset in pairs}
        if min([0, *offsets.values()]) < 0:
            raise ValueError(text)
        return Cursor(int(attempt), offsets)
    except ValueError as error:
        raise Invalid("bad_cursor", "This is not a log cursor.", "로그 위치 값이 아닙니다.") from error


@dataclass(frozen=True)
class Piece:
    """New text of one file and the cursor after it."""

    file: LogFile
    offset: int
    text: str
    cursor: Cursor


@dataclass(frozen=True)
class StateChange:
    """The workload is in another state or phase; `ended` says that nothing follows."""

    state: str
    phase: str
    ended: bool
    cursor: Cursor


class LogHub:
    """What all followers of one process share: the newest look at each watched run, and the chunks read last."""

    def __init__(self, maker: Sessions, settings: Settings, store: ObjectStore) -> None:
        self._maker = maker
        self._settings = settings
        self._store = store
        self._looks: dict[str, tuple[float, RunLogs]] = {}
        self._locks: dict[str, anyio.Lock] = {}
        self._chunks: OrderedDict[_Place, bytes] = OrderedDict()
        self._reading: dict[_Place, anyio.Lock] = {}

    async def look(self, workload_id: str) -> RunLogs:
        """The run's files, at most LOOK_INTERVAL_S old. Raises NotFound, Unavailable."""
        async with self._locks.setdefault(workload_id, anyio.Lock()):
            now = time.monotonic()
            seen = self._looks.get(workload_id)
            if seen is not None and now - seen[0] < LOOK_INTERVAL_S:
                return seen[1]
            async with transaction(self._maker) as session:
                workload = await session.get(Workload, workload_id)
                if workload is None:
                    raise NotFound("workload", workload_id)
                logs = await logs_of(self._settings, self._store, workload, None)
            self._looks[workload_id] = (time.monotonic(), logs)
            self._forget(now)
            return logs

    async def chunk(self, logs: RunLogs, file: LogFile, offset: int) -> bytes:
        """At most CHUNK_BYTES of the file from `offset`, read once for all who are at the same place."""
        key = (logs.workload_id, logs.attempt, file.path, offset, file.size)
        try:
            async with self._reading.setdefault(key, anyio.Lock()):
                if key not in self._chunks:
                    limit = min(CHUNK_BYTES, file.size - offset)
                    self._chunks[key] = await logs.source.read(file, offset, limit) if logs.source is not None else b""
                data = self._chunks[key]
                self._chunks.move_to_end(key)
                if len(self._chunks) > _CACHED_CHUNKS:
                    self._chunks.popitem(last=False)
        finally:
            self._reading.pop(key, None)
        return data

    def _forget(self, now: float) -> None:
        for workload_id in [key for key, (at, _) in self._looks.items() if now - at > _FORGET_AFTER_S]:
            del self._looks[workload_id]
            self._locks.pop(workload_id, None)


async def follow(
    hub: LogHub,
    workload_id: str,
    cursor: Cursor,
    *,
    component: str = "",
    stream: Stream | None = None,
    recheck: Callable[[], Awaitable[None]],
) -> AsyncIterator[Piece | StateChange | None]:
    """Everything from `cursor` on as it is written, until the run has ended and all is said.

    None says that a look found nothing new. A new attempt begins at its own start. `recheck` is awaited every
    RECHECK_INTERVAL_S and raises when the reader may no longer read.
    """
    shown = ("", "")
    checked = time.monotonic()
    while True:
        logs = await hub.look(workload_id)
        if logs.attempt != cursor.attempt:
            cursor = Cursor(logs.attempt)
        if (logs.state, logs.phase) != shown and not logs.ended:
            shown = (logs.state, logs.phase)
            yield StateChange(logs.state, logs.phase, False, cursor)
        read = False
        for file in wanted(logs.files, component, stream):
            piece = await _next_piece(hub, logs, file, cursor)
            if piece is not None:
                cursor, read = piece.cursor, True
                yield piece
        if read:
            continue
        if logs.ended:
            yield StateChange(logs.state, logs.phase, True, cursor)
            return
        if time.monotonic() - checked > RECHECK_INTERVAL_S:
            await recheck()
            checked = time.monotonic()
        yield None
        await anyio.sleep(LOOK_INTERVAL_S)


async def _next_piece(hub: LogHub, logs: RunLogs, file: LogFile, cursor: Cursor) -> Piece | None:
    offset = cursor.of(file)
    if file.size <= offset:
        return None
    data = whole_lines(await hub.chunk(logs, file, offset), final=logs.ended)
    if not data:
        return None
    return Piece(file, offset, data.decode(errors="replace"), cursor.moved(file, offset + len(data)))


def whole_lines(data: bytes, *, final: bool) -> bytes:
    """The part of `data` that ends with a line, or with a whole character where no line ends (long lines, the end)."""
    if len(data) < CHUNK_BYTES and final:
        return data
    end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    if end:
        return data[:end]
    return _whole_characters(data) if len(data) >= HELD_LINE_BYTES else b""


def _whole_characters(data: bytes) -> bytes:
    """Without the bytes of a UTF-8 character that is cut off at the end (at most three)."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 1 if byte < 0x80 else 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4
        return data[:-back] if length > back else data
    return data


def _key(file: LogFile) -> str:
    return f"{file.step}:{file.iteration}:{file.attempt_try}:{file.stream}"
