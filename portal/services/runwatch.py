"""What a run says of itself while it runs: step states, metrics and use, read from its run directory once for all watchers."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import anyio
from anyio import to_thread

from portal.db.models import Attempt, Workload
from portal.domain.metrics import MAX_KEY_CHARS, MAX_METRICS, NOT_METRICS, as_float
from portal.domain.series import MOST_POINTS, Point, thinned, x_of
from portal.rundir import RunDir, RunDirError
from portal.services.jsontail import JsonTail
from portal.services.progress import read_progress
from portal.services.runfolder import run_folder
from portal.settings import Settings

LOOK_INTERVAL_S = 1.0
_KEPT_RUNS = 64
_MOST_RANKS = 8
"""Ranks of one step whose use is read; more are larger runs whose ranks do the same."""
Series = Mapping[str, tuple[Point, ...]]


@dataclass(frozen=True)
class Use:
    """What one step uses: the newest samples of its ranks summed, the most memory ever, the mean use of its GPUs in percent."""

    rss_mib: float
    peak_mib: float
    cores: float | None
    gpu_percent: float | None
    gpu_mib: float | None


@dataclass(frozen=True)
class RunNow:
    """One look at a run. `report` is as an attempt keeps it; `trouble` says why the run directory could not be read."""

    report: Mapping[str, Any] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    uses: Mapping[str, Use] = field(default_factory=dict)
    gpus: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    trouble: str = ""
    mark: str = ""


class RunWatch:
    """The newest look at each watched run; whoever asks within LOOK_INTERVAL_S gets the same one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runs: dict[tuple[str, int], _Run] = {}

    async def look(self, workload: Workload, attempt: Attempt | None) -> RunNow:
        """The run as it is now; nothing of it where no attempt has begun."""
        if attempt is None:
            return RunNow()
        key = (workload.id, attempt.number)
        run = self._runs.pop(key, None) or _Run()
        self._runs[key] = run  # the newest stands last
        while len(self._runs) > _KEPT_RUNS:
            del self._runs[next(iter(self._runs))]
        async with run.lock:
            if time.monotonic() - run.at >= LOOK_INTERVAL_S:
                run.now = await to_thread.run_sync(self._read, run, workload, attempt)
                run.at = time.monotonic()
        return run.now

    def _read(self, run: _Run, workload: Workload, attempt: Attempt) -> RunNow:
        folder = functools.partial(run_folder, self._settings, workload, attempt)
        try:
            report = attempt.report if attempt.outcome else read_progress(folder, workload, attempt).as_json()
            run.read(folder(), report or {}, _base(workload, report or {}))
        except (RunDirError, OSError) as error:
            return RunNow(report=attempt.report or {}, trouble=str(error))
        return run.shown(report or {})


@dataclass
class _Rank:
    """The use of one rank so far."""

    tail: JsonTail
    newest: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    peak_mib: float = 0.0


@dataclass
class _Step:
    """The files of one try of a step, and what they have said."""

    place: str
    metrics: JsonTail
    launcher: JsonTail
    ranks: list[_Rank]
    gpus: tuple[int, ...] = ()
    lines: int = 0
    points: dict[str, list[Point]] = field(default_factory=dict)

    def read(self, folder: RunDir) -> None:
        """Take what is new."""
        for line in self.metrics.new(folder):
            self.lines += 1
            self._take(line)
        for line in self.launcher.new(folder):
            if line.get("event") == "started" and isinstance(line.get("gpus"), list):
                self.gpus = tuple(index for index in line["gpus"] if isinstance(index, int))
        for rank in self.ranks:
            for line in rank.tail.new(folder):
                rank.before, rank.newest = rank.newest, line
                rank.peak_mib = max(rank.peak_mib, _finite(line.get("rss_mib")))

    def _take(self, line: Mapping[str, Any]) -> None:
        x = x_of(line, self.lines)
        for key, value in line.items():
            number = as_float(value)
            if not math.isfinite(number) or key in NOT_METRICS or len(key) > MAX_KEY_CHARS or not key.isprintable():
                continue
            if key not in self.points and len(self.points) >= MAX_METRICS:
                continue
            points = self.points.setdefault(key, [])
            points.append((x, number))
            if len(points) > 2 * MOST_POINTS:
                points[:] = thinned(points, MOST_POINTS)

    def use(self) -> Use | None:
        """None before the first sample."""
        said = [rank for rank in self.ranks if rank.newest]
        if not said:
            return None
        gpus = [gpu for rank in said for gpu in rank.newest.get("gpus") or () if isinstance(gpu, dict)]
        cores = [_cores(rank) for rank in said]
        known = [value for value in cores if value is not None]
        return Use(
            rss_mib=sum(_finite(rank.newest.get("rss_mib")) for rank in said),
            peak_mib=max(rank.peak_mib for rank in said),
            cores=sum(known) if known else None,
            gpu_percent=sum(_finite(gpu.get("util")) for gpu in gpus) / len(gpus) if gpus else None,
            gpu_mib=sum(_finite(gpu.get("mem_mib")) for gpu in gpus) if gpus else None,
        )


@dataclass
class _Run:
    """All that was read of one attempt."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    at: float = -math.inf
    now: RunNow = field(default_factory=RunNow)
    steps: dict[str, _Step] = field(default_factory=dict)

    def read(self, folder: RunDir, report: Mapping[str, Any], base: str) -> None:
        """Take what is new of every step that has begun. Raises Refused, OSError."""
        for step, said in report.get("steps", {}).items():
            if said.get("started") is None:
                continue
            place = f"{base}steps/{step}/t{said['try']}"
            if step not in self.steps or self.steps[step].place != place:
                self.steps[step] = _new_step(place, f"{base}steps/{step}", len(said.get("hosts") or [""]))
            self.steps[step].read(folder)

    def shown(self, report: Mapping[str, Any]) -> RunNow:
        """The look that watchers get."""
        series = {
            step: {key: tuple(points) for key, points in read.points.items()} for step, read in self.steps.items()
        }
        uses = {step: use for step, read in self.steps.items() if (use := read.use()) is not None}
        said = repr((report, uses, [(step, read.lines, read.gpus) for step, read in self.steps.items()]))
        gpus = {step: read.gpus for step, read in self.steps.items()}
        return RunNow(report, series, uses, gpus, "", sha256(said.encode()).hexdigest()[:16])


def _base(workload: Workload, report: Mapping[str, Any]) -> str:
    """A general test has a folder a pass (docs/architecture.md, "Run directory"): that of the newest one."""
    passes = int(workload.options.get("iterations", 1))
    return "" if passes == 1 else f"i{min(len(report.get('iterations', ())) + 1, passes)}/"


def _new_step(place: str, folder: str, ranks: int) -> _Step:
    tails = [_Rank(JsonTail(f"{place}/usage.{rank}.jsonl")) for rank in range(min(ranks, _MOST_RANKS))]
    return _Step(place, JsonTail(f"{folder}/metrics.jsonl"), JsonTail(f"{place}/events.0.jsonl"), tails)


def _cores(rank: _Rank) -> float | None:
    """How many cores the rank kept busy between its last two samples."""
    seconds = _finite(rank.newest.get("t")) - _finite(rank.before.get("t"))
    used = _finite(rank.newest.get("cpu_s")) - _finite(rank.before.get("cpu_s"))
    return used / seconds if rank.before and seconds > 0 and used >= 0 else None


def _finite(value: object) -> float:
    number = as_float(value)
    return number if math.isfinite(number) else 0.0
