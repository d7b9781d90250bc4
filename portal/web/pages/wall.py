"""P15, the wall: the cluster for a screen that hangs somewhere, in big type, one view after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from litestar import Request, Response, get
from sqlalchemy.ext.asyncio import AsyncSession

from portal.services import cluster, gpuuse, trends
from portal.services.audit import Actor
from portal.services.cluster import ClusterView
from portal.services.clusteruse import QUEUE
from portal.settings import Settings
from portal.web import clusterlive
from portal.web.catalogue import N_, translations
from portal.web.charts import Chart
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.frame import Frame
from portal.web.pageguards import VISIT
from portal.web.pages.resources import NodeLine, Resource, node_lines, nodes_in_order, resource_rows
from portal.web.rendering import PageContext, shown
from portal.web.trendcharts import DEFAULT_SPAN, cluster_charts

Asked = Request[Any, Any, Any]
EVERY_S = 20
PANELS = ("summary", "nodes", "trends")
MOST_TILES = 48
"""As many nodes as a wide screen shows in type that is read from afar; those that need a person come first."""
MOST_CHARTS = 4


@dataclass(frozen=True)
class WallPage(PageContext):
    """`panel` is the one shown first; without scripts the page itself goes on to `after`."""

    template: ClassVar[str] = "resources/wall.html"
    view: ClusterView
    rows: tuple[Resource, ...]
    nodes: tuple[NodeLine, ...]
    left_out: int
    charts: tuple[Chart, ...]
    waiting: int | None
    sampled_at: datetime | None
    topic: str
    panel: str
    zone: str
    panels: tuple[tuple[str, str], ...]
    every_s: ClassVar[int] = EVERY_S

    @property
    def after(self) -> str:
        """The next panel."""
        return PANELS[(PANELS.index(self.panel) + 1) % len(PANELS)]


@get("/resources/wall", guards=[VISIT], include_in_schema=False)
async def wall_page(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame
) -> Response[str]:
    """P15, the wall. Black on white whatever the person's theme: it is read from afar."""
    panel = str(request.query_params.get("show", ""))
    page = await page_of(session, actor, settings, frame, panel if panel in PANELS else PANELS[0])
    return shown(replace(frame, theme="light"), page)


async def page_of(
    session: AsyncSession, actor: Actor, settings: Settings, frame: Frame, panel: str = PANELS[0]
) -> WallPage:
    """All three panels."""
    view = await cluster.nodes(session, settings)
    newest = await trends.newest(session)
    gpus = await gpuuse.newest(session, settings)
    samples = await trends.series(session, actor, DEFAULT_SPAN)
    catalogue = translations(frame.language)
    words = catalogue.gettext
    titles = (catalogue.pgettext("resources", "Summary"), words(N_("Nodes")), words(N_("Trends")))
    charts = list(cluster_charts(samples, DEFAULT_SPAN, view, words, frame.formats))
    # GPU types come first and the queue last: memory and cores give way where there are many types.
    chosen = [*charts[: min(len(view.gpus), MOST_CHARTS - 1)], charts[-1]]
    nodes = tuple(nodes_in_order(view.nodes))
    queue = (newest.reading if newest else {}).get(QUEUE, {})
    return WallPage(
        view=view,
        rows=tuple(resource_rows(view, newest, gpus, words)),
        nodes=tuple(node_lines(nodes[:MOST_TILES], gpus)),
        left_out=max(len(nodes) - MOST_TILES, 0),
        charts=tuple(chosen),
        waiting=queue.get("waiting"),
        sampled_at=samples[-1].at if samples else None,
        topic=clusterlive.topic({clusterlive.WALL: "1"}),
        panel=panel,
        panels=tuple(zip(PANELS, titles, strict=True)),
        zone=str(frame.formats.zone),
    )


ROUTES = [wall_page]
