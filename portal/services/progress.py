"""What the runners of an attempt have said so far, read from its run directory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from portal.db.models import Attempt, Workload, now
from portal.domain.events import read_run
from portal.domain.runreport import RunReport
from portal.rundir import RunDir, RunDirError
from portal.services.planning import plan_of

log = structlog.get_logger()
MAX_EVENT_BYTES = 4 << 20
MAX_EVENT_LINES = 20_000
"""Twenty passes of two hundred steps write about half of it."""
CLOCKS_DIFFER_S = 3600
"""How far a node's clock may be ahead of the portal's."""


def read_progress(folder: Callable[[], RunDir], workload: Workload, attempt: Attempt) -> RunReport:
    """The report of all jobs of the attempt; files that are absent have said nothing, nor have those that are refused.

    `folder` opens the attempt's run directory; it may raise Refused.
    """
    plan = plan_of(attempt.plan)
    steps = [[step for group in job.groups for step in group.steps] for job in plan.jobs]
    events: dict[int, list[dict[str, Any]]] = {}
    refused: list[str] = []
    for index in range(len(steps)):
        try:
            events[index] = _events(folder(), index)
        except RunDirError as error:
            log.warning("events not readable", workload=workload.id, attempt=attempt.number, error=str(error))
            refused.append(str(error))
    latest = now().timestamp() + CLOCKS_DIFFER_S
    return read_run(steps, events, no_later_than=latest, refused=refused)


def _events(folder: RunDir, index: int) -> list[dict[str, Any]]:
    """The lines of one runner; one that is no JSON object is an empty one, so that it is named as a fault. Raises Refused."""
    lines = folder.json_lines(f"events.{index}.jsonl", max_bytes=MAX_EVENT_BYTES, max_lines=MAX_EVENT_LINES)
    return [line or {} for line in lines]
