"""Sign-in and sign-out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.datastructures import State

from portal.auth.browser import form_token
from portal.auth.sso.providers import Door
from portal.auth.sso.recheck import logout_address
from portal.services import browsersessions, signin
from portal.services.errors import ServiceError
from portal.web import cookies
from portal.web.catalogue import translations
from portal.web.context import Asker, FormData, PageFrame, Session, SettingsFile, SiteSettings
from portal.web.forms import Form, refused
from portal.web.pageguards import VISIT, WITHOUT_PASSWORD, visiting, visitor_here
from portal.web.pages.answers import own_path, to
from portal.web.pages.sso import SsoGoOnPage
from portal.web.rendering import PageContext, shown
from portal.web.requestid import request_id_of

Asked = Request[Any, Any, Any]


@dataclass(frozen=True)
class SignInPage(PageContext):
    """P1: where to go afterwards, why one is here, the form as it was typed, and the providers' buttons."""

    template: ClassVar[str] = "signin/signin.html"
    next: str
    note: str
    form: Form
    doors: tuple[Door, ...] = ()
    sso_next: str = ""


@get("/login", include_in_schema=False)
async def sign_in_form(request: Asked, state: State, frame: PageFrame, settings_file: SettingsFile) -> Response[str]:
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
    page = await _page(state, goal, note, Form())
    return shown(
        frame.before_sign_in(form_token(visit)),
        page,
        cookies=[cookies.write(settings_file, cookies.VISIT, visit)] if fresh else None,
    )


@post("/login", guards=[visiting], include_in_schema=False)
async def sign_in(
    request: Asked, state: State, frame: PageFrame, settings_file: SettingsFile, fields: FormData
) -> Response[str] | Response[None]:
    """Begin a session; a wrong pair comes back with what was typed, but for the password."""
    goal = own_path(fields.get("next", "/"))
    client = request.client
    try:
        found = await signin.sign_in(
            state.sessions,
            settings_file,
            username=fields.get("username", ""),
            password=fields.get("password", ""),
            address=client.host if client else "",
            browser=request.headers.get("user-agent", ""),
            request_id=request_id_of(request.scope),
        )
    except ServiceError as error:
        page = await _page(state, goal, "", refused(error, frame.language, fields))
        return shown(frame, page, status=error.status)
    kept = [cookies.write(settings_file, cookies.SESSION, found.cookie), cookies.forget(settings_file, cookies.VISIT)]
    return to(request, "/account/password" if found.user.password_temporary else goal, set_cookies=kept)


async def _page(state: State, goal: str, note: str, form: Form) -> SignInPage:
    return SignInPage(goal, note, form, await state.providers.doors(), urlencode({"next": goal}))


@post("/logout", guards=[VISIT], opt={WITHOUT_PASSWORD: True}, include_in_schema=False)
async def sign_out(
    request: Asked, session: Session, state: State, frame: PageFrame, actor: Asker, settings: SiteSettings
) -> Response[Any]:
    """End this session; of one by OpenID Connect the provider's too."""
    visitor = visitor_here(request)
    gone = [cookies.forget(settings, cookies.SESSION)]
    cookie = cookies.read(request, cookies.SESSION)
    found = await browsersessions.find(session, cookie, settings)
    back = f"{settings.web.public_url.rstrip('/')}/login"
    place = await logout_address(state.providers, cookie, found, back)
    if visitor is not None:
        await browsersessions.end_one(session, actor, visitor.session_id)
    if place is None:
        return to(request, "/login", set_cookies=gone)
    return shown(replace(frame, visitor=None), SsoGoOnPage(place), cookies=gone)


@get("/session", guards=[VISIT], opt={WITHOUT_PASSWORD: True}, include_in_schema=False, sync_to_thread=False)
def form_token_again(frame: PageFrame) -> dict[str, str]:
    """The form token of this session, for a page that was open while its own session ended."""
    return {"token": frame.form_token}


ROUTES = [sign_in_form, sign_in, sign_out, form_token_again]
