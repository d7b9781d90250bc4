"""What a step used over time, from its launchers' samples: ranks summed in slots that widen, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

SLOT_S = 10
"""As often as a launcher looks."""
MOST_SLOTS = 4000


@dataclass(frozen=True)
class UsePoint:
    """One moment (epoch seconds) of a step: memory and GPU memory in MiB, cores kept busy, mean use of its GPUs in percent."""

    t: float
    rss_mib: float
    cores: float | None
    gpu_percent: float | None
    gpu_mib: float | None


@dataclass
class UseSeries:
    """The samples of all ranks of one step; the newest one of a rank in a slot counts."""

    _slots: dict[int, dict[int, UsePoint]] = field(default_factory=dict)
    _width_s: int = SLOT_S
    _made: tuple[UsePoint, ...] | None = None

    def add(self, rank: int, point: UsePoint) -> None:
        """Take a sample of a rank."""
        self._made = None
        self._slots.setdefault(int(point.t // self._width_s), {})[rank] = point
        if len(self._slots) > MOST_SLOTS:
            self._widen()

    def points(self) -> tuple[UsePoint, ...]:
        """The step as a whole, in order of time; made anew only after a new sample."""
        if self._made is None:
            self._made = tuple(_together(slot * self._width_s, ranks) for slot, ranks in sorted(self._slots.items()))
        return self._made

    def _widen(self) -> None:
        """Slots of twice the width: half as many."""
        self._width_s *= 2
        kept = sorted(self._of_each_rank(), key=lambda found: found[1].t)
        self._slots = {}
        for rank, point in kept:
            self._slots.setdefault(int(point.t // self._width_s), {})[rank] = point

    def _of_each_rank(self) -> Iterator[tuple[int, UsePoint]]:
        for ranks in self._slots.values():
            yield from ranks.items()


def _together(t: float, ranks: dict[int, UsePoint]) -> UsePoint:
    cores = [one.cores for one in ranks.values() if one.cores is not None]
    percents = [one.gpu_percent for one in ranks.values() if one.gpu_percent is not None]
    gpu_mib = [one.gpu_mib for one in ranks.values() if one.gpu_mib is not None]
    return UsePoint(
        t,
        sum(one.rss_mib for one in ranks.values()),
        sum(cores) if cores else None,
        sum(percents) / len(percents) if percents else None,
        sum(gpu_mib) if gpu_mib else None,
    )
