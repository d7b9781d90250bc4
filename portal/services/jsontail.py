"""Follows one file of JSON lines: each look reads only what was added since the last one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from portal.rundir import Missing, RunDir

LOOK_BYTES = 4 << 20
"""Of one look; the rest comes with the next ones."""


class JsonTail:
    """The whole lines of `path` in a run directory, in order and each once; a file that is not there has none (yet)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.offset = 0
        self._part = b""
        self._long = False

    def new(self, folder: RunDir) -> Iterator[dict[str, Any]]:
        """The JSON objects that were added; other lines, and those longer than the folder's limit, are passed over.

        Raises Refused.
        """
        try:
            data = folder.read(self.path, self.offset, LOOK_BYTES)
        except Missing:
            return
        self.offset += len(data)
        *lines, rest = (self._part + data).split(b"\n")
        for line in lines:
            found = None if self._long else _object(line, folder.limits.line_bytes)
            self._long = False
            if found is not None:
                yield found
        self._long = self._long or len(rest) > folder.limits.line_bytes
        self._part = b"" if self._long else rest


def _object(line: bytes, limit: int) -> dict[str, Any] | None:
    if not line.strip() or len(line) > limit:
        return None
    try:
        value = json.loads(line, parse_constant=str)  # NaN is a word here, no number
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
