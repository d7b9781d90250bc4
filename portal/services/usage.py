"""What the components of a run use, from their launchers' samples in its run directory; blocking."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from portal.db.models import Attempt, Workload
from portal.domain.usage import Meter, Use, joined
from portal.rundir import Missing, RunDir, RunDirError
from portal.services.runfolder import run_folder
from portal.settings import Settings

TAIL_BYTES = 8 << 10
"""About the last half hour of one rank."""
MOST_RANKS = 16
"""Ranks of one step whose samples are read; those of larger runs do the same."""
RUNNING = "running"


def folder_of(settings: Settings, workload: Workload, attempt: Attempt) -> RunDir | None:
    """The attempt's run directory; None where it cannot be read from here."""
    try:
        return run_folder(settings, workload, attempt)
    except RunDirError:
        return None


def running_now(folder: RunDir, workload: Workload, attempt: Attempt) -> dict[str, Use]:
    """Step id -> its use over the last minutes, for the steps that run now."""
    report = attempt.report or {}
    going = {step: said for step, said in report.get("steps", {}).items() if said.get("state") == RUNNING}
    return {
        step: joined([Meter().take_all(_tail(folder, path)).now() for path in files(workload, report, step, said)])
        for step, said in going.items()
        if said.get("try")
    }


def whole_run(folder: RunDir, workload: Workload, attempt: Attempt) -> dict[str, tuple[Meter, ...]]:
    """Step id -> the meters of its ranks, each fed with all of its samples; of a general test, those of the last pass."""
    report = attempt.report or {}
    return {
        step: tuple(_meter(folder, path) for path in files(workload, report, step, said))
        for step, said in report.get("steps", {}).items()
        if said.get("try")
    }


def base_of(workload: Workload, report: Mapping[str, Any]) -> str:
    """A general test has a folder a pass (docs/architecture.md, "Run directory"): that of the newest one."""
    passes = int(workload.options.get("iterations", 1))
    return "" if passes == 1 else f"i{min(len(report.get('iterations', ())) + 1, passes)}/"


def files(workload: Workload, report: Mapping[str, Any], step: str, said: Mapping[str, Any]) -> tuple[str, ...]:
    """The sample files of a step's last try, one a rank."""
    ranks = min(len(said.get("hosts") or ()) or 1, MOST_RANKS)
    place = f"{base_of(workload, report)}steps/{step}/t{said['try']}"
    return tuple(f"{place}/usage.{rank}.jsonl" for rank in range(ranks))


def _meter(folder: RunDir, path: str) -> Meter:
    """Fed as far as the file may be read."""
    meter = Meter()
    try:
        meter.take_all(folder.json_lines(path))
    except (RunDirError, OSError):
        return meter
    return meter


def _tail(folder: RunDir, path: str) -> Iterator[Mapping[str, Any]]:
    """The last whole lines that are objects; none where the file is absent or refused."""
    try:
        start = max(folder.size(path) - TAIL_BYTES, 0)
        text = folder.read(path, start, TAIL_BYTES)
    except (Missing, RunDirError, OSError):
        return
    for line in text.split(b"\n")[1 if start else 0 : -1]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found
