"""What the runners of an attempt have said so far, read from its run directory."""

from __future__ import annotations

from typing import Any

import structlog

from portal.daemon.context import Context
from portal.db.models import Attempt, Workload
from portal.domain.events import read_run
from portal.domain.runreport import RunReport
from portal.rundir import RunDirError
from portal.services.planning import plan_of

log = structlog.get_logger()


def read_progress(context: Context, workload: Workload, attempt: Attempt) -> RunReport:
    """The report of all jobs of the attempt; files that are absent or refused have said nothing."""
    plan = plan_of(attempt.plan)
    steps = [[step for group in job.groups for step in group.steps] for job in plan.jobs]
    events = {index: _events(context, workload, attempt, index) for index in range(len(steps))}
    return read_run(steps, events)


def _events(context: Context, workload: Workload, attempt: Attempt, index: int) -> list[dict[str, Any]]:
    """The lines of one runner; a line that is no JSON object counts as an empty one, so that it is named as a fault."""
    try:
        rundir = context.rundir(attempt.run_dir, workload.owner.unix_user or "")
        lines, bad, _offset = rundir.read_json_lines(f"events.{index}.jsonl")
    except RunDirError as error:
        log.warning("events not readable", workload=workload.id, attempt=attempt.number, error=str(error))
        return []
    return [*lines, *({} for _ in range(bad))]
