"""What the components of a run really use, from their launchers' samples; what nobody measured is None, never 0."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.db.models import Attempt, Workload
from portal.rundir import Missing, RunDir, RunDirError
from portal.services.runfolder import run_folder
from portal.settings import Settings
from slurm.submission import MAX_COMPONENTS

TAIL_BYTES = 8 << 10
"""About the last half hour of one rank."""
WINDOW_S = 300.0
"""GPU use is the mean of this long (D17)."""
RUNNING = "running"
BUSY_PERCENT = 5.0
"""A GPU whose mean use reaches this is in use."""
Sample = Mapping[str, Any]


@dataclass(frozen=True)
class Use:
    """What one component uses over all its ranks: memory now and at most, cores over the last minutes, GPUs.

    `gpu_percent` has one mean for each GPU that was measured; None where a figure was not measured.
    """

    memory_mib: float | None = None
    peak_memory_mib: float | None = None
    cores: float | None = None
    gpu_percent: tuple[float, ...] | None = None
    gpu_memory_mib: float | None = None

    @property
    def busy_gpus(self) -> int | None:
        """How many of its GPUs are in use."""
        return None if self.gpu_percent is None else sum(one >= BUSY_PERCENT for one in self.gpu_percent)


def folder_of(settings: Settings, workload: Workload, attempt: Attempt) -> RunDir | None:
    """The attempt's run directory; None where it cannot be read from here."""
    try:
        return run_folder(settings, workload, attempt)
    except RunDirError:
        return None


def of_run(folder: RunDir, workload: Workload, attempt: Attempt, *, running: bool = False) -> dict[str, Use]:
    """Step id -> its use, for the steps that began, or for those that run now; blocking."""
    report: Mapping[str, Any] = attempt.report or {}
    passes = workload.options.get("iterations", 1)
    inside = f"i{min(len(report.get('iterations', ())) + 1, passes)}/" if passes > 1 else ""
    return {
        step: _of_step(folder, f"{inside}steps/{step}/t{found['try']}", len(found.get("hosts") or ()) or 1)
        for step, found in report.get("steps", {}).items()
        if found.get("try") and (not running or found.get("state") == RUNNING)
    }


def _of_step(folder: RunDir, place: str, ranks: int) -> Use:
    return joined(
        [of_samples(_tail(folder, f"{place}/usage.{rank}.jsonl")) for rank in range(min(ranks, MAX_COMPONENTS))]
    )


def _tail(folder: RunDir, path: str) -> list[Sample]:
    """The last whole lines; none where the file is absent or refused."""
    try:
        start = max(folder.size(path) - TAIL_BYTES, 0)
        text = folder.read(path, start, TAIL_BYTES)
    except (Missing, RunDirError, OSError):
        return []
    lines = text.split(b"\n")[1 if start else 0 : -1]
    return [sample for line in lines if (sample := _sample(line)) is not None]


def _sample(line: bytes) -> Sample | None:
    """`{"t": 1.0, "cpu_s": 3.1, "rss_mib": 900.0, "gpus": [{"index": 0, "util": 91, "mem_mib": 30000}]}`."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    fits = isinstance(found, dict) and all(_is_number(found.get(name)) for name in ("t", "cpu_s", "rss_mib"))
    return found if fits else None


def of_samples(samples: Sequence[Sample]) -> Use:
    """One rank's use from its samples, oldest first."""
    if not samples:
        return Use()
    newest = samples[-1]
    recent = [sample for sample in samples if newest["t"] - sample["t"] <= WINDOW_S]
    span = newest["t"] - recent[0]["t"]
    cores = (newest["cpu_s"] - recent[0]["cpu_s"]) / span if span > 0 else None
    memory = [float(gpu["mem_mib"]) for gpu in _gpus(newest) if _is_number(gpu.get("mem_mib"))]
    return Use(
        memory_mib=float(newest["rss_mib"]),
        peak_memory_mib=max(float(sample["rss_mib"]) for sample in samples),
        cores=None if cores is None else max(cores, 0.0),
        gpu_percent=_gpu_percent(recent),
        gpu_memory_mib=sum(memory) if memory else None,
    )


def _gpu_percent(samples: Iterable[Sample]) -> tuple[float, ...] | None:
    seen: dict[int, list[float]] = {}
    for sample in samples:
        for gpu in _gpus(sample):
            if isinstance(gpu.get("index"), int) and _is_number(gpu.get("util")):
                seen.setdefault(gpu["index"], []).append(float(gpu["util"]))
    return tuple(sum(values) / len(values) for _, values in sorted(seen.items())) if seen else None


def _gpus(sample: Sample) -> list[dict[str, Any]]:
    found = sample.get("gpus")
    return [gpu for gpu in found if isinstance(gpu, dict)] if isinstance(found, list) else []


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def joined(parts: Sequence[Use]) -> Use:
    """Several ranks or components as one; a figure that one of them lacks is unknown for all."""
    percents = [part.gpu_percent for part in parts]
    known = [one for one in percents if one is not None]
    return Use(
        memory_mib=_sum([part.memory_mib for part in parts]),
        peak_memory_mib=_sum([part.peak_memory_mib for part in parts]),
        cores=_sum([part.cores for part in parts]),
        gpu_percent=tuple(value for one in known for value in one) if known else None,
        gpu_memory_mib=_sum([part.gpu_memory_mib for part in parts]),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def peaks(settings: Settings, workload: Workload) -> dict[str, float]:
    """Step id -> peak memory in MiB of the last attempt: the larger of sacct's MaxRSS and the launcher's samples."""
    if not workload.attempts:
        return {}
    attempt = workload.attempts[-1]
    folder = folder_of(settings, workload, attempt)
    uses = of_run(folder, workload, attempt) if folder else {}
    found = {step: use.peak_memory_mib for step, use in uses.items()}
    for job in attempt.jobs:
        for row in (job.accounting or {}).get("rows", ()):
            for step in row.get("steps", ()):
                known = (found.get(step["name"]), step.get("max_rss_mib"))
                found[step["name"]] = max((value for value in known if value is not None), default=None)
    return {step: value for step, value in found.items() if value is not None}
