"""P3: the Apps, one App, a new one, and a spec file that becomes a version."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import User
from portal.domain.permissions import Permission
from portal.services import apps, appview, coeditors, drafts
from portal.services.access import allowed, app_facts
from portal.services.appview import STATUSES, AppDetail, AppLine, Wanted
from portal.services.audit import Actor
from portal.services.errors import Conflict, Invalid, ServiceError
from portal.settings import Settings
from portal.spec.load import load_spec
from portal.spec.problems import Problem, errors_of
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.labels import LABELS
from portal.web.pageguards import VISIT, VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.problems import problem_document
from portal.web.rendering import PageContext, shown
from portal.web.tables import Chip, Column, Table, TableQuery

Asked = Request[Any, Any, Any]
ROWS = 50
NO_FORM: Final = Form()
TABS: Final = ("summary", "spec", "versions")
_COLUMNS = (
    Column(N_("Name"), "name"),
    Column(N_("Status")),
    Column(N_("Version")),
    Column(N_("Tasks"), css="num"),
    Column(N_("Components"), css="num"),
    Column(N_("Maximum resources")),
    Column(N_("Owner"), "owner"),
    Column(N_("Updated"), "updated"),
)
_WAYS_OUT = {
    "app_not_yours": N_("An App with this id exists and you may not edit it. Choose “Upload as a new App”."),
    "version_exists": N_(
        "This version exists with other content. Raise `version` in the file, or choose “Upload as a new App”."
    ),
}
"""The service's words name options of the command line; here the way out is the box in the form."""


@dataclass(frozen=True)
class AppListPage(PageContext):
    """P3, the list."""

    template: ClassVar[str] = "apps/list.html"
    nav: ClassVar[str] = "apps"
    table: Table
    lines: tuple[AppLine, ...]
    may_create: bool

    @property
    def filtered(self) -> bool:
        """Whether a filter hides something."""
        return bool(self.table.query.filters)


@dataclass(frozen=True)
class AppPage(PageContext):
    """P3, one App; `text` is the spec file that is looked at, "" without any version."""

    template: ClassVar[str] = "apps/app.html"
    nav: ClassVar[str] = "apps"
    tab: str
    found: AppDetail
    text: str
    editors: tuple[User, ...]
    form: Form
    may_create: bool
    may_request: bool

    def href(self, **changed: str) -> str:
        """This App's page with another tab or version."""
        chosen = self.found.chosen.version if self.found.chosen else ""
        pairs = {"tab": self.tab, "v": chosen} | changed
        return f"/apps/{self.found.line.app.id}?{urlencode({name: value for name, value in pairs.items() if value})}"


@dataclass(frozen=True)
class NewAppPage(PageContext):
    """P3, the form of a new App."""

    template: ClassVar[str] = "apps/new.html"
    nav: ClassVar[str] = "apps"
    form: Form


@dataclass(frozen=True)
class UploadPage(PageContext):
    """P3, the form for a spec file, with all its problems after a try."""

    template: ClassVar[str] = "apps/upload.html"
    nav: ClassVar[str] = "apps"
    form: Form
    problems: tuple[dict[str, str], ...] = field(default=())
    errors: int = 0


@get("/apps", guards=[VISIT], include_in_schema=False)
async def app_list(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame
) -> Response[str]:
    """P3, the list."""
    filters = {"q": None, "owner": ("me",), "status": STATUSES}
    query = TableQuery.of(request, filters=filters, sorts=appview.SORTS, default_sort="-updated", size=ROWS)
    wanted = Wanted(
        q=query.filter("q"),
        mine=query.filter("owner") == "me",
        status=query.filter("status"),
        sort=query.sort,
        descending=query.descending,
    )
    found = await appview.page(session, actor, settings, wanted, query.number, query.size)
    words = translations(frame.language).gettext
    table = Table(query, _COLUMNS, found.total, len(found.items), _chips(query, words))
    return shown(frame, AppListPage(table, tuple(found.items), allowed(actor, Permission.APP_CREATE)))


def _chips(query: TableQuery, words: Any) -> tuple[Chip, ...]:
    texts = {"q": f"“{query.filter('q')}”", "owner": words("Mine")}
    if query.filter("status"):
        texts["status"] = words(LABELS.app[query.filter("status")].text)
    without = {"q": query.href(q=""), "owner": query.href(owner=""), "status": query.href(status="")}
    return tuple(Chip(texts[name], without[name]) for name in query.filters)


@get("/apps/{app_id:str}", guards=[VISIT], include_in_schema=False)
async def app_page(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    app_id: FromPath[str],
    v: Annotated[str | None, QueryParameter(max_length=64, description="A version to look at.")] = None,
    tab: Annotated[str, QueryParameter(max_length=16, description="summary, spec or versions.")] = TABS[0],
) -> Response[str]:
    """P3, one App."""
    return shown(frame, await page_of(session, actor, settings, app_id, version=v, tab=tab))


async def page_of(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    app_id: str,
    *,
    version: str | None = None,
    tab: str = TABS[0],
    form: Form = NO_FORM,
) -> AppPage:
    """P3, one App, with what was wrong in the form of its co-editors."""
    found = await appview.detail(session, actor, settings, app_id, version)
    app = found.line.app
    return AppPage(
        tab=tab if tab in TABS else TABS[0],
        found=found,
        text=_file_text(found.chosen.spec) if found.chosen else "",
        editors=tuple(await coeditors.of(session, app)),
        form=form,
        may_create=allowed(actor, Permission.APP_CREATE),
        may_request=app.archived_at is None and allowed(actor, Permission.APP_SUBMIT, app_facts(app)),
    )


@get("/apps/{app_id:str}/spec.json", guards=[VISIT], include_in_schema=False)
async def spec_file(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    app_id: FromPath[str],
    v: Annotated[str | None, QueryParameter(max_length=64, description="Which version; default: the newest.")] = None,
) -> Response[bytes]:
    """The spec file of a version, to keep. Raises NotFound."""
    found = await appview.detail(session, actor, settings, app_id, v)
    chosen = found.chosen or await apps.version(session, actor, app_id, v or drafts.FIRST_VERSION)
    named = f'attachment; filename="{chosen.app_id}-{chosen.version}.json"'
    headers = {"Content-Disposition": named, "Cache-Control": "no-store"}
    return Response(_file_text(chosen.spec).encode(), media_type="application/json", headers=headers)


def _file_text(spec: dict[str, Any]) -> str:
    return json.dumps(spec, ensure_ascii=False, indent=2) + "\n"


@get("/new-app", guards=[VISIT_SUBMIT], include_in_schema=False, sync_to_thread=False)
def new_app_form(frame: PageFrame) -> Response[str]:
    """P3, New App. Not below /apps/: an App may be called "new"."""
    return shown(frame, NewAppPage(Form()))


@post("/new-app", guards=[VISIT_SUBMIT], include_in_schema=False)
async def new_app(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, fields: FormData
) -> Response[str] | Response[None]:
    """An App without versions, and on to where its first Task is added."""
    lab_visible = fields.get("visibility", "lab") != "private"
    name = fields.get("name", "").strip()
    try:
        made = await drafts.create_app(session, actor, settings, name=name, lab_visible=lab_visible)
    except Invalid as error:
        asked = Invalid(error.code, error.message_en, error.message_ko, _at_field(error.problems, "name"))
        return shown(frame, NewAppPage(refused(asked, frame.language, fields)), status=error.status)
    return to(request, f"/apps/{made.id}/builder?tab=app")


def _at_field(problems: tuple[Problem, ...], name: str) -> list[Problem]:
    return [replace(problem, path=name) for problem in problems]


@get("/upload-app", guards=[VISIT_SUBMIT], include_in_schema=False, sync_to_thread=False)
def upload_form(frame: PageFrame) -> Response[str]:
    """P3, Upload JSON."""
    return shown(frame, UploadPage(Form()))


@post("/upload-app", guards=[VISIT_SUBMIT], include_in_schema=False)
async def upload(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, fields: FormData
) -> Response[str] | Response[None]:
    """A spec file becomes a version; with any error nothing is kept, and the text comes back with all of them."""
    content = await _given(request, fields)
    kept = {**fields, "text": content.decode(errors="replace")}
    checked = apps.check(settings, content)
    if not checked.valid:
        return _listed(checked.problems, frame, kept)
    as_new = apps.AUTO_ID if fields.get("as_new") else None
    try:
        made = await apps.upload_spec(session, actor, load_spec(content), as_new)
    except Invalid as error:
        return _listed(error.problems, frame, kept)
    except Conflict as error:
        return shown(frame, UploadPage(_conflict(error, frame, kept)), status=error.status)
    words = translations(frame.language).gettext("%(name)s %(version)s is ready.")
    return to(request, f"/apps/{made.app_id}", toast=words % {"name": made.app.name, "version": made.version})


def _listed(problems: tuple[Problem, ...], frame: PageFrame, kept: dict[str, str]) -> Response[str]:
    listed = tuple(problem_document(problem, frame.language) for problem in problems)
    return shown(frame, UploadPage(Form(kept), listed, len(errors_of(problems))), status=422)


async def _given(request: Asked, fields: dict[str, str]) -> bytes:
    """The chosen file; without one, what was typed."""
    file = (await request.form()).get("file")
    content = await file.read() if isinstance(file, UploadFile) else b""
    return content or fields.get("text", "").encode()


def _conflict(error: ServiceError, frame: PageFrame, kept: dict[str, str]) -> Form:
    form = refused(error, frame.language, kept)
    way_out = _WAYS_OUT.get(error.code)
    return replace(form, message=translations(frame.language).gettext(way_out)) if way_out else form


ROUTES = [app_list, app_page, spec_file, new_app_form, new_app, upload_form, upload]
