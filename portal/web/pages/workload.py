"""P11, one workload: where it is, why, how it is doing, what came out; and the parts of it that change by themselves."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, ClassVar, Final
from urllib.parse import urlencode

from litestar import Response, get
from litestar.datastructures import State as AppState
from litestar.params import FromPath, FromQuery, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Analysis
from portal.domain.rungraph import GraphTask, Layout, layout
from portal.services import analyses, workloadparts, workloads, workloadview
from portal.services.access import readable_workload
from portal.services.analysisview import images_of
from portal.services.audit import Actor
from portal.services.models import ModelFile
from portal.services.runwatch import RunWatch
from portal.services.workloadmarks import WorkloadMarks
from portal.services.workloadparts import Compared, Files
from portal.services.workloadview import RunView
from portal.settings import Settings
from portal.spec.graph import task_order
from portal.web.catalogue import translations
from portal.web.charts import Chart
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.forms import Form
from portal.web.frame import Frame
from portal.web.live import Topic
from portal.web.pageguards import VISIT
from portal.web.pages.workloadcharts import metric_charts, reward_chart, use_charts
from portal.web.pages.workloadlogview import LogView, log_view
from portal.web.pages.workloadwords import ADVICE, EventLine, commands, story
from portal.web.rendering import PageContext, rendered, shown

TABS: Final = ("overview", "graph", "logs", "metrics", "events", "spec", "results", "slurm")
HEAD: Final = "head"
"""The live view of a page whose body does not change by itself."""
_LIVE_BODIES: Final = frozenset({"overview", "graph", "metrics", "events", "results", "slurm"})
_PER_ROW: Final = {"overview": 3, "graph": 5}
EVENT_SOURCES: Final = ("portal", "slurm", "runner")
RUN_IMAGES = 6
"""Shown beside a run's analyses; all of them are on the analyses' own pages."""


@dataclass(frozen=True)
class WorkloadPage(PageContext):
    """P11; `body` is the view whose body is drawn ("head": none)."""

    template: ClassVar[str] = "workload/workload.html"
    nav: ClassVar[str] = "workloads"
    view: RunView
    tab: str
    body: str
    topic: str
    graph: Layout | None = None
    reward: Chart | None = None
    charts: tuple[Chart, ...] = ()
    uses: tuple[Chart, ...] = ()
    events: tuple[EventLine, ...] = ()
    source: str = ""
    compared: Compared | None = None
    spec_text: str = ""
    files: Files | None = None
    analyses: tuple[Analysis, ...] = ()
    logs: LogView | None = None
    form: Form = field(default_factory=Form)
    once: str = field(default_factory=partial(secrets.token_hex, 16))
    advice: ClassVar[Mapping[str, str]] = ADVICE

    @property
    def images(self) -> tuple[tuple[Analysis, ModelFile], ...]:
        """Images of the run's analyses, the newest analysis first, no more than RUN_IMAGES."""
        found = [(one, file) for one in self.analyses for file in images_of(one)]
        return tuple(found[:RUN_IMAGES])

    @property
    def base(self) -> str:
        """The page's path."""
        return f"/workloads/{self.view.workload.id}"

    def href(self, **query: str) -> str:
        """The page with another query."""
        return f"{self.base}?{urlencode({name: value for name, value in query.items() if value})}"

    def commands(self, leader_id: int) -> tuple[str, ...]:
        """See workloadwords.commands."""
        return commands(leader_id)


@dataclass(frozen=True)
class Wish:
    """What of a workload's page is asked for."""

    tab: str
    body: str
    attempt: int | None = None
    source: str = ""
    compare: str = ""


@get("/workloads/{workload_id:str}", guards=[VISIT], include_in_schema=False)
async def workload_page(
    state: AppState,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: FromPath[str],
    tab: Annotated[str, QueryParameter(max_length=16, description="One of the tabs.")] = TABS[0],
    attempt: FromQuery[int | None] = None,
    source: Annotated[str, QueryParameter(max_length=16, description="Whose events: portal, slurm or runner.")] = "",
    compare: Annotated[
        str, QueryParameter(max_length=80, description="A workload, or `app` for the App's version.")
    ] = "",
    step: Annotated[str, QueryParameter(max_length=129, description="Whose log; default: all merged.")] = "",
    stream: Annotated[str, QueryParameter(max_length=6, description="stdout or stderr; default: both.")] = "",
    at: Annotated[str, QueryParameter(max_length=20, description="Byte that the log's window begins with.")] = "",
) -> Response[str]:
    """P11."""
    tab = tab if tab in TABS else TABS[0]
    logs = {"step": step, "stream": stream, "at": at}
    wish = Wish(tab, tab, attempt, source if source in EVENT_SOURCES else "", compare)
    page = await page_of(session, actor, settings, state.run_watch, workload_id, frame, wish)
    if tab == "logs":
        page = replace(page, logs=await log_view(session, actor, settings, state.store, page.view, logs))
    return shown(frame, page)


async def page_of(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    runs: RunWatch,
    workload_id: str,
    frame: Frame,
    wish: Wish,
) -> WorkloadPage:
    """The page's context, without the logs, which only the page itself has. Raises NotFound."""
    view = await workloadview.view(session, actor, settings, runs, workload_id, wish.attempt)
    plain = wish.attempt is None and not wish.source and wish.tab in _LIVE_BODIES
    topic = Topic("workload", view.workload.id, wish.tab if plain else HEAD).text()
    words = translations(frame.language).gettext
    body = wish.body
    is_spec = body == "spec"
    return WorkloadPage(
        view=view,
        tab=wish.tab,
        body=body,
        topic=topic,
        graph=graph_of(view, _PER_ROW[body]) if body in _PER_ROW else None,
        reward=reward_chart(view, frame.formats, words) if body == "overview" else None,
        charts=metric_charts(view, frame.formats, words) if body == "metrics" else (),
        uses=use_charts(view, frame.formats, words) if body == "metrics" else (),
        events=await _events(session, actor, view, wish.source) if body == "events" else (),
        source=wish.source,
        compared=await workloadparts.compared(session, actor, view, wish.compare) if is_spec else None,
        spec_text=json.dumps(view.workload.resolved or view.workload.spec, ensure_ascii=False, indent=2)
        if is_spec
        else "",
        files=await workloadparts.out_files(settings, view) if body == "results" else None,
        analyses=tuple(await analyses.of_workloads(session, actor, [view.workload.id])) if body == "results" else (),
    )


async def _events(session: AsyncSession, actor: Actor, view: RunView, source: str) -> tuple[EventLine, ...]:
    return story(await workloads.events(session, actor, view.workload.id), view, source)


def graph_of(view: RunView, per_row: int) -> Layout:
    """The run's graph, placed."""
    tasks = [
        GraphTask(
            task.task_id,
            tuple(component.id for component in task.components),
            tuple((edge.source, edge.target, edge.when) for edge in task.workflow),
        )
        for task in view.spec.tasks
    ]
    return layout(tasks, task_order(view.spec), per_row=per_row)


class WorkloadKind:
    """A workload as a live topic: `workload:W-A1B2C3:TAB`."""

    views = frozenset({HEAD, *_LIVE_BODIES})

    def __init__(self, marks: WorkloadMarks, settings: Settings, runs: RunWatch) -> None:
        self._marks = marks
        self._settings = settings
        self._runs = runs

    async def marks(self, keys: Collection[str]) -> Mapping[str, str]:
        """See LiveKind."""
        return await self._marks.read(keys)

    async def viewpoint(self, session: AsyncSession, actor: Actor, key: str) -> str:
        """What one may see and do follows from the role and from whose it is (portal.domain.permissions)."""
        workload = await readable_workload(session, actor, key)
        mine = actor.user_id == workload.owner_id
        edits = actor.user_id == workload.app.owner_id or actor.user_id in workload.app.co_editors
        return f"{actor.role} {mine} {edits}"

    async def parts(self, session: AsyncSession, actor: Actor, topic: Topic, frame: Frame) -> str:
        """See LiveKind."""
        tab = TABS[0] if topic.view == HEAD else topic.view
        wish = Wish(tab, topic.view)
        page = await page_of(session, actor, self._settings, self._runs, topic.key, frame, wish)
        return rendered(frame, page, block="parts")


ROUTES = [workload_page]
