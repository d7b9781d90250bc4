"""P15: the cluster in one picture, its nodes, what each workload really uses, and how it was over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from anyio import to_thread
from litestar import Request, Response, get
from sqlalchemy.ext.asyncio import AsyncSession

from portal.domain.samples import RANGES, Sample
from portal.services import cluster, clusteruse, gpuuse, trends, usage
from portal.services.audit import Actor
from portal.services.cluster import Amount, ClusterView, NodeView
from portal.services.clusteruse import CPU, GPU, MEMORY, SIMULATED, RunUse
from portal.services.gpuuse import GpuUse, NodeGpu
from portal.settings import Settings
from portal.web import clusterlive
from portal.web.catalogue import N_, translations
from portal.web.charts import Chart
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.csvfile import csv_file
from portal.web.frame import Frame
from portal.web.labels import LABELS
from portal.web.pageguards import VISIT
from portal.web.rendering import PageContext, shown
from portal.web.tables import TableQuery
from portal.web.trendcharts import (
    DEFAULT_SPAN,
    MIB_PER_GB,
    SPANS,
    Words,
    cluster_charts,
    simulated_titles,
)

Asked = Request[Any, Any, Any]
TABS = {"nodes": N_("Nodes"), "workloads": N_("By workload"), "trends": N_("Trends")}
NODE_STATES = tuple(LABELS.node)


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
    """One row of the table of 7.2. `used` None: not measured; `measured` is how much of what is allocated it covers.

    `shares` are those of split GPUs; None: this type is not split.
    """

    label: str
    unit: str
    amount: Amount
    used: float | None
    measured: float
    shares: Amount | None = None
    simulated: bool = False

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
class NodeLine:
    """One node, and what its GPUs do (None: not measured)."""

    node: NodeView
    gpus: tuple[NodeGpu, ...] | None

    @property
    def simulated(self) -> bool:
        """Whether the figures are made up."""
        return any(one.reading.is_simulated for one in self.gpus or ())

    @property
    def busy(self) -> int:
        """How many are in use."""
        return sum(one.reading.is_busy for one in self.gpus or ())

    def busy_of(self, label: str) -> int:
        """How many of one type are."""
        return sum(one.label == label and one.reading.is_busy for one in self.gpus or ())


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
    gpus: GpuUse | None
    topic: str
    rows: tuple[Resource, ...] = field(default=())
    nodes: tuple[NodeLine, ...] = field(default=())
    uses: tuple[RunUse, ...] = field(default=())
    charts: tuple[Chart, ...] = field(default=())
    spans: tuple[tuple[str, str, str], ...] = field(default=())
    types: tuple[str, ...] = field(default=())
    simulated: frozenset[str] = field(default=frozenset())


@get("/resources", guards=[VISIT], include_in_schema=False)
async def resources_page(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame
) -> Response[str]:
    """P15."""
    return shown(frame, await page_of(session, actor, settings, frame, request.query_params))


async def page_of(
    session: AsyncSession, actor: Actor, settings: Settings, frame: Frame, given: Mapping[str, Any]
) -> ResourcesPage:
    """The page of these query parameters."""
    filters = {"tab": ("summary", *TABS), "range": tuple(RANGES), "state": NODE_STATES, "type": None}
    query = TableQuery.read("/resources", given, filters=filters)
    catalogue = translations(frame.language)
    words = catalogue.gettext
    tab = query.filter("tab") or "summary"
    view = await cluster.nodes(session, settings)
    newest = await trends.newest(session)
    gpus = await gpuuse.newest(session, settings)
    names = {"summary": catalogue.pgettext("resources", "Summary")} | {key: words(text) for key, text in TABS.items()}
    tabs = tuple((key, query.href(tab=key, state="", type=""), text) for key, text in names.items())
    found: dict[str, Any] = {}
    if tab == "summary":
        found["rows"] = tuple(resource_rows(view, newest, gpus, words))
    elif tab == "nodes":
        chosen = nodes_in_order(view.nodes, state=query.filter("state"), label=query.filter("type"))
        found |= {"nodes": tuple(node_lines(chosen, gpus)), "types": tuple(view.gpus)}
    elif tab == "workloads":
        running = await clusteruse.running(session)
        uses = await to_thread.run_sync(
            lambda: clusteruse.measure(running, lambda one, attempt: usage.folder_of(settings, one, attempt), actor)
        )
        uses = clusteruse.told(uses, running, view, gpus)
        found["uses"] = tuple(sorted(uses, key=lambda use: -(use.idle_gpus or 0)))
    else:
        span = query.filter("range") or DEFAULT_SPAN
        samples = await trends.series(session, actor, span)
        found["charts"] = tuple(cluster_charts(samples, span, view, words, frame.formats))
        found["simulated"] = frozenset(simulated_titles(samples))
        found["spans"] = tuple((key, query.href(range=key), words(text)) for key, text in SPANS.items())
    topic = clusterlive.topic(query.filters)
    return ResourcesPage(tab, tabs, query, view, newest.at if newest else None, gpus, topic, **found)


def resource_rows(view: ClusterView, newest: Sample | None, gpus: GpuUse | None, words: Words) -> Iterator[Resource]:
    """The table of the newest sample; GPUs by what Prometheus told last, where there is one."""
    reading = newest.reading if newest else {}
    reading = reading if gpus is None else clusteruse.with_gpus(reading, view, gpus)

    def row(name: str, label: str, unit: str, amount: Amount, shares: Amount | None = None) -> Resource:
        found = reading.get(name, {})
        used = found.get("used")
        used = None if used is None else min(used, amount.allocated)
        return Resource(label, unit, amount, used, found.get("measured") or 0, shares, bool(found.get(SIMULATED)))

    for label, amount in view.gpus.items():
        yield row(GPU + label, f"GPU ({label})", "gpu", amount, view.shares.get(label))
    yield row(MEMORY, words(N_("Memory")), "memory", view.memory_mib)
    yield row(CPU, "CPU", "cpu", view.cpus)


def node_lines(nodes: Iterable[NodeView], gpus: GpuUse | None) -> Iterator[NodeLine]:
    """Each with what its GPUs do."""
    for node in nodes:
        yield NodeLine(node, gpuuse.of_node(node, gpus) if gpus else None)


def nodes_in_order(nodes: Iterable[NodeView], *, state: str = "", label: str = "") -> Iterator[NodeView]:
    """Those that need a person first, then by name; of one state or with one GPU type only where asked."""
    order = {"down": 0, "drain": 1, "unknown": 2, "reserved": 3}
    for node in sorted(nodes, key=lambda one: (order.get(one.state, 9), one.name)):
        if (not state or node.state == state) and (not label or label in node.gpus):
            yield node


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
