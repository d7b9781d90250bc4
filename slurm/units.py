"""Slurm's units: memory text to MiB and back, minutes to text; 1024-based as Slurm means it."""

from __future__ import annotations

import re

_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?$", re.IGNORECASE)
_MIB_PER = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}


def memory_mib(text: str) -> int:
    """Memory in MiB, rounded up, of "64GB", "64G", "64GiB", "512MB" (all mean the same 1024-based unit).

    Raises ValueError for anything else.
    """
    match = _MEMORY.match(text.strip())
    if match is None:
        raise ValueError(f"not an amount of memory: {text!r} (examples: 64GB, 512MB)")
    return -int(-float(match.group(1)) * _MIB_PER[match.group(2).upper()] // 1)


def memory_text(mib: int) -> str:
    """The shortest exact text: 65536 -> "64GB", 1536 -> "1536MB"."""
    return f"{mib // 1024}GB" if mib % 1024 == 0 else f"{mib}MB"


def minutes_text(minutes: int) -> str:
    """Slurm's time limit text: 90 -> "01:30:00", 1500 -> "1-01:00:00"."""
    days, rest = divmod(minutes, 24 * 60)
    clock = f"{rest // 60:02d}:{rest % 60:02d}:00"
    return f"{days}-{clock}" if days else clock
