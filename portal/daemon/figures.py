"""The daemon's own figures: how long its loops and its calls to the agent take. The web process shows them at /metrics.

The daemon listens nowhere, so what it counted goes through the database.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from portal.daemon.context import Context
from portal.db.engine import transaction
from portal.services import reports

INTERVAL_S = 15.0
REGISTRY = CollectorRegistry()
_SECONDS = (0.05, 0.25, 1, 2.5, 5, 10, 30, 90)
ROUNDS = Histogram(
    "one_daemon_round_seconds", "One round of a loop, without waiting", ["loop"], buckets=_SECONDS, registry=REGISTRY
)
ENDED_EARLY = Counter(
    "one_daemon_rounds_ended_early", "Rounds that a service which is away ended", ["loop"], registry=REGISTRY
)
AGENT_CALLS = Histogram("one_agent_call_seconds", "Calls to the agent", ["verb"], buckets=_SECONDS, registry=REGISTRY)
AGENT_ERRORS = Counter("one_agent_call_errors", "Calls to the agent without an answer", ["verb"], registry=REGISTRY)
STARTED = Gauge("one_daemon_started_timestamp_seconds", "When the leading daemon started", registry=REGISTRY)


def agent_called(verb: str, seconds: float, answered: bool) -> None:
    """Count one call; `slurm.socketclient` tells it."""
    AGENT_CALLS.labels(verb).observe(seconds)
    if not answered:
        AGENT_ERRORS.labels(verb).inc()


@contextmanager
def timed(loop: str) -> Iterator[None]:
    """Count one round of a loop."""
    with ROUNDS.labels(loop).time():
        yield


class Telling:
    """Writes the figures down every INTERVAL_S."""

    def __init__(self) -> None:
        self._next_at = 0.0
        STARTED.set_to_current_time()

    async def __call__(self, context: Context) -> None:
        """Write them, if it is time."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + INTERVAL_S
        async with transaction(context.sessions) as session:
            await reports.write(session, reports.FIGURES, {"text": generate_latest(REGISTRY).decode()})
