"""Versions of a spec file: which of two is higher, and what a draft is called after a version.

next_version("1.0.0") -> "1.1.0"; next_version("2") -> "3"; next_version("beta") -> "beta.1".
"""

from __future__ import annotations

import re

_PIECE = re.compile(r"[0-9]+|[A-Za-z]+")
_NUMBER = re.compile(r"[0-9]+")
_MAX_CHARS = 64


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """What versions are ordered by: numbers as numbers, and words before numbers ("1.0.rc" < "1.0.1")."""
    pieces = _PIECE.findall(version)
    return tuple((1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in pieces)


def next_version(version: str) -> str:
    """The version after this one: the second number goes up and those after it are 0; a single number goes up itself."""
    numbers = list(_NUMBER.finditer(version))
    if not numbers:
        return f"{version[: _MAX_CHARS - 2]}.1"
    raised = numbers[min(1, len(numbers) - 1)]
    after = _NUMBER.sub("0", version[raised.end() :])
    return f"{version[: raised.start()]}{int(raised[0]) + 1}{after}"[:_MAX_CHARS]
