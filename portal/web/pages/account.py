"""P25, my account: what the portal knows of me, my tokens, how I want pages, and where I am signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, cast
from zoneinfo import available_timezones

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from portal.auth.browser import Visitor
from portal.db.models import BrowserSession, Token, User
from portal.services import accounts, browsersessions, identities, mapping, passwords, preferences, quota, tokens
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.errors import Invalid, ServiceError
from portal.services.tokens import ROLE_SCOPES, Scope
from portal.settings import Settings
from portal.web import cookies
from portal.web.catalogue import translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.devices import device_name
from portal.web.forms import Form, refused
from portal.web.frame import Frame
from portal.web.pageguards import VISIT, WITHOUT_PASSWORD
from portal.web.pages import accountnotices
from portal.web.pages.answers import own_path, to
from portal.web.pages.confirm import ConfirmPage
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]
TOKEN_DAYS: Final = (30, 90, 365)
TABS: Final = ("profile", "tokens", "notifications", "display", "sessions")
_TOKENS, _SESSIONS = "/account?tab=tokens", "/account?tab=sessions"


@dataclass(frozen=True)
class PasswordPage(PageContext):
    """P1 with a one-time password: set another first; from here also whenever one likes."""

    template: ClassVar[str] = "account/password.html"
    form: Form


@dataclass(frozen=True)
class ProfilePage(PageContext):
    """P25, profile; `mapping` is its state, "" without one; `providers` are those of SSO that sign this person in."""

    template: ClassVar[str] = "account/profile.html"
    tab: ClassVar[str] = "profile"
    user: User
    mapping: str
    waiting: int
    may_wait: int
    providers: tuple[str, ...]


@dataclass(frozen=True)
class TokensPage(PageContext):
    """P25, tokens; `value` is the new one's, in this answer only."""

    template: ClassVar[str] = "account/tokens.html"
    tab: ClassVar[str] = "tokens"
    lines: tuple[tuple[Token, str], ...]
    scopes: tuple[str, ...]
    chosen: frozenset[str]
    form: Form
    value: str = ""
    days: tuple[int, ...] = TOKEN_DAYS


@dataclass(frozen=True)
class DisplayPage(PageContext):
    """P25, display."""

    template: ClassVar[str] = "account/display.html"
    tab: ClassVar[str] = "display"
    user: User
    zones: tuple[str, ...]
    site_zone: str
    form: Form
    rows: tuple[int, ...] = preferences.ROWS


@dataclass(frozen=True)
class SessionsPage(PageContext):
    """P25, sessions: each with what the browser calls itself; `here` is the one that asks."""

    template: ClassVar[str] = "account/sessions.html"
    tab: ClassVar[str] = "sessions"
    lines: tuple[tuple[BrowserSession, str], ...]
    here: int


@get("/account", guards=[VISIT], include_in_schema=False)
async def account(
    session: Session,
    actor: Asker,
    frame: PageFrame,
    settings: SiteSettings,
    tab: Annotated[str, QueryParameter(max_length=16, description="One of TABS.")] = TABS[0],
) -> Response[str]:
    """P25."""
    if tab == "tokens":
        return shown(frame, await _tokens(session, actor))
    if tab == "notifications":
        return shown(frame, await accountnotices.page_of(session, actor, settings, frame))
    if tab == "display":
        return shown(frame, await _display(session, actor, settings))
    if tab == "sessions":
        return shown(frame, await _sessions(session, actor, frame))
    return shown(frame, await _profile(session, actor, settings))


async def _profile(session: AsyncSession, actor: Actor, settings: Settings) -> ProfilePage:
    user = await accounts.user_of(session, actor)
    waiting = await quota.waiting_of(session, user.id)
    providers = (await identities.providers_of(session, [user.id])).get(user.id, ())
    return ProfilePage(user, mapping.shown_state(user), waiting, settings.limits.pending_workloads, providers)


async def _tokens(
    session: AsyncSession,
    actor: Actor,
    form: Form | None = None,
    chosen: frozenset[str] = frozenset({Scope.READ.value}),
    value: str = "",
) -> TokensPage:
    found = await tokens.tokens_of(session, actor)
    mine = ROLE_SCOPES[Role(actor.role)]
    lines = tuple((token, tokens.status_of(token)) for token in found)
    return TokensPage(lines, tuple(scope.value for scope in Scope if scope in mine), chosen, form or Form(), value)


async def _display(session: AsyncSession, actor: Actor, settings: Settings, form: Form | None = None) -> DisplayPage:
    user = await accounts.user_of(session, actor)
    zones = tuple(sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC"))
    return DisplayPage(user, zones, settings.web.time_zone, form or Form())


async def _sessions(session: AsyncSession, actor: Actor, frame: Frame) -> SessionsPage:
    found = await browsersessions.of_user(session, actor)
    return SessionsPage(tuple((one, device_name(one.browser)) for one in found), _visitor(frame).session_id)


def _visitor(frame: Frame) -> Visitor:
    """Behind VISIT there is one."""
    return cast(Visitor, frame.visitor)


@post("/account/tokens", guards=[VISIT], include_in_schema=False)
async def make_token(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """A token of one's own; its value stands in this answer and nowhere else."""
    posted = await request.form()
    asked = frozenset(str(scope) for scope in posted.getall("scopes", []))
    fields = {name: str(posted.get(name, "")) for name in ("name", "days")}
    try:
        scopes = [Scope(scope) for scope in asked & set(Scope)]
        days = int(fields["days"]) if fields["days"] in {str(days) for days in TOKEN_DAYS} else TOKEN_DAYS[0]
        name = fields["name"].strip()[: tokens.MAX_NAME_CHARS]
        _, value = await tokens.make_token(session, actor, actor.name, name=name, scopes=scopes, days=days)
    except ServiceError as error:
        form = refused(error, frame.language, fields, field_of={"scope_too_wide": "scopes"})
        return shown(frame, await _tokens(session, actor, form, asked), status=error.status)
    return shown(frame, await _tokens(session, actor, value=value), status=201)


@get("/account/tokens/{token_id:int}/revoke", guards=[VISIT], include_in_schema=False)
async def ask_to_revoke(session: Session, actor: Asker, frame: PageFrame, token_id: FromPath[int]) -> Response[str]:
    """Sure?"""
    token = await tokens.token_for(session, actor, token_id)
    say = translations(frame.language)
    page = ConfirmPage(
        title=say.gettext("Revoke the token %(name)s") % {"name": token.name},
        sentence=say.gettext("Programs that use %(prefix)s… are refused from now on. This cannot be taken back.")
        % {"prefix": token.prefix},
        action=f"/account/tokens/{token.id}/revoke",
        verb=say.gettext("Revoke"),
        back=_TOKENS,
    )
    return shown(frame, page)


@post("/account/tokens/{token_id:int}/revoke", guards=[VISIT], include_in_schema=False)
async def revoke_token(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, token_id: FromPath[int]
) -> Response[None]:
    """End a token."""
    token = await tokens.revoke_token(session, actor, token_id)
    words = translations(frame.language).gettext("Token %(name)s revoked.")
    return to(request, _TOKENS, toast=words % {"name": token.name})


@post("/account/display", guards=[VISIT], include_in_schema=False)
async def set_display(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, settings: SiteSettings, fields: FormData
) -> Response[str] | Response[None]:
    """Keep how this person wants pages."""
    rows = fields.get("rows_per_page", "")
    try:
        user = await preferences.change(
            session,
            actor,
            language=preferences.known_language(fields.get("language", "")),
            theme=preferences.known_theme(fields.get("theme", "")),
            time_zone=fields.get("time_zone", ""),
            single_keys="single_keys" in fields,
            rows_per_page=int(rows) if rows.isascii() and rows.isdigit() and len(rows) < 5 else 0,
        )
    except Invalid as error:
        form = refused(error, frame.language, fields)
        return shown(frame, await _display(session, actor, settings, form), status=error.status)
    kept = [
        cookies.remembered(settings, cookies.LANGUAGE, user.language),
        cookies.remembered(settings, cookies.THEME, user.theme),
    ]
    said = translations("en" if user.language == "en" else "ko").gettext("Saved.")
    return to(request, "/account?tab=display", toast=said, set_cookies=kept)


@post("/account/sessions/{session_id:int}/end", guards=[VISIT], include_in_schema=False)
async def end_session(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, settings: SiteSettings, session_id: FromPath[int]
) -> Response[None]:
    """Sign one browser out; this very one goes to the sign-in."""
    await browsersessions.end_one(session, actor, session_id)
    if session_id == _visitor(frame).session_id:
        return to(request, "/login", set_cookies=[cookies.forget(settings, cookies.SESSION)])
    return to(request, _SESSIONS, toast=translations(frame.language).gettext("Session ended."))


@post("/account/sessions/end-others", guards=[VISIT], include_in_schema=False)
async def end_other_sessions(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[None]:
    """Sign all other browsers out."""
    count = await browsersessions.end_others(session, actor, _visitor(frame).session_id)
    words = translations(frame.language).ngettext("%(num)s session ended.", "%(num)s sessions ended.", count)
    return to(request, _SESSIONS, toast=words % {"num": count})


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


ROUTES = [
    account,
    make_token,
    ask_to_revoke,
    revoke_token,
    set_display,
    end_session,
    end_other_sessions,
    password_form,
    set_password,
]
