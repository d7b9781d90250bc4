"""What a component asked for against what it used, and advice for the next time in words; what is not known gets no advice.

All figures are of one node: the one that used most. Memory's peak is the larger of the launcher's samples (every 10 s) and
sacct's MaxRSS (sampled too), so a size is advised with half as much again as room.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from portal.domain.gpuuse import BUSY_PERCENT
from portal.domain.usage import Meter
from slurm.units import memory_text

LEAST_SPAN_S: Final = 20.0
"""A component that was measured for less says nothing about the next run."""
ROOM: Final = 1.5
NEARLY_ALL: Final = 0.9
ALL_CORES: Final = 0.95
LITTLE_PERCENT: Final = 25.0
LEAST_MIB: Final = 1024
_MIB_PER_GIB: Final = 1024
NOTE_CHARS: Final = 1000


@dataclass(frozen=True)
class Asked:
    """What a component got on each of its nodes."""

    nodes: int
    cpus: int
    memory_mib: int
    gpus: int
    shards: int = 0


@dataclass(frozen=True)
class Used:
    """What it used there: mean cores, peak memory, the mean of each GPU in percent, peak GPU memory; None: not measured."""

    samples: int = 0
    span_s: float = 0.0
    cores: float | None = None
    peak_memory_mib: float | None = None
    gpu_percent: tuple[float, ...] | None = None
    gpu_memory_mib: float | None = None


@dataclass(frozen=True)
class Advice:
    """One sentence; `code` is stable."""

    code: str
    ko: str
    en: str


@dataclass(frozen=True)
class Report:
    """One component of a run that has ended; `max_rss_mib` is sacct's."""

    step: str
    asked: Asked
    used: Used
    max_rss_mib: int | None = None

    @property
    def peak_memory_mib(self) -> float | None:
        """The larger of both measurements."""
        return max((one for one in (self.used.peak_memory_mib, self.max_rss_mib) if one is not None), default=None)

    @property
    def gpu_mean(self) -> float | None:
        """The mean use of its GPUs in percent."""
        percents = self.used.gpu_percent
        return sum(percents) / len(percents) if percents else None

    @property
    def advice(self) -> tuple[Advice, ...]:
        """Of memory, CPUs and GPUs, in this order; () where nothing is to be said or known."""
        if self.used.span_s < LEAST_SPAN_S:
            return ()
        return tuple(found for found in (_memory(self), _cpus(self), _gpus(self)) if found is not None)


def used_of(meters: Sequence[Meter]) -> Used:
    """One component's use from the meters of its ranks (one a node)."""
    wholes = [meter.whole() for meter in meters]
    percents = [one.gpu_percent for one in wholes]
    return Used(
        samples=sum(meter.samples for meter in meters),
        span_s=max((meter.span_s for meter in meters), default=0.0),
        cores=_most([one.cores for one in wholes]),
        peak_memory_mib=_most([one.peak_memory_mib for one in wholes]),
        gpu_percent=tuple(value for one in percents for value in one or ()) or None,
        gpu_memory_mib=_most([one.gpu_memory_mib for one in wholes]),
    )


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def as_json(asked: Asked, used: Used) -> dict[str, Any]:
    """As an attempt's row keeps it."""
    return {"asked": asdict(asked), "used": asdict(used)}


def report_of(step: str, kept: Mapping[str, Any], max_rss_mib: int | None) -> Report:
    """`kept` is what `as_json` made."""
    used = dict(kept["used"])
    used["gpu_percent"] = None if used["gpu_percent"] is None else tuple(used["gpu_percent"])
    return Report(step, Asked(**kept["asked"]), Used(**used), max_rss_mib)


def _memory(report: Report) -> Advice | None:
    peak, asked = report.peak_memory_mib, report.asked.memory_mib
    if peak is None:
        return None
    said, wanted = _gb(peak), memory_text(asked)
    if peak >= NEARLY_ALL * asked:
        return Advice(
            "memory_nearly_used",
            f"메모리 {wanted} 중 최대 {said}를 사용했습니다. 다음에는 더 요청하세요.",
            f"Peak {said} of {wanted} memory. Ask for more next time.",
        )
    enough = size_for(peak)
    if enough >= asked:
        return None
    return Advice(
        "memory_too_much",
        f"메모리 {wanted} 중 최대 {said} 사용. 다음에는 {memory_text(enough)}로 충분합니다.",
        f"Peak {said} of {wanted} memory. {memory_text(enough)} would do.",
    )


def size_for(peak_mib: float) -> int:
    """The smallest power of two in GB that leaves room: 9 GB -> 16 GB, 41 GB -> 64 GB."""
    wanted = max(peak_mib * ROOM, LEAST_MIB) / _MIB_PER_GIB
    return int(2 ** math.ceil(math.log2(wanted))) * _MIB_PER_GIB


def _cpus(report: Report) -> Advice | None:
    cores, asked = report.used.cores, report.asked.cpus
    if cores is None:
        return None
    enough = max(1, math.ceil(cores * ROOM))
    if 2 * enough <= asked:
        return Advice(
            "cpus_too_many",
            f"CPU {asked}개 중 평균 {cores:.1f}개 사용. 다음에는 {enough}개로 충분합니다.",
            f"{cores:.1f} of {asked} CPUs busy on average. {enough} would do.",
        )
    if cores >= ALL_CORES * asked:
        return Advice(
            "cpus_all_busy",
            f"CPU {asked}개를 모두 쉬지 않고 사용했습니다. 더 요청하면 빨라질 수 있습니다.",
            f"All {asked} CPUs were busy throughout. More may be faster.",
        )
    return None


def _gpus(report: Report) -> Advice | None:
    """Only where every GPU was measured, and none is a share: what others did on the same GPU is in its figure."""
    percents, asked = report.used.gpu_percent, report.asked.gpus * report.asked.nodes
    if not percents or not asked or len(percents) != asked or report.asked.shards:
        return None
    busy = sum(one >= BUSY_PERCENT for one in percents)
    if busy == 0:
        return Advice(
            "gpus_unused",
            f"GPU {asked}기를 거의 사용하지 않았습니다. 이 컴포넌트에 GPU가 필요한지 확인하세요.",
            f"None of the {asked} GPUs worked. Check that this component needs GPUs.",
        )
    if busy < asked:
        return Advice(
            "gpus_idle",
            f"GPU {asked}기 중 {busy}기만 일했습니다. 다음에는 {busy}기로 충분합니다.",
            f"{busy} of {asked} GPUs worked. {busy} would do.",
        )
    mean = sum(percents) / len(percents)
    if mean < LITTLE_PERCENT:
        return Advice(
            "gpus_little_used",
            f"GPU {asked}기를 평균 {mean:.0f}%만 사용했습니다. 더 적은 GPU나 분할 GPU로 충분할 수 있습니다.",
            f"The {asked} GPUs worked at {mean:.0f} % on average. Fewer, or a share, may do.",
        )
    return None


def _gb(mib: float) -> str:
    """`9GB`, `9.2GB`, `640MB`."""
    return f"{mib / _MIB_PER_GIB:.3g}GB" if mib >= _MIB_PER_GIB else f"{mib:.0f}MB"


def note(workload: str, reports: Sequence[Report]) -> str:
    """What sacct shows of one Slurm job: `W-A1B2C3 used of asked: TASK-001/SIM-001 cpu 0.4/2 mem 9.1GB/128GB gpu 12%/4`.

    A figure that is not known is `?`; components beyond NOTE_CHARS are counted.
    """
    text, left = f"{workload} used of asked:", len(reports)
    for report in reports:
        part = f" {_part(report)};"
        if len(text) + len(part) > NOTE_CHARS:
            break
        text, left = text + part, left - 1
    return text.rstrip(";") + (f" and {left} more" if left else "")


def _part(report: Report) -> str:
    return " ".join((report.step, *_figures(report)))


def _figures(report: Report) -> Iterator[str]:
    asked, used = report.asked, report.used
    yield f"cpu {'?' if used.cores is None else f'{used.cores:.1f}'}/{asked.cpus}"
    peak = report.peak_memory_mib
    yield f"mem {'?' if peak is None else _gb(peak)}/{memory_text(asked.memory_mib)}"
    if asked.gpus:
        yield f"gpu {'?' if report.gpu_mean is None else f'{report.gpu_mean:.0f}%'}/{asked.gpus * asked.nodes}"
