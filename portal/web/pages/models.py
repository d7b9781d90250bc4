"""P16: the stored models, one row a version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import urlencode

from litestar import Request, Response, get

from portal.services import modelview
from portal.services.models import ARCHIVED, SORTS, STATES, ModelFilter
from portal.services.modelview import Choices, ModelLine
from portal.web.catalogue import N_, in_context, translations
from portal.web.context import Asker, PageFrame, Session
from portal.web.csvfile import csv_file
from portal.web.labels import LABELS
from portal.web.pageguards import VISIT
from portal.web.pages.modeladdress import model_key, model_path
from portal.web.rendering import PageContext, shown
from portal.web.tables import Chip, Column, Table, TableQuery

Asked = Request[Any, Any, Any]
ROWS = 50
CSV_ROWS = 10_000
_COLUMNS = (
    Column(N_("Select"), css="tick"),
    Column(in_context("list of models", "Model"), "name", context="list of models"),
    Column(N_("Version"), "version", css="num"),
    Column("App"),
    Column(N_("Source workload")),
    Column(N_("Created"), "created_at"),
    Column(N_("Size"), "size", css="num"),
    Column(N_("Status")),
    Column(N_("Key metric"), css="num"),
    Column(N_("Actions")),
)


@dataclass(frozen=True)
class ModelListPage(PageContext):
    """P16; `is_saving` where a row will change by itself."""

    template: ClassVar[str] = "models/list.html"
    nav: ClassVar[str] = "models"
    table: Table
    lines: tuple[ModelLine, ...]
    choices: Choices
    csv_href: str
    path = staticmethod(model_path)
    key = staticmethod(model_key)

    @property
    def is_saving(self) -> bool:
        """Whether a row will change by itself."""
        return any(line.model.state == "saving" for line in self.lines)

    @property
    def filtered(self) -> bool:
        """Whether a filter hides something."""
        return bool(self.table.query.filters)


@get("/models", guards=[VISIT], include_in_schema=False)
async def model_list(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P16."""
    query = _query(request)
    found = await modelview.page(session, actor, _wanted(query), query.number, query.size)
    choices = await modelview.choices(session, actor)
    table = Table(query, _COLUMNS, found.total, len(found.items), _chips(query, choices, frame.language))
    pairs = {**query.filters, "sort": query.order}
    return shown(frame, ModelListPage(table, tuple(found.items), choices, f"/models/list.csv?{urlencode(pairs)}"))


@get("/models/list.csv", guards=[VISIT], include_in_schema=False)
async def model_csv(request: Asked, session: Session, actor: Asker) -> Response[bytes]:
    """The rows of the filter as CSV, no more than CSV_ROWS."""
    found = await modelview.page(session, actor, _wanted(_query(request)), 1, CSV_ROWS)
    heads = (
        "app",
        "version",
        "name",
        "aliases",
        "workload",
        "owner",
        "created_at",
        "size_bytes",
        "state",
        "metric",
        "value",
    )
    return csv_file("models.csv", heads, map(_csv_row, found.items))


def _csv_row(line: ModelLine) -> tuple[object, ...]:
    model, metric = line.model, line.metric
    return (
        model.app_id,
        model.version,
        model.name,
        " ".join(line.aliases),
        model.workload_id,
        model.workload.owner.username,
        model.created_at.isoformat(timespec="seconds"),
        model.size_bytes,
        model.state,
        metric.name if metric else "",
        metric.final if metric else "",
    )


def _query(request: Asked) -> TableQuery:
    filters = {"q": None, "app": None, "owner": None, "status": (*STATES, ARCHIVED), "alias": None, "latest": ("1",)}
    return TableQuery.of(request, filters=filters, sorts=SORTS, default_sort="-created_at", size=ROWS)


def _wanted(query: TableQuery) -> ModelFilter:
    owner = query.filter("owner")
    return ModelFilter(
        app=query.filter("app"),
        q=query.filter("q"),
        mine=owner == "me",
        owner="" if owner == "me" else owner,
        state=query.filter("status"),
        alias=query.filter("alias"),
        latest=bool(query.filter("latest")),
        sort=query.order,
    )


def _chips(query: TableQuery, choices: Choices, language: Any) -> tuple[Chip, ...]:
    words = translations(language).gettext
    apps, owners = dict(choices.apps), dict(choices.owners)
    texts = {
        "q": f"“{query.filter('q')}”",
        "app": apps.get(query.filter("app"), query.filter("app")),
        "owner": words("Mine") if query.filter("owner") == "me" else owners.get(query.filter("owner"), ""),
        "status": words(STATUS[query.filter("status")].text) if query.filter("status") else "",
        "alias": query.filter("alias"),
        "latest": words("Latest only"),
    }
    return tuple(Chip(texts[name] or query.filter(name), _without(query, name)) for name in query.filters)


def _without(query: TableQuery, name: str) -> str:
    return replace(query, filters={key: value for key, value in query.filters.items() if key != name}).href()


STATUS = {**LABELS.model, ARCHIVED: LABELS.app[ARCHIVED]}
"""What the list can be narrowed to by status."""

ROUTES = [model_list, model_csv]
