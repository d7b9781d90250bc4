"""How busy every GPU is, as the daemon last read it from Prometheus; what no exporter tells is unknown, never 0."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from portal.domain.gpuuse import GpuReading, types_of
from portal.services import reports
from portal.services.cluster import ClusterView, NodeView
from portal.settings import Settings

FRESH = timedelta(seconds=60)
"""The daemon asks every 15 s; older than this, a reading is none of the present."""
_READINGS = TypeAdapter(tuple[GpuReading, ...])


@dataclass(frozen=True)
class GpuUse:
    """The readings of one moment. `problem` says why there are none; "" where there are, or where an exporter is missing."""

    at: datetime | None
    readings: tuple[GpuReading, ...] = ()
    problem: str = ""

    def of_node(self, name: str) -> tuple[GpuReading, ...]:
        """The node's GPUs that have a figure."""
        return tuple(one for one in self.readings if one.node == name)

    def of_jobs(self, job_ids: Collection[int]) -> tuple[GpuReading, ...]:
        """The GPUs that the exporter says are held by one of these Slurm jobs."""
        return tuple(one for one in self.readings if not set(one.jobs).isdisjoint(job_ids))


@dataclass(frozen=True)
class TypeUse:
    """One GPU type: how many are in use, how many of those allocated have a figure, and whether figures are made up."""

    busy: int
    measured: int
    simulated: bool


async def store(session: AsyncSession, readings: tuple[GpuReading, ...], problem: str = "") -> None:
    """Keep what Prometheus said, or why it said nothing."""
    content = {"readings": _READINGS.dump_python(readings, mode="json"), "problem": problem}
    await reports.write(session, reports.GPUS, content)


async def newest(session: AsyncSession, settings: Settings) -> GpuUse | None:
    """The present; None where no Prometheus is configured. With one that says nothing it has no readings."""
    if not settings.monitoring.prometheus:
        return None
    found = await reports.read(session, reports.GPUS, FRESH)
    if found is None:
        return GpuUse(None, (), "the daemon has not asked Prometheus within a minute")
    at, content = found
    return GpuUse(at, _READINGS.validate_python(content["readings"]), content["problem"])


def by_type(view: ClusterView, use: GpuUse) -> Mapping[str, TypeUse]:
    """GPU type -> its use; a type without one measured node is absent. A node counts when each of its GPUs has a figure."""
    found: dict[str, TypeUse] = {}
    for node in view.nodes:
        seen = of_node(node, use)
        for label, amount in node.gpus.items() if seen is not None else ():
            ours = [one for one in seen or () if one.label == label]
            before = found.get(label, TypeUse(0, 0, False))
            found[label] = TypeUse(
                before.busy + sum(one.reading.is_busy for one in ours),
                before.measured + amount.allocated,
                before.simulated or any(one.reading.is_simulated for one in ours),
            )
    return found


@dataclass(frozen=True)
class NodeGpu:
    """One GPU of a node: Slurm's type of it as the site calls it, and what it does."""

    label: str
    reading: GpuReading


def of_node(node: NodeView, use: GpuUse) -> tuple[NodeGpu, ...] | None:
    """All GPUs of a node; None: one of them has no figure, or DCGM's models do not say which of Slurm's types each is."""
    seen = use.of_node(node.name)
    labels = types_of([one.model for one in seen], {label: amount.total for label, amount in node.gpus.items()})
    return tuple(map(NodeGpu, labels, seen)) if labels else None


def labels(view: ClusterView, use: GpuUse) -> Mapping[tuple[str, int], str]:
    """(node, index) -> type, of every GPU with a figure whose type is known: on a node of one type each is."""
    found = {(node.name, one.reading.index): one.label for node in view.nodes for one in of_node(node, use) or ()}
    only = {node.name: next(iter(node.gpus)) for node in view.nodes if len(node.gpus) == 1}
    return {(one.node, one.index): only[one.node] for one in use.readings if one.node in only} | found
