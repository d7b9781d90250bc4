"""The series that a run reported of itself: from its run directory until its logs are in S3, from there afterwards; with caps."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread

from portal.db.models import Attempt, Workload
from portal.domain.metrics import MAX_KEY_CHARS, MAX_METRICS, NOT_METRICS, as_float
from portal.domain.series import Point, x_of
from portal.rundir import RunDirError
from portal.services.logsource import BUCKET, steps_of
from portal.services.models import storage_unavailable
from portal.services.runfolder import run_folder
from portal.settings import Settings
from portal.store.layout import log_prefix
from portal.store.s3 import ObjectMissing, ObjectStore, StoreError

MAX_BYTES = 8 << 20
MAX_LINES = 50_000
"""Of one step's file; what is beyond is left out and said so."""
METRICS = "metrics.jsonl"
Lines = list[Mapping[str, Any]]


@dataclass(frozen=True)
class RunMetrics:
    """Metric name -> its points; a name that several steps report has the step with it. `notes` say what was left out."""

    series: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


async def read(settings: Settings, store: ObjectStore, workload: Workload) -> RunMetrics:
    """What the newest attempt reported; nothing before it begins. Raises Unavailable."""
    if not workload.attempts:
        return RunMetrics()
    attempt = workload.attempts[-1]
    by_step: dict[str, dict[str, tuple[Point, ...]]] = {}
    notes: list[str] = []
    for step in steps_of(workload):
        lines, note = await _lines(settings, store, workload, attempt, step)
        by_step[step] = await to_thread.run_sync(points_of, lines)
        notes += [f"{step}: {note}"] if note else []
    return RunMetrics(_named(by_step), tuple(notes))


def points_of(lines: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Point, ...]]:
    """Every numeric key's finite values at their episode, step or line number."""
    found: dict[str, list[Point]] = {}
    for number, line in enumerate(lines, 1):
        x = x_of(line, number)
        for key, value in line.items():
            y = as_float(value)
            if math.isfinite(y) and _is_name(key) and (key in found or len(found) < MAX_METRICS):
                found.setdefault(key, []).append((x, y))
    return {key: tuple(points) for key, points in found.items()}


def _is_name(key: str) -> bool:
    return key not in NOT_METRICS and len(key) <= MAX_KEY_CHARS and key.isprintable()


def _named(by_step: Mapping[str, Mapping[str, tuple[Point, ...]]]) -> dict[str, tuple[Point, ...]]:
    counts: dict[str, int] = {}
    for series in by_step.values():
        for name in series:
            counts[name] = counts.get(name, 0) + 1
    return {
        name if counts[name] == 1 else f"{name} ({step})": points
        for step, series in by_step.items()
        for name, points in series.items()
    }


async def _lines(
    settings: Settings, store: ObjectStore, workload: Workload, attempt: Attempt, step: str
) -> tuple[Lines, str]:
    """The step's lines, and why some of them are left out."""
    path = f"steps/{step}/{METRICS}"
    if attempt.logs_saved_at is None:
        return await to_thread.run_sync(_from_run_dir, settings, workload, attempt, path)
    key = log_prefix(workload.id, attempt.number) + path
    try:
        size = (await store.stat(BUCKET, key)).size
        wanted = min(size, MAX_BYTES)
        chunks = [chunk async for chunk in store.iter_bytes(BUCKET, key, 0, wanted)] if wanted else []
    except ObjectMissing:
        return [], ""
    except StoreError as error:
        raise storage_unavailable() from error
    return await to_thread.run_sync(_parsed, b"".join(chunks), size)


def _parsed(text: bytes, size: int) -> tuple[Lines, str]:
    """The whole lines of what was read of a file of `size` bytes."""
    whole = text if size <= len(text) else text[: text.rfind(b"\n") + 1]
    lines = whole.split(b"\n")
    is_cut = size > len(text) or len(lines) > MAX_LINES
    return [line for line in map(_object, lines[:MAX_LINES]) if line is not None], _CUT if is_cut else ""


def _from_run_dir(settings: Settings, workload: Workload, attempt: Attempt, path: str) -> tuple[Lines, str]:
    found: Lines = []
    try:
        lines = run_folder(settings, workload, attempt).json_lines(path, max_bytes=MAX_BYTES, max_lines=MAX_LINES)
        found.extend(line for line in lines if line is not None)
    except (RunDirError, OSError) as error:
        return found, str(error)
    return found, ""


_CUT = f"only its first {MAX_BYTES >> 20} MiB or {MAX_LINES:,} lines"


def _object(line: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line) if line.strip() else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
