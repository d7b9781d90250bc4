"""P19: what Operators found out about runs, in a list and one by one; nothing of it is rendered but tables, charts and text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Stream

from portal.db.models import Analysis
from portal.domain.analysisresult import ChartDocument
from portal.domain.lifecycle import LIVE
from portal.domain.lifecycle import State as WorkloadState
from portal.domain.permissions import Permission
from portal.services import analyses, analysisview, models, operators
from portal.services.access import allowed, analysis_facts
from portal.services.analyses import SORTS, STATUSES, AnalysisFilter
from portal.services.analysisview import AnalysisDetail
from portal.services.errors import ServiceError
from portal.web.catalogue import N_, translations
from portal.web.charts import COLOURS, Chart, Line
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.filestream import file_answer
from portal.web.formats import Formats
from portal.web.frame import Frame
from portal.web.labels import Label
from portal.web.pageguards import VISIT, VISIT_DOWNLOAD, VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.rendering import PageContext, shown
from portal.web.tables import Chip, Column, Table, TableQuery

Asked = Request[Any, Any, Any]
ROWS = 50
STATUS: dict[str, Label] = {
    "waiting": Label(N_("Queued"), "queued", "clock"),
    "running": Label(N_("Running"), "run", "player-play"),
    "completed": Label(N_("Completed"), "ok", "circle-check"),
    "failed": Label(N_("Failed"), "bad", "circle-x"),
}
_COLUMNS = (
    Column(N_("Operator"), "operator"),
    Column(N_("Workload"), "workload"),
    Column("App"),
    Column(N_("Status")),
    Column(N_("Created"), "created_at"),
    Column(N_("Size"), "size", css="num"),
    Column(N_("Applicant")),
    Column(N_("Actions")),
)


@dataclass(frozen=True)
class AnalysisListPage(PageContext):
    """P19, the list."""

    template: ClassVar[str] = "analyses/list.html"
    nav: ClassVar[str] = "analyses"
    table: Table
    lines: tuple[Analysis, ...]
    downloadable: frozenset[str]
    may_upload: bool
    statuses: ClassVar[dict[str, Label]] = STATUS

    @property
    def filtered(self) -> bool:
        """Whether a filter hides something."""
        return bool(self.table.query.filters)

    @property
    def is_live(self) -> bool:
        """Whether a row will change by itself."""
        return any(WorkloadState(line.run.state) in LIVE for line in self.lines)


@dataclass(frozen=True)
class AnalysisPage(PageContext):
    """P19, one analysis; `charts` by the path of the file that declares each."""

    template: ClassVar[str] = "analyses/analysis.html"
    nav: ClassVar[str] = "analyses"
    found: AnalysisDetail
    charts: dict[str, Chart]

    @property
    def is_live(self) -> bool:
        """Whether it will change by itself."""
        return WorkloadState(self.found.analysis.run.state) in LIVE


@get("/analyses", guards=[VISIT], include_in_schema=False)
async def analysis_list(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P19, the list."""
    query = TableQuery.of(
        request,
        filters={"q": None, "app": None, "workload": None, "operator": None, "status": STATUSES, "owner": ("me",)},
        sorts=SORTS,
        default_sort="-created_at",
        size=ROWS,
    )
    wanted = AnalysisFilter(
        app=query.filter("app"),
        workload=query.filter("workload"),
        operator=query.filter("operator"),
        status=query.filter("status"),
        q=query.filter("q"),
        mine=query.filter("owner") == "me",
        sort=query.order,
    )
    found = await analyses.page(session, actor, wanted, query.number, query.size)
    table = Table(query, _COLUMNS, found.total, len(found.items), _chips(query, translations(frame.language).gettext))
    downloadable = frozenset(
        one.run_id
        for one in found.items
        if one.manifest and allowed(actor, Permission.ANALYSIS_DOWNLOAD, analysis_facts(one))
    )
    may_upload = allowed(actor, Permission.OPERATOR_CREATE)
    return shown(frame, AnalysisListPage(table, tuple(found.items), downloadable, may_upload))


def _chips(query: TableQuery, words: Callable[[str], str]) -> tuple[Chip, ...]:
    texts = {
        "q": f"“{query.filter('q')}”",
        "status": words(STATUS[query.filter("status")].text) if query.filter("status") else "",
        "owner": words(N_("Run by me")),
    }
    without = {name: {key: value for key, value in query.filters.items() if key != name} for name in query.filters}
    return tuple(
        Chip(texts.get(name) or query.filter(name), replace(query, filters=without[name]).href())
        for name in query.filters
    )


@get("/analyses/{run_id:str}", guards=[VISIT], include_in_schema=False)
async def analysis_page(
    state: State, session: Session, actor: Asker, frame: PageFrame, run_id: FromPath[str]
) -> Response[str]:
    """P19, one analysis."""
    found = await analysisview.detail(session, actor, state.store, run_id)
    return shown(frame, AnalysisPage(found, _charts(found, frame)))


def _charts(found: AnalysisDetail, frame: Frame) -> dict[str, Chart]:
    words = translations(frame.language).gettext
    return {one.file.path: chart_shown(one.chart, frame.formats, words) for one in found.shown if one.chart is not None}


def chart_shown(document: ChartDocument, formats: Formats, words: Callable[[str], str]) -> Chart:
    """A declared chart as the pages draw it."""
    lines = tuple(Line(line.name, line.points, number % COLOURS + 1) for number, line in enumerate(document.lines))
    lasts = [(line.name, next((y for _x, y in reversed(line.points) if y is not None), None)) for line in lines]
    said = ", ".join(f"{name} {formats.number(value, 4)}" for name, value in lasts)
    summary = words(N_("Last values of %(metric)s: %(values)s.")) % {"metric": document.title, "values": said}
    return Chart(document.title, document.x or "x", document.y or document.title, lines, summary)


@get(
    "/analyses/{run_id:str}/files/{path:path}",
    guards=[VISIT_DOWNLOAD],
    media_type=MediaType.TEXT,
    include_in_schema=False,
)
async def result_file(
    request: Asked, state: State, session: Session, actor: Asker, run_id: FromPath[str], path: FromPath[str]
) -> Stream:
    """A file of the result, to keep; a browser never shows it. Raises NotFound, Forbidden, Unavailable."""
    file = await analyses.file_of(session, actor, run_id, path.removeprefix("/"))
    opener = partial(models.open_file, state.store, file, bucket=operators.BUCKET)
    return await file_answer(request, opener, name=file.name, size=file.size, tag=file.sha256, sha256=file.sha256)


@get("/analyses/{run_id:str}/images/{path:path}", guards=[VISIT], media_type="image/png", include_in_schema=False)
async def result_image(
    state: State, session: Session, actor: Asker, run_id: FromPath[str], path: FromPath[str]
) -> Response[bytes]:
    """An image of the result, as the page shows it: nothing but the image, of a type that was looked at. Raises NotFound."""
    file, media_type, data = await analysisview.image(session, actor, state.store, run_id, path.removeprefix("/"))
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(data, media_type=media_type, headers=headers)


@get("/analyses/{run_id:str}/operator", guards=[VISIT_DOWNLOAD], include_in_schema=False)
async def operator_file(state: State, session: Session, actor: Asker, run_id: FromPath[str]) -> Response[bytes]:
    """The Operator's file, to keep. Raises NotFound, Forbidden, Unavailable."""
    version = await analyses.operator_of(session, actor, run_id)
    data = await operators.content(session, state.store, version)
    name = f"{version.operator_id}-v{version.number}.{version.form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, media_type="application/octet-stream", headers=headers)


@post("/analyses/{run_id:str}/again", guards=[VISIT_SUBMIT], include_in_schema=False)
async def analyse_again(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, run_id: FromPath[str]
) -> Response[None]:
    """The same Operator on the same run once more."""
    analysis = await analyses.get(session, actor, run_id)
    reference = operators.reference(analysis.version)
    try:
        made = await analyses.start(session, actor, settings, analysis.workload_id, reference)
    except ServiceError as error:
        said = error.message_ko if frame.language == "ko" else error.message_en
        return to(request, f"/analyses/{run_id}", toast=said)
    words = translations(frame.language).gettext
    return to(request, f"/analyses/{made.run_id}", toast=words(N_("Analysis started: %(id)s")) % {"id": made.run_id})


ROUTES = [analysis_list, analysis_page, result_file, result_image, operator_file, analyse_again]
