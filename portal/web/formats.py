"""Times, numbers and sizes as a person reads them: in their language and their time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.numbers import format_decimal

from portal.db.models import now
from portal.web.language import Language

UNKNOWN = "—"
MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
_FRESH_S = HOUR
"""Younger than this is told relative to now."""


@dataclass(frozen=True)
class Formats:
    """One person's way of writing; None is `—` everywhere."""

    language: Language
    zone: tzinfo

    def moment(self, value: datetime | None) -> str:
        """`2026-02-09 14:30`."""
        return value.astimezone(self.zone).strftime("%Y-%m-%d %H:%M") if value else UNKNOWN

    def second(self, value: datetime | None) -> str:
        """`2026-02-09 14:30:05`."""
        return value.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S") if value else UNKNOWN

    def epoch(self, seconds: float | None) -> str:
        """The moment of epoch seconds, as Slurm and charts have it."""
        return self.moment(None if seconds is None else datetime.fromtimestamp(seconds, UTC))

    def day(self, value: datetime | None) -> str:
        """`2026-02-09`."""
        return value.astimezone(self.zone).strftime("%Y-%m-%d") if value else UNKNOWN

    def clock(self, value: datetime | None) -> str:
        """`14:03:22`."""
        return value.astimezone(self.zone).strftime("%H:%M:%S") if value else UNKNOWN

    def ago(self, value: datetime | None) -> str:
        """`22분 전`, `22 min ago`; the moment itself when it is more than an hour away."""
        if value is None:
            return UNKNOWN
        seconds = (now() - value).total_seconds()
        if not 0 <= seconds < _FRESH_S:
            return self.moment(value)
        minutes = int(seconds // MINUTE)
        if minutes == 0:
            return "방금" if self.language == "ko" else "just now"
        return f"{minutes}분 전" if self.language == "ko" else f"{minutes} min ago"

    def duration(self, seconds: float | None) -> str:
        """`3시간 12분`, `3 h 12 min`; seconds below an hour, days above one."""
        if seconds is None:
            return UNKNOWN
        whole = max(0, int(seconds))
        days, hours, minutes = whole // DAY, whole % DAY // HOUR, whole % HOUR // MINUTE
        parts = [(days, "일", "d"), (hours, "시간", "h"), (minutes, "분", "min"), (whole % MINUTE, "초", "s")]
        first = next((index for index, part in enumerate(parts) if part[0]), 3)
        shown = [part for part in parts[first : first + 2] if part[0]] or parts[3:]
        korean = self.language == "ko"
        return " ".join(f"{value}{ko}" if korean else f"{value} {en}" for value, ko, en in shown)

    def since(self, value: datetime | None, until: datetime | None = None) -> str:
        """How long it has been, or was until then."""
        return self.duration(((until or now()) - value).total_seconds()) if value else UNKNOWN

    def number(self, value: float | None, digits: int = 0) -> str:
        """`12,345`; at most `digits` decimals."""
        if value is None:
            return UNKNOWN
        pattern = "#,##0" + ("." + "#" * digits if digits else "")
        return str(format_decimal(value, format=pattern, locale=self.language))

    def memory(self, mib: float | None) -> str:
        """`128 GB`: Slurm's units, 1024 MiB each."""
        if mib is None:
            return UNKNOWN
        return f"{self.number(mib)} MB" if mib < 1024 else f"{self.number(mib / 1024, 1)} GB"

    def size(self, size_bytes: float | None) -> str:
        """`1.4 GB` of a file."""
        if size_bytes is None:
            return UNKNOWN
        for unit in ("B", "KB", "MB", "GB"):
            if size_bytes < 1024:
                return f"{self.number(size_bytes, 1)} {unit}"
            size_bytes /= 1024
        return f"{self.number(size_bytes, 1)} TB"

    def percent(self, part: float | None, whole: float) -> str:
        """`62.5%`."""
        return f"{self.number(100 * part / whole, 1)}%" if part is not None and whole else UNKNOWN

    def gpus(self, count: int | None) -> str:
        """`16기`, `16 GPUs`."""
        return self._counted(count, "기", "GPU")

    def cores(self, count: int | None) -> str:
        """`256코어`, `256 cores`."""
        return self._counted(count, "코어", "core")

    def _counted(self, count: int | None, korean: str, english: str) -> str:
        if count is None:
            return UNKNOWN
        if self.language == "ko":
            return f"{self.number(count)}{korean}"
        return f"{self.number(count)} {english}{'' if count == 1 else 's'}"


@lru_cache(maxsize=256)
def formats(language: Language, time_zone: str) -> Formats:
    """The formats of a language in a time zone; an unknown zone is UTC."""
    try:
        zone: tzinfo = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return Formats(language, zone)
