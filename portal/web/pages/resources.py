"""P15: the cluster in one picture, its nodes, what each workload really uses, and how it was over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from anyio import to_thread
from litestar import Request, Response, get

from portal.domain.samples import RANGES, Sample
from portal.services import cluster, clusteruse, trends, usage
from portal.services.cluster import Amount, ClusterView, NodeView
from portal.services.clusteruse import CPU, GPU, MEMORY, QUEUE, RunUse
from portal.web.catalogue import N_, translations
from portal.web.charts import Chart, Goal, Line, Mark
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.csvfile import csv_file
from portal.web.formats import Formats
from portal.web.labels import LABELS
from portal.web.pageguards import VISIT
from portal.web.rendering import PageContext, shown
from portal.web.tables import TableQuery

Asked = Request[Any, Any, Any]
TABS = {"nodes": N_("Nodes"), "workloads": N_("By workload"), "trends": N_("Trends")}
NODE_STATES = tuple(LABELS.node)
SPANS = {"1h": N_("1 hour"), "24h": N_("24 hours"), "7d": N_("7 days"), "30d": N_("30 days")}
MIB_PER_GB = 1024
Words = Callable[[str], str]


@dataclass(frozen=True)
class Shown:
    """A row in the units that are read: total = allocated + idle + unavailable."""

    total: int
    allocated: int
    idle: int
    unavailable: int
    used: float | None


@dataclass(frozen=True)
class Resource:
    """One row of the table of 7.2. `used` None: not measured; `measured` is how much of what is allocated it covers."""

    label: str
    unit: str
    amount: Amount
    used: float | None
    measured: float

    @property
    def shown(self) -> Shown:
        """Whole units; what is rounded is made up in the idle ones, so that the row adds up as it is read."""
        size = MIB_PER_GB if self.unit == "memory" else 1
        total, allocated, gone = (
            round(value / size) for value in (self.amount.total, self.amount.allocated, self.amount.unavailable)
        )
        gone = min(gone, total - allocated)
        used = None if self.used is None else self.used / size
        return Shown(total, allocated, total - allocated - gone, gone, used)

    @property
    def partly(self) -> bool:
        """Whether some of what is allocated has no figures."""
        return self.used is not None and self.measured < self.amount.allocated

    @property
    def resting(self) -> float:
        """Allocated, measured, and at rest."""
        return max(min(self.measured, self.amount.allocated) - (self.used or 0), 0)

    @property
    def working(self) -> float:
        """Of what is allocated all that is not known to rest."""
        return self.amount.allocated - self.resting if self.used is not None else self.amount.allocated


@dataclass(frozen=True)
class ResourcesPage(PageContext):
    """P15; each tab has what it shows."""

    template: ClassVar[str] = "resources/resources.html"
    nav: ClassVar[str] = "resources"
    tab: str
    tabs: tuple[tuple[str, str, str], ...]
    query: TableQuery
    view: ClusterView
    measured_at: datetime | None
    rows: tuple[Resource, ...] = field(default=())
    nodes: tuple[NodeView, ...] = field(default=())
    uses: tuple[RunUse, ...] = field(default=())
    charts: tuple[Chart, ...] = field(default=())
    spans: tuple[tuple[str, str, str], ...] = field(default=())
    types: tuple[str, ...] = field(default=())


@get("/resources", guards=[VISIT], include_in_schema=False)
async def resources_page(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame
) -> Response[str]:
    """P15."""
    filters = {"tab": ("summary", *TABS), "range": tuple(RANGES), "state": NODE_STATES, "type": None}
    query = TableQuery.of(request, filters=filters, sorts=(), default_sort="", size=0)
    catalogue = translations(frame.language)
    words = catalogue.gettext
    tab = query.filter("tab") or "summary"
    view = await cluster.nodes(session, settings)
    newest = await trends.newest(session)
    names = {"summary": catalogue.pgettext("resources", "Summary")} | {key: words(text) for key, text in TABS.items()}
    tabs = tuple((key, query.href(tab=key, state="", type=""), text) for key, text in names.items())
    found: dict[str, Any] = {}
    if tab == "summary":
        found["rows"] = tuple(_rows(view, newest, words))
    elif tab == "nodes":
        found |= {"nodes": tuple(_chosen(view.nodes, query)), "types": tuple(view.gpus)}
    elif tab == "workloads":
        running = await clusteruse.running(session)
        uses = await to_thread.run_sync(
            lambda: clusteruse.measure(running, lambda one, attempt: usage.folder_of(settings, one, attempt), actor)
        )
        found["uses"] = tuple(sorted(uses, key=lambda use: -(use.idle_gpus or 0)))
    else:
        span = query.filter("range") or "24h"
        samples = await trends.series(session, actor, span)
        found["charts"] = tuple(_charts(samples, span, view, words, frame.formats))
        found["spans"] = tuple((key, query.href(range=key), words(text)) for key, text in SPANS.items())
    return shown(frame, ResourcesPage(tab, tabs, query, view, newest.at if newest else None, **found))


def _rows(view: ClusterView, newest: Sample | None, words: Words) -> Iterator[Resource]:
    reading = newest.reading if newest else {}

    def row(name: str, label: str, unit: str, amount: Amount) -> Resource:
        found = reading.get(name, {})
        used = found.get("used")
        return Resource(
            label, unit, amount, None if used is None else min(used, amount.allocated), found.get("measured") or 0
        )

    for label, amount in view.gpus.items():
        yield row(GPU + label, f"GPU ({label})", "gpu", amount)
    yield row(MEMORY, words(N_("Memory")), "memory", view.memory_mib)
    yield row(CPU, "CPU", "cpu", view.cpus)


def _chosen(nodes: Sequence[NodeView], query: TableQuery) -> Iterator[NodeView]:
    """Those that need a person first, then by name."""
    state, label = query.filter("state"), query.filter("type")
    order = {"down": 0, "drain": 1, "unknown": 2, "reserved": 3}
    for node in sorted(nodes, key=lambda one: (order.get(one.state, 9), one.name)):
        if (not state or node.state == state) and (not label or label in node.gpus):
            yield node


def _charts(samples: Sequence[Sample], span: str, view: ClusterView, words: Words, fmt: Formats) -> Iterator[Chart]:
    """One for each GPU type, then memory, CPU and the queue; where nothing was sampled there is a gap."""
    marks = tuple(_marks(samples))
    plots = [
        (GPU + label, f"GPU ({label})", words(N_("GPUs")), 1.0, amount.total) for label, amount in view.gpus.items()
    ]
    plots += [
        (MEMORY, words(N_("Memory")), "GB", 1.0 / MIB_PER_GB, view.memory_mib.total),
        (CPU, "CPU", words(N_("Cores")), 1.0, view.cpus.total),
    ]
    for name, title, unit, factor, total in plots:
        lines = [
            Line(words(N_("Allocated")), _points(samples, span, name, "allocated", factor), colour=1, kind="step"),
            Line(words(N_("In use")), _points(samples, span, name, "used", factor), colour=1, kind="area"),
        ]
        if name.startswith(GPU):
            lines.append(
                Line(words(N_("Waiting")), _points(samples, span, name, "waiting", factor), colour=2, dashed=True)
            )
        goals = (Goal(words(N_("Total")), total * factor),) if total else ()
        said = words(N_("%(title)s: allocated at most %(most)s, now %(now)s of %(total)s."))
        values = [value for _, value in lines[0].points if value is not None]
        summary = said % {
            "title": title,
            "most": fmt.number(max(values, default=None), 1),
            "now": fmt.number(values[-1] if values else None, 1),
            "total": fmt.number(total * factor, 1),
        }
        yield Chart(title, words(N_("Time")), unit, tuple(lines), summary, goals, marks, time=True, zero=True)
    queued = Line(words(N_("Waiting workloads")), _points(samples, span, QUEUE, "waiting", 1.0), colour=2, kind="step")
    most = max((value for _, value in queued.points if value is not None), default=None)
    summary = words(N_("At most %(most)s workloads waited.")) % {"most": fmt.number(most)}
    yield Chart(words(N_("Queue")), words(N_("Time")), words(N_("Workloads")), (queued,), summary, time=True, zero=True)


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


_FIGURES = ("total", "allocated", "used", "idle", "unavailable", "waiting")


@get("/resources/trends.csv", guards=[VISIT], include_in_schema=False)
async def trends_csv(request: Asked, session: Session, actor: Asker) -> Response[bytes]:
    """The samples of a range as a file; what was not measured is empty."""
    span = str(request.query_params.get("range", ""))
    span = span if span in RANGES else "24h"
    rows = [
        (sample.at.isoformat(), name, *("" if found.get(key) is None else found[key] for key in _FIGURES))
        for sample in await trends.series(session, actor, span)
        for name, found in sample.reading.items()
    ]
    return csv_file(f"trends-{span}.csv", ("at", "resource", *_FIGURES), rows)


ROUTES = [resources_page, trends_csv]
