"""What machine the figures are from, and how busy others kept it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def described() -> dict[str, str]:
    """For the page and the JSON."""
    cpu = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "model name: unknown")
    memory_kib = int(next(line for line in _lines("/proc/meminfo") if line.startswith("MemTotal")).split()[1])
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores ({cpu.partition(':')[2].strip()}), {memory_kib / 2**20:.0f} GiB",
        "system": f"Linux {platform.release()}, Python {platform.python_version()}",
        "load": f"{load} (1, 5, 15 minutes) when it began",
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
