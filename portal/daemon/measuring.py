"""The measuring loop: asks Prometheus how busy the GPUs are, so that no page and no web process ever asks it."""

from __future__ import annotations

import time

import structlog

from portal.daemon.context import Context
from portal.daemon.prometheus import PrometheusError
from portal.db.engine import transaction
from portal.domain.gpuuse import QUERIES, GpuReading, readings_of
from portal.services import gpuuse

INTERVAL_S = 15.0
"""As often as Prometheus itself looks (ansible/roles/prometheus)."""
log = structlog.get_logger()


class Measuring:
    """One look every INTERVAL_S, however often the loop comes by."""

    def __init__(self) -> None:
        self._next_at = 0.0

    async def __call__(self, context: Context) -> None:
        """Look, if it is time and there is somebody to ask."""
        if context.prometheus is not None and time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + INTERVAL_S
            await measure(context)


async def measure(context: Context) -> None:
    """Ask once and keep the answer; a silent Prometheus is kept as that."""
    if context.prometheus is None:
        return
    readings: tuple[GpuReading, ...] = ()
    problem = ""
    try:
        readings = readings_of(await context.prometheus.ask(QUERIES))
    except PrometheusError as error:
        problem = str(error)
        log.warning("GPU use is not measured", error=problem)
    async with transaction(context.sessions) as session:
        await gpuuse.store(session, readings, problem)
