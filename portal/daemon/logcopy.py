"""Copies what an attempt wrote about itself (output, events, usage, metrics) from its run directory to S3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from portal.daemon.context import Context
from portal.db.models import Attempt, Workload
from portal.rundir import Missing, Refused, RunDir
from portal.spec.graph import components_of
from portal.spec.load import load_resolved
from portal.store import layout

OUT_FOLDER = ".out"
_TRY = re.compile(r"t\d{1,3}")
_ITERATION = re.compile(r"i\d{1,3}")
_TRY_FILES = re.compile(r"(stdout|stderr)\.log|(events|usage)\.\d{1,5}\.jsonl")
_TOP_FILES = re.compile(r"events\.\d{1,4}\.jsonl|job\.\d{1,4}\.json")
METRICS = "metrics.jsonl"


def output_name(workload_id: str, attempt: int, job_index: int) -> str:
    """The batch job's own output in the shared flat folder."""
    return f"{workload_id}-a{attempt}-j{job_index}.log"


async def copy_logs(context: Context, workload: Workload, attempt: Attempt) -> list[str]:
    """Copy all logs; returns what was refused, each with its reason. Raises StoreError; may be repeated."""
    unix_user = workload.owner.unix_user or ""
    rundir = context.rundir(attempt.run_dir, unix_user)
    out = context.rundir(str(context.settings.storage.runs / OUT_FOLDER), unix_user)
    refused: list[str] = []
    wanted = [(rundir, name, name) for name in log_files(rundir, workload, refused)]
    for job in attempt.jobs:
        name = output_name(workload.id, attempt.number, job.job_index)
        wanted.append((out, name, f"batch.{job.job_index}.log"))
    prefix = layout.log_prefix(workload.id, attempt.number)
    for folder, path, key in wanted:
        try:
            with folder.stable(path) as reader:
                await context.store.put_file("logs", prefix + key, reader, reader.size)  # type: ignore[arg-type]
        except Missing:
            continue
        except Refused as error:
            if len(refused) < rundir.limits.refusals:
                refused.append(str(error))
    return refused


def log_files(rundir: RunDir, workload: Workload, refused: list[str]) -> list[str]:
    """Paths of all log files of an attempt; only folders that the spec's steps have are looked into.

    What cannot be looked into is added to `refused`, and so is the rest beyond the number of files that are kept.
    """
    found = list(islice(_log_files(rundir, workload, refused), rundir.limits.tree_files + 1))
    if len(found) > rundir.limits.tree_files:
        refused.append(f"{found.pop()} and what comes after it: more than {rundir.limits.tree_files} files")
    return found


def _log_files(rundir: RunDir, workload: Workload, refused: list[str]) -> Iterator[str]:
    top = _names(rundir, ".", refused)
    yield from filter(_TOP_FILES.fullmatch, top)
    spec = load_resolved(workload.resolved or {})
    steps = [f"{task.task_id}/{component.id}" for _path, task, component in components_of(spec)]
    for base in ["", *(f"{name}/" for name in top if _ITERATION.fullmatch(name))]:
        for step in steps:
            yield from _step_files(rundir, f"{base}steps/{step}", refused)


def _step_files(rundir: RunDir, folder: str, refused: list[str]) -> Iterator[str]:
    names = _names(rundir, folder, refused)
    if METRICS in names:
        yield f"{folder}/{METRICS}"
    for attempt in filter(_TRY.fullmatch, names):
        inside = _names(rundir, f"{folder}/{attempt}", refused)
        yield from (str(Path(folder, attempt, name)) for name in inside if _TRY_FILES.fullmatch(name))


def _names(rundir: RunDir, folder: str, refused: list[str]) -> list[str]:
    try:
        return rundir.names(folder)
    except Refused as error:
        if len(refused) < rundir.limits.refusals:
            refused.append(str(error))
        return []
