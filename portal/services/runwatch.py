"""What a run says of itself while it runs: step states, metrics and use, read from its run directory once for all watchers."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import anyio
from anyio import to_thread

from portal.db.models import Attempt, Workload
from portal.domain.metrics import MAX_KEY_CHARS, MAX_METRICS, NOT_METRICS, as_float
from portal.domain.series import MOST_POINTS, Point, thinned, x_of
from portal.domain.usage import Meter, Use, joined
from portal.rundir import RunDir, RunDirError
from portal.services import usage
from portal.services.jsontail import JsonTail
from portal.services.progress import read_progress
from portal.services.runfolder import run_folder
from portal.services.useseries import UsePoint, UseSeries
from portal.settings import Settings

LOOK_INTERVAL_S = 1.0
_KEPT_RUNS = 64
Series = Mapping[str, tuple[Point, ...]]


@dataclass(frozen=True)
class RunNow:
    """One look at a run. `report` is as an attempt keeps it; `trouble` says why the run directory could not be read."""

    report: Mapping[str, Any] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    uses: Mapping[str, Use] = field(default_factory=dict)
    usage: Mapping[str, tuple[UsePoint, ...]] = field(default_factory=dict)
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
            run.read(folder(), workload, report or {})
        except (RunDirError, OSError) as error:
            return RunNow(report=attempt.report or {}, trouble=str(error))
        return run.shown(report or {})


@dataclass
class _Rank:
    """The use of one rank so far."""

    tail: JsonTail
    meter: Meter = field(default_factory=Meter)


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
    used: UseSeries = field(default_factory=UseSeries)

    def read(self, folder: RunDir) -> None:
        """Take what is new."""
        for line in self.metrics.new(folder):
            self.lines += 1
            self._take(line)
        for line in self.launcher.new(folder):
            if line.get("event") == "started" and isinstance(line.get("gpus"), list):
                self.gpus = tuple(index for index in line["gpus"] if isinstance(index, int))
        for number, rank in enumerate(self.ranks):
            for line in rank.tail.new(folder):
                if rank.meter.take(line):
                    self.used.add(number, _point(rank.meter))

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
        said = [rank.meter for rank in self.ranks if rank.meter.samples]
        return joined([meter.now() for meter in said]) if said else None


@dataclass
class _Run:
    """All that was read of one attempt."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    at: float = -math.inf
    now: RunNow = field(default_factory=RunNow)
    steps: dict[str, _Step] = field(default_factory=dict)

    def read(self, folder: RunDir, workload: Workload, report: Mapping[str, Any]) -> None:
        """Take what is new of every step that has begun. Raises Refused, OSError."""
        base = usage.base_of(workload, report)
        for step, said in report.get("steps", {}).items():
            if said.get("started") is None:
                continue
            place = f"{base}steps/{step}/t{said['try']}"
            if step not in self.steps or self.steps[step].place != place:
                self.steps[step] = _new_step(place, f"{base}steps/{step}", usage.files(workload, report, step, said))
            self.steps[step].read(folder)

    def shown(self, report: Mapping[str, Any]) -> RunNow:
        """The look that watchers get."""
        series = {
            step: {key: tuple(points) for key, points in read.points.items()} for step, read in self.steps.items()
        }
        uses = {step: use for step, read in self.steps.items() if (use := read.use()) is not None}
        said = repr((report, uses, [(step, read.lines, read.gpus) for step, read in self.steps.items()]))
        gpus = {step: read.gpus for step, read in self.steps.items()}
        usage = {step: read.used.points() for step, read in self.steps.items()}
        return RunNow(report, series, uses, usage, gpus, "", sha256(said.encode()).hexdigest()[:16])


def _new_step(place: str, folder: str, samples: Sequence[str]) -> _Step:
    ranks = [_Rank(JsonTail(path)) for path in samples]
    return _Step(place, JsonTail(f"{folder}/metrics.jsonl"), JsonTail(f"{place}/events.0.jsonl"), ranks)


def _point(meter: Meter) -> UsePoint:
    """The newest sample of a rank."""
    sample, cores = meter.newest()
    known = [gpu.percent for gpu in sample.gpus if gpu.percent is not None]
    return UsePoint(
        t=sample.t,
        rss_mib=sample.memory_mib,
        cores=cores,
        gpu_percent=sum(known) / len(known) if known else None,
        gpu_mib=sample.gpu_memory_mib,
    )
