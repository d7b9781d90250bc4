"""Whole processes on simulated neighbours, for what takes too many workloads for a real cluster."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mib() -> float:
    """This process's resident memory. Source: proc_pid_statm(5), the second number is pages."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1024 / 1024
