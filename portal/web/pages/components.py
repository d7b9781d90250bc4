"""P5 and P6: the component library as a list, and one component with its versions and where it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import quote, urlencode

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter

from portal.domain.permissions import Permission
from portal.services import components, componentview, placing
from portal.services.access import allowed
from portal.services.componentview import ComponentDetail, ComponentLine, UsePage, VersionLine, Wanted
from portal.services.placing import Target
from portal.spec.diff import Change
from portal.spec.library import Content, differences
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, PageFrame, Session
from portal.web.pageguards import VISIT, VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.pages.componentfields import PARAM_WORDS
from portal.web.rendering import PageContext, shown
from portal.web.tables import Chip, Column, Table, TableQuery

Asked = Request[Any, Any, Any]
ROWS = 50
TABS: Final = ("overview", "uses", "versions")
_COLUMNS = (
    Column(N_("Name"), "name"),
    Column(N_("Image")),
    Column(N_("Description"), css="wide-only"),
    Column(N_("Version")),
    Column(N_("Default resources")),
    Column(N_("Used in")),
    Column(N_("Registered by"), "owner"),
    Column(N_("Registered at"), "created"),
)
_USE_COLUMNS = (
    Column(N_("App")),
    Column(N_("App version")),
    Column(N_("Task")),
    Column(N_("Component version")),
    Column(N_("Owner")),
    Column(N_("Status")),
)
Version = Annotated[str | None, QueryParameter(max_length=64, description="A version; default: the newest.")]


@dataclass(frozen=True)
class LibraryPage(PageContext):
    """P5; `tags` and `gpus` are what the filters offer."""

    template: ClassVar[str] = "components/list.html"
    nav: ClassVar[str] = "components"
    table: Table
    lines: tuple[ComponentLine, ...]
    tags: tuple[str, ...]
    gpus: tuple[str, ...]
    may_register: bool


@dataclass(frozen=True)
class ComponentPage(PageContext):
    """P6; `uses` and `table` only on their tab, `changes` where two versions are compared."""

    template: ClassVar[str] = "components/component.html"
    nav: ClassVar[str] = "components"
    types: ClassVar[Mapping[str, str]] = PARAM_WORDS
    tab: str
    found: ComponentDetail
    content: Content
    may_register: bool
    targets: tuple[Target, ...] = ()
    uses: UsePage | None = None
    table: Table | None = None
    compared: tuple[VersionLine, VersionLine] | None = None
    changes: tuple[Change, ...] = ()

    def href(self, **changed: str) -> str:
        """This component's page with another tab or version."""
        pairs = {"tab": self.tab, "v": self.found.chosen.version.version} | changed
        return f"/components/{self.found.component.id}?{urlencode(pairs)}"


@get("/components", guards=[VISIT], include_in_schema=False)
async def library(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P5."""
    filters: dict[str, Sequence[str] | None] = {
        "q": None,
        "tag": None,
        "gpu": None,
        "owner": ("me",),
        "deprecated": ("only", "all"),
    }
    query = TableQuery.of(request, filters=filters, sorts=componentview.SORTS, default_sort="name", size=ROWS)
    wanted = Wanted(
        q=query.filter("q"),
        tag=query.filter("tag"),
        gpu=query.filter("gpu"),
        mine=query.filter("owner") == "me",
        deprecated=query.filter("deprecated"),
        sort=query.sort,
        descending=query.descending,
    )
    found = await componentview.page(session, actor, wanted, query.number, query.size)
    may_register = allowed(actor, Permission.COMPONENT_CREATE)
    columns = (*_COLUMNS, Column("", css="wide-only")) if may_register else _COLUMNS
    table = Table(query, columns, found.total, len(found.items), _chips(query, translations(frame.language).gettext))
    tags, gpus = await componentview.tags(session), await componentview.gpu_types(session)
    page = LibraryPage(table, tuple(found.items), tuple(tags), tuple(gpus), may_register)
    return shown(frame, page)


def _chips(query: TableQuery, words: Any) -> tuple[Chip, ...]:
    texts = {
        "q": f"“{query.filter('q')}”",
        "tag": f"{words('Tag')}: {query.filter('tag')}",
        "gpu": query.filter("gpu"),
        "owner": words("Mine"),
        "deprecated": words("Deprecated") if query.filter("deprecated") == "only" else words("With deprecated ones"),
    }
    return tuple(Chip(texts[name], query.without(name)) for name in query.filters)


@get("/components/{component_id:str}", guards=[VISIT], include_in_schema=False)
async def component(
    request: Asked,
    session: Session,
    actor: Asker,
    frame: PageFrame,
    component_id: FromPath[str],
    v: Version = None,
    tab: Annotated[str, QueryParameter(max_length=16, description="overview, uses or versions.")] = TABS[0],
    base: Version = None,
) -> Response[str]:
    """P6; on the tab of versions, `base` is compared with `v`."""
    found = await componentview.detail(session, actor, component_id, v)
    tab = tab if tab in TABS else TABS[0]
    content = components.content_of(found.chosen.version)
    may_register = allowed(actor, Permission.COMPONENT_CREATE)
    if tab == "uses":
        query = TableQuery.of(request, filters={"tab": ("uses",)}, sorts=(), default_sort="", size=ROWS)
        uses = await componentview.uses(session, actor, component_id, query.number, query.size)
        table = Table(query, _USE_COLUMNS, uses.lines.total, len(uses.lines.items))
        return shown(frame, ComponentPage(tab, found, content, may_register, uses=uses, table=table))
    other = next((line for line in found.versions if tab == "versions" and base == line.version.version), None)
    if other is None:
        offered = may_register and tab == TABS[0] and found.component.deprecated_at is None
        targets = await placing.targets(session, actor) if offered else []
        return shown(frame, ComponentPage(tab, found, content, may_register, tuple(targets)))
    changes = differences(components.content_of(other.version), content)
    page = ComponentPage(tab, found, content, may_register, compared=(other, found.chosen), changes=changes)
    return shown(frame, page)


@get("/components/{component_id:str}/place", guards=[VISIT_SUBMIT], include_in_schema=False)
async def place(
    request: Asked,
    session: Session,
    actor: Asker,
    component_id: FromPath[str],
    target: Annotated[str, QueryParameter(max_length=130, description="App and Task: APP-A1B2C3/TASK-001.")],
) -> Response[None]:
    """On to the Builder, which places it. Raises NotFound."""
    await components.get(session, actor, component_id)
    app_id, _, task_id = target.partition("/")
    query = urlencode({"tab": "task", "task": task_id, "place": component_id})
    return to(request, f"/apps/{quote(app_id, safe='')}/builder?{query}")


@post("/components/{component_id:str}/deprecate", guards=[VISIT_SUBMIT], include_in_schema=False)
async def deprecate(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, component_id: FromPath[str]
) -> Response[None]:
    """Offer it no more; the page that follows has the way back."""
    changed = await components.deprecate(session, actor, component_id)
    return _said(request, frame, component_id, N_("%(name)s is deprecated."), changed.name)


@post("/components/{component_id:str}/restore", guards=[VISIT_SUBMIT], include_in_schema=False)
async def restore(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, component_id: FromPath[str]
) -> Response[None]:
    """Offer it again."""
    changed = await components.restore(session, actor, component_id)
    return _said(request, frame, component_id, N_("%(name)s is in the library again."), changed.name)


def _said(request: Asked, frame: PageFrame, component_id: str, sentence: str, name: str) -> Response[None]:
    words = translations(frame.language).gettext(sentence)
    return to(request, f"/components/{component_id}", toast=words % {"name": name})


ROUTES = [library, component, place, deprecate, restore]
