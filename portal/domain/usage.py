"""What a launcher's samples say of one rank's use, taken one by one in constant memory; what nobody measured is None, never 0.

A sample is one line of usage.<rank>.jsonl (docs/architecture.md, "Events"):
    {"t": 1.0, "cpu_s": 3.1, "rss_mib": 900.0, "gpus": [{"index": 0, "util": 91, "mem_mib": 30000}]}
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from portal.domain.gpuuse import BUSY_PERCENT
from portal.domain.metrics import as_float

WINDOW_S: Final = 300.0
"""Use "now" is the mean of this long (D17)."""
_WINDOW_SAMPLES: Final = 1000
_MOST: Final = 1e15
"""No machine has more MiB or CPU seconds: a larger figure, or none, is a broken line, which a user's process can write."""


@dataclass(frozen=True)
class Use:
    """What one rank, or several of them together, uses: memory now and at most, cores, GPUs.

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

    @property
    def gpu_mean(self) -> float | None:
        """The mean use of its GPUs in percent."""
        return sum(self.gpu_percent) / len(self.gpu_percent) if self.gpu_percent else None


@dataclass(frozen=True)
class Gpu:
    """One GPU of a sample; None: not told."""

    index: int
    percent: float | None
    memory_mib: float | None


@dataclass(frozen=True)
class Sample:
    """One line, checked."""

    t: float
    cpu_s: float
    memory_mib: float
    gpus: tuple[Gpu, ...]

    @property
    def gpu_memory_mib(self) -> float | None:
        """Over its GPUs; None where none told."""
        known = [gpu.memory_mib for gpu in self.gpus if gpu.memory_mib is not None]
        return sum(known) if known else None


def sample_of(line: Mapping[str, Any]) -> Sample | None:
    """The line as a sample; None for one that is no such line."""
    t, cpu_s, memory = (_number(line.get(name)) for name in ("t", "cpu_s", "rss_mib"))
    if t is None or cpu_s is None or memory is None:
        return None
    found = line.get("gpus")
    gpus = [gpu for gpu in found if isinstance(gpu, dict)] if isinstance(found, list) else []
    return Sample(t, cpu_s, memory, tuple(_gpu(gpu) for gpu in gpus if isinstance(gpu.get("index"), int)))


def _gpu(found: Mapping[str, Any]) -> Gpu:
    return Gpu(found["index"], _number(found.get("util")), _number(found.get("mem_mib")))


def _number(value: object) -> float | None:
    number = as_float(value)
    return number if 0 <= number <= _MOST else None


@dataclass
class Meter:
    """One rank's samples so far: the last minutes, and sums over the whole run."""

    _recent: deque[Sample] = field(default_factory=lambda: deque(maxlen=_WINDOW_SAMPLES))
    _first: Sample | None = None
    samples: int = 0
    _peak_mib: float = 0.0
    _gpu_peak_mib: float | None = None
    _gpu_sums: dict[int, tuple[float, int]] = field(default_factory=dict)

    def take(self, line: Mapping[str, Any]) -> bool:
        """The next line of the file; False for one that is no sample, which is passed over."""
        sample = sample_of(line)
        if sample is None:
            return False
        self._first = self._first or sample
        self.samples += 1
        self._recent.append(sample)
        while sample.t - self._recent[0].t > WINDOW_S:
            self._recent.popleft()
        self._peak_mib = max(self._peak_mib, sample.memory_mib)
        if sample.gpu_memory_mib is not None:
            self._gpu_peak_mib = max(self._gpu_peak_mib or 0.0, sample.gpu_memory_mib)
        for gpu in sample.gpus:
            if gpu.percent is not None:
                total, count = self._gpu_sums.get(gpu.index, (0.0, 0))
                self._gpu_sums[gpu.index] = total + gpu.percent, count + 1
        return True

    def newest(self) -> tuple[Sample, float | None]:
        """The newest sample, of which there must be one, and the cores that were busy since the one before."""
        last = self._recent[-1]
        return last, _cores(self._recent[-2], last) if len(self._recent) > 1 else None

    def take_all(self, lines: Iterable[Mapping[str, Any] | None]) -> Meter:
        """Those of `lines` that are objects, in order."""
        for line in lines:
            if line is not None:
                self.take(line)
        return self

    @property
    def span_s(self) -> float:
        """From the first sample to the newest."""
        return self._recent[-1].t - self._first.t if self._first else 0.0

    def now(self) -> Use:
        """The use of the last minutes."""
        if not self._recent:
            return Use()
        newest = self._recent[-1]
        return Use(
            memory_mib=newest.memory_mib,
            peak_memory_mib=self._peak_mib,
            cores=_cores(self._recent[0], newest),
            gpu_percent=_means(self._recent),
            gpu_memory_mib=newest.gpu_memory_mib,
        )

    def whole(self) -> Use:
        """The use of the whole run: means of cores and GPUs, peaks of memory."""
        if self._first is None:
            return Use()
        means = tuple(total / count for _, (total, count) in sorted(self._gpu_sums.items()))
        return Use(
            memory_mib=self._recent[-1].memory_mib,
            peak_memory_mib=self._peak_mib,
            cores=_cores(self._first, self._recent[-1]),
            gpu_percent=means or None,
            gpu_memory_mib=self._gpu_peak_mib,
        )


def _cores(first: Sample, last: Sample) -> float | None:
    """How many cores were busy between two samples; CPU seconds never fall (slurm/inside/launcher.py)."""
    span = last.t - first.t
    return max(last.cpu_s - first.cpu_s, 0.0) / span if span > 0 else None


def _means(samples: Iterable[Sample]) -> tuple[float, ...] | None:
    seen: dict[int, list[float]] = {}
    for sample in samples:
        for gpu in sample.gpus:
            if gpu.percent is not None:
                seen.setdefault(gpu.index, []).append(gpu.percent)
    return tuple(sum(values) / len(values) for _, values in sorted(seen.items())) or None


def joined(parts: Sequence[Use]) -> Use:
    """Several ranks or components as one; a figure that one of them lacks is unknown for all."""
    known = [part.gpu_percent for part in parts if part.gpu_percent is not None]
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
