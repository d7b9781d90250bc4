"""P15, one node: state and who set it, GPU by GPU, what runs on it, how it was before, and its use over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from litestar import Request, Response, get
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from portal.domain.samples import RANGES
from portal.services import nodepage, trends
from portal.services.audit import Actor
from portal.services.nodepage import NodeOverview
from portal.settings import Settings
from portal.web import clusterlive
from portal.web.catalogue import translations
from portal.web.charts import Chart
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.frame import Frame
from portal.web.pageguards import VISIT
from portal.web.rendering import PageContext, shown
from portal.web.trendcharts import DEFAULT_SPAN, SPANS, node_charts

Asked = Request[Any, Any, Any]


@dataclass(frozen=True)
class NodePage(PageContext):
    """One node; `charts` are empty of points where nothing was sampled."""

    template: ClassVar[str] = "resources/node.html"
    nav: ClassVar[str] = "resources"
    found: NodeOverview
    topic: str
    span: str
    spans: tuple[tuple[str, str, str], ...]
    charts: tuple[Chart, ...]


@get("/resources/nodes/{node_name:str}", guards=[VISIT], include_in_schema=False)
async def node_page(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, node_name: FromPath[str]
) -> Response[str]:
    """P15, one node."""
    given = {"range": str(request.query_params.get("range", "")), clusterlive.NODE: node_name}
    return shown(frame, await page_of(session, actor, settings, frame, given))


async def page_of(
    session: AsyncSession, actor: Actor, settings: Settings, frame: Frame, given: Mapping[str, str]
) -> NodePage:
    """The page of `node` in a `range`. Raises NotFound."""
    name, span = given[clusterlive.NODE], given.get("range", "")
    span = span if span in RANGES else DEFAULT_SPAN
    found = await nodepage.overview(session, actor, settings, name)
    samples = await trends.of_node(session, actor, name, span)
    words = translations(frame.language).gettext
    path = f"/resources/nodes/{quote(name, safe='')}"
    return NodePage(
        found=found,
        topic=clusterlive.topic({clusterlive.NODE: name, "range": span}),
        span=span,
        spans=tuple((key, f"{path}?{urlencode({'range': key})}", words(text)) for key, text in SPANS.items()),
        charts=tuple(node_charts(samples, span, found.node, words, frame.formats)),
    )


ROUTES = [node_page]
