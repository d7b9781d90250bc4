"""Charts of the portal's samples: of the whole cluster and of one node; where nothing was sampled there is a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from portal.domain.samples import RANGES, Sample
from portal.services.cluster import Amount, ClusterView, NodeView
from portal.services.clusteruse import CPU, GPU, MEMORY, QUEUE, SIMULATED
from portal.web.catalogue import N_
from portal.web.charts import Chart, Goal, Line, Mark
from portal.web.formats import Formats
from portal.web.labels import LABELS

SPANS = {"1h": N_("1 hour"), "24h": N_("24 hours"), "7d": N_("7 days"), "30d": N_("30 days")}
DEFAULT_SPAN = "24h"
MIB_PER_GB = 1024
Words = Callable[[str], str]


def cluster_charts(
    samples: Sequence[Sample], span: str, view: ClusterView, words: Words, fmt: Formats
) -> Iterator[Chart]:
    """One for each GPU type, then memory, CPU and the queue."""
    marks = tuple(_marks(samples))
    for name, title, unit, factor, amount in _plots(view, words):
        figures = ("allocated", "used", "waiting") if name.startswith(GPU) else ("allocated", "used")
        lines = tuple(_lines(samples, span, name, factor, figures, words))
        yield _chart(title, unit, lines, amount.total * factor, marks, words, fmt)
    queued = Line(words(N_("Waiting workloads")), _points(samples, span, QUEUE, "waiting", 1.0), colour=2, kind="step")
    most = max((value for _, value in queued.points if value is not None), default=None)
    summary = words(N_("At most %(most)s workloads waited.")) % {"most": fmt.number(most)}
    yield Chart(words(N_("Queue")), words(N_("Time")), words(N_("Workloads")), (queued,), summary, time=True, zero=True)


def node_charts(samples: Sequence[Sample], span: str, node: NodeView, words: Words, fmt: Formats) -> Iterator[Chart]:
    """The same of one node: what of it is allocated and, of its GPUs, in use. Memory and cores are not measured by node."""
    marks = tuple(_marks(samples))
    for name, title, unit, factor, amount in _plots(node, words):
        figures = ("allocated", "used") if name.startswith(GPU) else ("allocated",)
        lines = tuple(_lines(samples, span, name, factor, figures, words))
        yield _chart(title, unit, lines, amount.total * factor, marks, words, fmt)


def _plots(there: ClusterView | NodeView, words: Words) -> Iterator[tuple[str, str, str, float, Amount]]:
    """(resource, title, unit, factor to that unit, what there is)."""
    for label, amount in there.gpus.items():
        yield GPU + label, f"GPU ({label})", words(N_("GPUs")), 1.0, amount
    yield MEMORY, words(N_("Memory")), "GB", 1.0 / MIB_PER_GB, there.memory_mib
    yield CPU, "CPU", words(N_("Cores")), 1.0, there.cpus


def _lines(
    samples: Sequence[Sample], span: str, name: str, factor: float, figures: Sequence[str], words: Words
) -> Iterator[Line]:
    drawn = {
        "allocated": Line(words(N_("Allocated")), (), colour=1, kind="step"),
        "used": Line(words(N_("In use")), (), colour=1, kind="area"),
        "waiting": Line(words(N_("Waiting")), (), colour=2, dashed=True),
    }
    for figure in figures:
        yield replace(drawn[figure], points=_points(samples, span, name, figure, factor))


def _chart(
    title: str, unit: str, lines: tuple[Line, ...], total: float, marks: tuple[Mark, ...], words: Words, fmt: Formats
) -> Chart:
    values = [value for _, value in lines[0].points if value is not None]
    summary = words(N_("%(title)s: allocated at most %(most)s, now %(now)s of %(total)s.")) % {
        "title": title,
        "most": fmt.number(max(values, default=None), 1),
        "now": fmt.number(values[-1] if values else None, 1),
        "total": fmt.number(total, 1),
    }
    goals = (Goal(words(N_("Total")), total),) if total else ()
    return Chart(title, words(N_("Time")), unit, lines, summary, goals, marks, time=True, zero=True)


def simulated_titles(samples: Sequence[Sample]) -> Iterator[str]:
    """Titles of the charts in which some figure is made up."""
    for sample in samples:
        for name, figures in sample.reading.items():
            if figures.get(SIMULATED):
                yield f"GPU ({name.removeprefix(GPU)})"


def _points(
    samples: Sequence[Sample], span: str, name: str, figure: str, factor: float
) -> list[tuple[float, float | None]]:
    """Milliseconds and value; a hole in the samples is a hole in the line."""
    step = timedelta(seconds=RANGES[span][1])
    points: list[tuple[float, float | None]] = []
    before: datetime | None = None
    for sample in samples:
        if before is not None and sample.at - before > 1.5 * step:
            points.append(((before + step).timestamp() * 1000, None))
        value = sample.reading.get(name, {}).get(figure)
        points.append((sample.at.timestamp() * 1000, None if value is None else round(value * factor, 2)))
        before = sample.at
    return points


def _marks(samples: Sequence[Sample]) -> Iterator[Mark]:
    """Where a node stopped being active, or changed its way of not being so."""
    before: dict[str, str] = {}
    for number, sample in enumerate(samples):
        for node, state in sample.notes.items():
            if number and before.get(node) != state:
                yield Mark(
                    f"{node} {LABELS.node[state].text if state in LABELS.node else state}", sample.at.timestamp() * 1000
                )
        before = dict(sample.notes)
