"""Sign-in and sign-out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from litestar import Request, Response, get, post
from litestar.datastructures import State

from portal.auth.browser import form_token
from portal.services import browsersessions, signin
from portal.services.errors import ServiceError
from portal.web import cookies
from portal.web.catalogue import translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.pageguards import VISIT, WITHOUT_PASSWORD, visiting, visitor_here
from portal.web.pages.answers import own_path, to
from portal.web.rendering import PageContext, shown
from portal.web.requestid import request_id_of

Asked = Request[Any, Any, Any]


@dataclass(frozen=True)
class SignInPage(PageContext):
    """P1: where to go afterwards, why one is here, and the form as it was typed."""

    template: ClassVar[str] = "signin/signin.html"
    next: str
    note: str
    form: Form


@get("/login", include_in_schema=False, sync_to_thread=False)
def sign_in_form(request: Asked, frame: PageFrame, settings: SiteSettings) -> Response[str]:
    """P1; the first visit gets the cookie that its form's token is made of."""
    goal = own_path(request.query_params.get("next", "/"))
    note = ""
    if "expired" in request.query_params:
        note = translations(frame.language).gettext(
            "Your session expired. Sign in again; what you were writing is kept."
        )
    visit = cookies.read(request, cookies.VISIT)
    fresh = not visit
    visit = visit or cookies.new_visit()
    page = SignInPage(goal, note, Form())
    return shown(
        frame.before_sign_in(form_token(visit)),
        page,
        cookies=[cookies.write(settings, cookies.VISIT, visit)] if fresh else None,
    )


@post("/login", guards=[visiting], include_in_schema=False)
async def sign_in(
    request: Asked, state: State, frame: PageFrame, settings: SiteSettings, fields: FormData
) -> Response[str] | Response[None]:
    """Begin a session; a wrong pair comes back with what was typed, but for the password."""
    goal = own_path(fields.get("next", "/"))
    client = request.client
    try:
        found = await signin.sign_in(
            state.sessions,
            settings,
            username=fields.get("username", ""),
            password=fields.get("password", ""),
            address=client.host if client else "",
            browser=request.headers.get("user-agent", ""),
            request_id=request_id_of(request.scope),
        )
    except ServiceError as error:
        return shown(frame, SignInPage(goal, "", refused(error, frame.language, fields)), status=error.status)
    kept = [cookies.write(settings, cookies.SESSION, found.cookie), cookies.forget(settings, cookies.VISIT)]
    return to(request, "/account/password" if found.user.password_temporary else goal, set_cookies=kept)


@post("/logout", guards=[VISIT], opt={WITHOUT_PASSWORD: True}, include_in_schema=False)
async def sign_out(request: Asked, session: Session, actor: Asker, settings: SiteSettings) -> Response[None]:
    """End this session."""
    visitor = visitor_here(request)
    if visitor is not None:
        await browsersessions.end_one(session, actor, visitor.session_id)
    return to(request, "/login", set_cookies=[cookies.forget(settings, cookies.SESSION)])


@get("/session", guards=[VISIT], opt={WITHOUT_PASSWORD: True}, include_in_schema=False, sync_to_thread=False)
def form_token_again(frame: PageFrame) -> dict[str, str]:
    """The form token of this session, for a page that was open while its own session ended."""
    return {"token": frame.form_token}


ROUTES = [sign_in_form, sign_in, sign_out, form_token_again]
