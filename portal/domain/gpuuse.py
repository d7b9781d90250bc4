"""What DCGM's exporter says of each GPU, as values: how busy, how full, how hot, and for which Slurm job."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

BUSY_PERCENT = 5.0
"""A GPU whose mean use over five minutes reaches this is in use (D17)."""
SIMULATED_MODEL = "Simulated"
"""modelName of a GPU that a stand-in makes figures up for begins with this."""
UTIL, MEMORY_USED, MEMORY_FREE, TEMPERATURE = "util", "memory_used", "memory_free", "temperature"
QUERIES: Mapping[str, str] = {
    # A series that has ended is five more minutes in the mean: only GPUs that have a figure now count.
    UTIL: "avg_over_time(DCGM_FI_DEV_GPU_UTIL[5m]) and DCGM_FI_DEV_GPU_UTIL",
    MEMORY_USED: "DCGM_FI_DEV_FB_USED",
    MEMORY_FREE: "DCGM_FI_DEV_FB_FREE",
    TEMPERATURE: "DCGM_FI_DEV_GPU_TEMP",
}
"""What Prometheus is asked. Source: dcgm-exporter's default counters, https://github.com/NVIDIA/dcgm-exporter (4.4)."""
Series = tuple[Mapping[str, str], float]
"""Labels and value of one line of an answer."""


@dataclass(frozen=True)
class GpuReading:
    """One GPU now. `percent` is the mean over five minutes; `jobs` are Slurm's ids, where the exporter is told them."""

    node: str
    index: int
    model: str
    percent: float
    memory_used_mib: float | None = None
    memory_total_mib: float | None = None
    temperature_c: float | None = None
    jobs: tuple[int, ...] = ()

    @property
    def is_busy(self) -> bool:
        """Whether it is in use (D17)."""
        return self.percent >= BUSY_PERCENT

    @property
    def is_simulated(self) -> bool:
        """Whether nobody measured this."""
        return self.model.startswith(SIMULATED_MODEL)


def readings_of(answers: Mapping[str, Iterable[Series]]) -> tuple[GpuReading, ...]:
    """The answers to QUERIES as one value a GPU; without a figure of its use there is none.

    A GPU that several jobs share has a series for each; a line whose labels do not name a GPU is left out.
    """
    found: dict[tuple[str, int], GpuReading] = {}
    for labels, percent in answers.get(UTIL, ()):
        key = _gpu(labels)
        if key is not None:
            before = found.get(key) or GpuReading(*key, labels.get("modelName", ""), percent)
            jobs = sorted({*before.jobs, *_jobs(labels)})
            found[key] = replace(before, percent=max(before.percent, percent), jobs=tuple(jobs))
    used, free, hot = (_by_gpu(answers.get(name, ())) for name in (MEMORY_USED, MEMORY_FREE, TEMPERATURE))
    return tuple(
        replace(
            reading,
            memory_used_mib=used.get(key),
            memory_total_mib=used[key] + free[key] if key in used and key in free else None,
            temperature_c=hot.get(key),
        )
        for key, reading in sorted(found.items())
    )


def types_of(models: Sequence[str], totals: Mapping[str, int]) -> tuple[str, ...] | None:
    """The type of each of a node's GPUs, by their models and how many of each type Slurm counts; None: not to be told.

    On a node of one type nothing is to be told apart. On another each type's words must all be in the GPU's model
    (`A100` in `NVIDIA A100-SXM4-80GB`; the type of most words wins), and as many GPUs must be found as Slurm has.
    """
    if len(totals) == 1:
        found = tuple(label for label in totals for _ in models)
    else:
        found = tuple(_type_of(model, totals) for model in models)
    return found if Counter(found) == Counter(totals) else None


def _type_of(model: str, labels: Iterable[str]) -> str:
    """The one type that the model is of; "" for none, or for several alike."""
    words = _words(model)
    fitting = sorted((-len(_words(label)), label) for label in labels if _words(label) and _words(label) <= words)
    is_clear = len(fitting) == 1 or (len(fitting) > 1 and fitting[0][0] != fitting[1][0])
    return fitting[0][1] if is_clear else ""


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))


def _gpu(labels: Mapping[str, str]) -> tuple[str, int] | None:
    """(node, index) of `{Hostname="dgx1.example.org", gpu="3", ...}`."""
    node, index = labels.get("Hostname", "").partition(".")[0], labels.get("gpu", "")
    return (node, int(index)) if node and index.isdigit() else None


def _jobs(labels: Mapping[str, str]) -> tuple[int, ...]:
    job = labels.get("hpc_job", "")
    return (int(job),) if job.isdigit() else ()


def _by_gpu(series: Iterable[Series]) -> dict[tuple[str, int], float]:
    return {key: value for labels, value in series if (key := _gpu(labels)) is not None}
