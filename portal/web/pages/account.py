"""My account: the password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from litestar import Request, Response, get, post

from portal.services import browsersessions, passwords
from portal.services.errors import ServiceError
from portal.web import cookies
from portal.web.catalogue import translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.pageguards import VISIT, WITHOUT_PASSWORD
from portal.web.pages.answers import own_path, to
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]


@dataclass(frozen=True)
class PasswordPage(PageContext):
    """P1 with a one-time password: set another first."""

    template: ClassVar[str] = "account/password.html"
    form: Form


@get("/account/password", guards=[VISIT], opt={WITHOUT_PASSWORD: True}, include_in_schema=False, sync_to_thread=False)
def password_form(frame: PageFrame) -> Response[str]:
    """Set a new password."""
    return shown(frame, PasswordPage(Form()))


@post("/account/password", guards=[VISIT], opt={WITHOUT_PASSWORD: True}, include_in_schema=False)
async def set_password(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, settings: SiteSettings, fields: FormData
) -> Response[str] | Response[None]:
    """Set one's own password: all browsers are signed out, and this one in again."""
    given = {name: fields.get(name, "") for name in ("old", "new", "again")}
    try:
        user = await passwords.change_own(session, actor, **given)
    except ServiceError as error:
        return shown(frame, PasswordPage(refused(error, frame.language, {})), status=error.status)
    cookie = await browsersessions.begin(
        session, user, address=actor.address, browser=request.headers.get("user-agent", ""), settings=settings
    )
    words = translations(frame.language).gettext("Password changed. Other browsers were signed out.")
    kept = [cookies.write(settings, cookies.SESSION, cookie)]
    return to(request, own_path(fields.get("next", "/account")), toast=words, set_cookies=kept)


ROUTES = [password_form, set_password]
