"""`one login` at the browser: a terminal asks to act for whoever is signed in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from litestar import Request, Response, get, post
from litestar.params import QueryParameter

from portal.db.models import CliLogin
from portal.services import clilogins
from portal.services.errors import NotFound
from portal.web.catalogue import translations
from portal.web.context import Asker, FormData, PageFrame, Session
from portal.web.forms import Form
from portal.web.pageguards import VISIT
from portal.web.pages.answers import to
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]


@dataclass(frozen=True)
class ConnectPage(PageContext):
    """Which terminal asks, with the code to compare; without one the field to type it in."""

    template: ClassVar[str] = "signin/connect.html"
    login: CliLogin | None
    code: str
    form: Form
    days: int = clilogins.TOKEN_DAYS


@get("/connect", guards=[VISIT], include_in_schema=False)
async def connect_page(
    session: Session,
    frame: PageFrame,
    code: Annotated[str, QueryParameter(max_length=32, description="As the terminal shows it.")] = "",
) -> Response[str]:
    """The question."""
    if not code:
        return shown(frame, ConnectPage(None, "", Form()))
    try:
        found = await clilogins.waiting(session, code)
    except NotFound:
        said = translations(frame.language).gettext("No terminal waits with this code. Start `one login` again.")
        return shown(frame, ConnectPage(None, "", Form({"code": code}, {"code": (said,)})), status=404)
    return shown(frame, ConnectPage(found, clilogins.shown_code(found), Form()))


@post("/connect", guards=[VISIT], include_in_schema=False)
async def connect(request: Asked, session: Session, actor: Asker, frame: PageFrame, fields: FormData) -> Response[None]:
    """The answer."""
    yes = fields.get("decision") == "yes"
    await clilogins.decide(session, actor, fields.get("code", ""), yes=yes)
    say = translations(frame.language)
    text = say.gettext("The terminal is signed in. Go on there.") if yes else say.gettext("The terminal was refused.")
    return to(request, "/account?tab=tokens", toast=text)


ROUTES = [connect_page, connect]
