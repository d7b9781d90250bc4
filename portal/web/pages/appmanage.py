"""P3, what an owner does with a whole App, and two of its versions side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter

from portal.services import appmanage, apps, coeditors
from portal.services.appmanage import Comparison
from portal.services.errors import Invalid
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import refused
from portal.web.pageguards import VISIT, VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.pages.apps import page_of
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]
Version = Annotated[str, QueryParameter(max_length=64, description="A version of the App.")]


@dataclass(frozen=True)
class ComparePage(PageContext):
    """P3, two versions: what differs from one to the other; `known` are all of them, newest first."""

    template: ClassVar[str] = "apps/compare.html"
    nav: ClassVar[str] = "apps"
    app_id: str
    name: str
    known: tuple[str, ...]
    found: Comparison | None
    """None: there are no two versions."""


@get("/apps/{app_id:str}/compare", guards=[VISIT], include_in_schema=False)
async def compare(
    session: Session, actor: Asker, frame: PageFrame, app_id: FromPath[str], old: Version = "", new: Version = ""
) -> Response[str]:
    """Two versions side by side; without a choice the newest and the one before it."""
    versions = await apps.versions(session, actor, app_id)
    known = tuple(one.version for one in versions)
    name = (await apps.get(session, actor, app_id)).name
    if len(known) < 2:
        return shown(frame, ComparePage(app_id, name, known, None))
    found = await appmanage.compare(session, actor, app_id, old or known[1], new or known[0])
    return shown(frame, ComparePage(app_id, name, known, found))


@post("/apps/{app_id:str}/archive", guards=[VISIT_SUBMIT], include_in_schema=False)
async def archive(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, app_id: FromPath[str]
) -> Response[None]:
    """Put it away; its page stays and says so."""
    app = await appmanage.archive(session, actor, app_id)
    return to(request, f"/apps/{app_id}", toast=_said(frame, N_("%(name)s is archived."), app.name))


@post("/apps/{app_id:str}/restore", guards=[VISIT_SUBMIT], include_in_schema=False)
async def restore(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, app_id: FromPath[str]
) -> Response[None]:
    """Take it back."""
    app = await appmanage.restore(session, actor, app_id)
    return to(request, f"/apps/{app_id}", toast=_said(frame, N_("%(name)s is back from the archive."), app.name))


@post("/apps/{app_id:str}/share", guards=[VISIT_SUBMIT], include_in_schema=False)
async def share(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, fields: FormData, app_id: FromPath[str]
) -> Response[None]:
    """Who sees it, and whether they read the logs of its runs."""
    visibility, logs = fields.get("visibility", ""), bool(fields.get("share_logs"))
    app = await appmanage.share(session, actor, app_id, visibility=visibility, share_logs=logs)
    return to(request, f"/apps/{app_id}", toast=_said(frame, N_("Who sees %(name)s is saved."), app.name))


@post("/apps/{app_id:str}/editors", guards=[VISIT_SUBMIT], include_in_schema=False)
async def add_editor(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    fields: FormData,
    app_id: FromPath[str],
) -> Response[str] | Response[None]:
    """One more person edits it; a name that is none comes back at its field."""
    try:
        user = await coeditors.add(session, actor, app_id, fields.get("username", "").strip())
    except Invalid as error:
        form = refused(error, frame.language, fields)
        page = await page_of(session, actor, settings, app_id, form=form)
        return shown(frame, page, status=error.status)
    return to(request, f"/apps/{app_id}", toast=_said(frame, N_("%(name)s may edit this App now."), user.display_name))


@post("/apps/{app_id:str}/editors/{username:str}/remove", guards=[VISIT_SUBMIT], include_in_schema=False)
async def remove_editor(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, app_id: FromPath[str], username: FromPath[str]
) -> Response[None]:
    """One person less."""
    user = await coeditors.remove(session, actor, app_id, username)
    said = _said(frame, N_("%(name)s may no longer edit this App."), user.display_name)
    return to(request, f"/apps/{app_id}", toast=said)


@post("/apps/{app_id:str}/duplicate", guards=[VISIT_SUBMIT], include_in_schema=False)
async def duplicate(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    fields: FormData,
    app_id: FromPath[str],
) -> Response[None]:
    """A copy of one's own, opened in the Builder."""
    made = await appmanage.duplicate(session, actor, settings, app_id, fields.get("version", ""))
    return to(request, f"/apps/{made.id}/builder?tab=app", toast=_said(frame, N_("%(name)s was copied."), made.name))


@post("/apps/{app_id:str}/draft", guards=[VISIT_SUBMIT], include_in_schema=False)
async def draft_from(
    request: Asked, session: Session, actor: Asker, fields: FormData, app_id: FromPath[str]
) -> Response[None]:
    """A draft that begins as an older version, opened in the Builder."""
    await appmanage.draft_from(session, actor, app_id, fields.get("version", ""))
    return to(request, f"/apps/{app_id}/builder?tab=app")


def _said(frame: PageFrame, text: str, name: str) -> str:
    return translations(frame.language).gettext(text) % {"name": name}


ROUTES = [compare, archive, restore, share, add_editor, remove_editor, duplicate, draft_from]
