"""A daemon with another time of day than everybody else (libfaketime)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from lab.hosts import on, until
from tests.lab.faults.breaking import MENDED_S, active

DROP_IN = "/run/systemd/system/one-daemon.service.d/fault-clock.conf"
LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


@contextmanager
def daemon_off_by(by: timedelta) -> Iterator[None]:
    """The daemon is restarted with a clock that is ahead (or, below 0, behind), and at the end with the right one."""
    library = on("svc", "bash", "-c", f"ls {LIBRARY}").split()[0]
    # Only what the daemon reads as the time of day: its timeouts count by the monotonic clock.
    environment = f"LD_PRELOAD={library} FAKETIME={by.total_seconds():+.0f} FAKETIME_DONT_FAKE_MONOTONIC=1"
    text = f"[Service]\\nEnvironment={environment}\\n"
    on("svc", "bash", "-c", f"mkdir -p $(dirname {DROP_IN}) && printf '{text}' > {DROP_IN}")
    try:
        restart()
        yield
    finally:
        on("svc", "rm", "-f", DROP_IN)
        restart()


def restart() -> None:
    """Start the daemon anew, with whatever its unit says now."""
    on("svc", "systemctl", "daemon-reload")
    on("svc", "systemctl", "restart", "one-daemon", timeout_s=MENDED_S)
    until("the daemon runs", lambda: active("svc", "one-daemon"), timeout_s=MENDED_S)
