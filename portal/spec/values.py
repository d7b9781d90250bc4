"""Text values with a meaning: durations, memory, paths, timestamps; each check names its problem code.

`duration_s("1-02:00:00")` -> 93600 and `duration_s("30m")` -> 1800.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from portal.spec import limits
from slurm.units import memory_mib

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORT = re.compile(r"([0-9]{1,9})([smhd])")
_CLOCK = re.compile(r"(?:([0-9]{1,4})-)?([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])")
OUT_DIR = "/one/out"


def duration_s(text: str) -> int:
    """Seconds of "90s", "30m", "2h", "1d", "12:00:00" or "1-12:00:00".

    Raises ValueError for anything else and outside 1 second to 365 days.
    """
    if short := _SHORT.fullmatch(text):
        seconds = int(short[1]) * _UNITS_S[short[2]]
    elif clock := _CLOCK.fullmatch(text):
        days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
        seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    else:
        raise ValueError(f"not a duration: {text!r}")
    if not 1 <= seconds <= limits.MAX_TIME_LIMIT_S:
        raise ValueError(f"duration out of range: {text!r}")
    return seconds


def ready_file_path(text: str) -> str:
    """The absolute path inside the container of a ready file: "a/ready" or "/one/out/a/ready" -> "/one/out/a/ready".

    Raises ValueError for a path that is not below /one/out.
    """
    relative = text.removeprefix(f"{OUT_DIR}/")
    if relative.startswith("/") or not _is_normalised(relative):
        raise ValueError(f"not below {OUT_DIR}: {text!r}")
    return f"{OUT_DIR}/{relative}"


def storage_path(text: str) -> str:
    """The path itself. Raises ValueError unless it is absolute, normalised and free of control characters."""
    if not text.startswith("/") or not _is_normalised(text[1:]) or not text.isprintable():
        raise ValueError(f"not a normalised absolute path: {text!r}")
    return text


def _is_normalised(relative: str) -> bool:
    return all(part not in ("", ".", "..") for part in relative.split("/"))


def _memory(text: str) -> str:
    if len(text) > 32 or not 1 <= memory_mib(text) <= limits.MAX_MEMORY_MIB:
        raise ValueError(f"memory out of range: {text!r}")
    return text


def _timestamp(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def _check(code: str, parse: Callable[[str], object]) -> AfterValidator:
    def validate(value: str | None) -> str | None:
        if value is not None:
            try:
                parse(value)
            except ValueError as exc:
                raise PydanticCustomError(code, "{found}", {"found": value, "why": str(exc)}) from exc
        return value

    return AfterValidator(validate)


check_duration = _check("bad_duration", duration_s)
check_memory = _check("bad_memory", _memory)
check_ready_file = _check("bad_ready_file", ready_file_path)
check_storage_path = _check("bad_storage_path", storage_path)
check_timestamp = _check("bad_timestamp", _timestamp)
