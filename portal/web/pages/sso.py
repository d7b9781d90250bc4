"""Sign-in by identity providers: the browser leaves and comes back; what came with it is proven before it counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from litestar import MediaType, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler

from portal.auth.sso.signin import OIDC, SAML, Arrival, SignIns, Visit
from portal.services.errors import ServiceError, Unauthenticated
from portal.web import cookies
from portal.web.context import FormData, PageFrame, SiteSettings
from portal.web.frame import Frame
from portal.web.pages.answers import own_path, to
from portal.web.rendering import PageContext, shown
from portal.web.requestid import request_id_of

Asked = Request[Any, Any, Any]
_COOKIE_S = 600


@dataclass(frozen=True)
class SsoRefusedPage(PageContext):
    """Why a sign-in by a provider made no session, whom to ask, and the way to try again."""

    template: ClassVar[str] = "signin/refused.html"
    said: str
    contact: str


@dataclass(frozen=True)
class SsoGoOnPage(PageContext):
    """After a form that may lead nowhere but to this site (form-action): the browser goes on from this page by itself."""

    template: ClassVar[str] = "signin/go-on.html"
    address: str


async def configured(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of these routes: nobody is signed in yet, and what they take is signed. Raises Unauthenticated without SSO.

    None of them does anything for the session that the browser may have: what they change is a new session.
    """
    providers = connection.app.state.providers
    known = providers.oidc if str(handler.opt.get("provider")) == OIDC else providers.saml
    if known is None:
        raise Unauthenticated("sso_off", "This site has no such sign-in.", "이 사이트에는 없는 로그인 방식입니다.")


@get("/sso/oidc/start", guards=[configured], opt={"provider": OIDC}, include_in_schema=False)
async def oidc_start(request: Asked, state: State, frame: PageFrame, settings: SiteSettings) -> Response[Any]:
    """Off to the OpenID Connect provider."""
    return await _leave(request, state.sign_ins, frame, settings, OIDC)


@get("/sso/saml/start", guards=[configured], opt={"provider": SAML}, include_in_schema=False)
async def saml_start(request: Asked, state: State, frame: PageFrame, settings: SiteSettings) -> Response[Any]:
    """Off to the SAML provider."""
    return await _leave(request, state.sign_ins, frame, settings, SAML)


@get("/sso/oidc/callback", guards=[configured], opt={"provider": OIDC}, include_in_schema=False)
async def oidc_callback(request: Asked, state: State, frame: PageFrame, settings: SiteSettings) -> Response[Any]:
    """Back with a code, which is exchanged here and never shown to a page."""
    query = dict(request.query_params)
    return await _finish(request, frame, settings, lambda: state.sign_ins.come_back(query, _visit(request)))


@post("/sso/saml/acs", guards=[configured], opt={"provider": SAML}, include_in_schema=False)
async def saml_answer(
    request: Asked, state: State, frame: PageFrame, settings: SiteSettings, fields: FormData
) -> Response[Any]:
    """Back with an assertion. The provider's page posts it, so the browser sends no cookie of ours: the next step asks it."""
    given = fields.get("SAMLResponse", ""), fields.get("RelayState", "")
    try:
        flow = await state.sign_ins.take_assertion(*given, _visit(request))
    except ServiceError as error:
        return _refused(frame, settings, error)
    return to(request, f"/sso/saml/finish?state={flow}")


@get("/sso/saml/finish", guards=[configured], opt={"provider": SAML}, include_in_schema=False)
async def saml_finish(request: Asked, state: State, frame: PageFrame, settings: SiteSettings) -> Response[Any]:
    """The browser that began it comes for its session."""
    wanted = str(request.query_params.get("state", ""))
    return await _finish(request, frame, settings, lambda: state.sign_ins.collect(wanted, _visit(request)))


@get("/sso/saml/metadata", guards=[configured], opt={"provider": SAML}, include_in_schema=False, sync_to_thread=True)
def saml_metadata(state: State) -> Response[str]:
    """This portal's own description, for the provider's administrator."""
    return Response(state.providers.saml.description(), media_type="application/samlmetadata+xml")


@post(
    "/sso/oidc/backchannel",
    guards=[configured],
    opt={"provider": OIDC},
    include_in_schema=False,
    status_code=200,
    media_type=MediaType.TEXT,
)
async def backchannel_logout(request: Asked, state: State, fields: FormData) -> Response[str]:
    """The provider ended a session: ours of the same sign-in end too.

    Source: https://openid.net/specs/openid-connect-backchannel-1_0.html#BCResponse
    """
    headers = {"Cache-Control": "no-store"}
    try:
        await state.sign_ins.ended_there(fields.get("logout_token", ""), _visit(request))
    except Unauthenticated as error:
        return Response(error.message_en, status_code=400, headers=headers, media_type=MediaType.TEXT)
    return Response("", status_code=200, headers=headers, media_type=MediaType.TEXT)


async def _leave(
    request: Asked, sign_ins: SignIns, frame: Frame, settings: SiteSettings, provider: str
) -> Response[Any]:
    goal = own_path(str(request.query_params.get("next", "/")))
    client = request.client
    try:
        departure = await sign_ins.leave(provider, goal, client.host if client else "")
    except ServiceError as error:
        return _refused(frame, settings, error)
    kept = cookies.write(settings, cookies.SSO, departure.cookie, max_age_s=_COOKIE_S)
    return to(request, departure.address, set_cookies=[kept])


async def _finish(
    request: Asked, frame: Frame, settings: SiteSettings, collect: Callable[[], Awaitable[Arrival]]
) -> Response[Any]:
    try:
        arrival = await collect()
    except ServiceError as error:
        return _refused(frame, settings, error)
    kept = [
        cookies.write(settings, cookies.SESSION, arrival.cookie),
        cookies.forget(settings, cookies.SSO),
        cookies.forget(settings, cookies.VISIT),
    ]
    return to(request, own_path(arrival.goal), set_cookies=kept)


def _refused(frame: Frame, settings: SiteSettings, error: ServiceError) -> Response[str]:
    said = error.message_ko if frame.language == "ko" else error.message_en
    # Not 401: a browser without a way to answer it shows nothing at all.
    status = 403 if isinstance(error, Unauthenticated) else error.status
    return shown(frame, SsoRefusedPage(said, settings.sso.contact), status=status)


def _visit(request: Asked) -> Visit:
    client = request.client
    return Visit(
        cookie=cookies.read(request, cookies.SSO),
        address=client.host if client else "",
        browser=request.headers.get("user-agent", ""),
        request_id=request_id_of(request.scope),
    )


ROUTES = [
    oidc_start,
    oidc_callback,
    backchannel_logout,
    saml_start,
    saml_answer,
    saml_finish,
    saml_metadata,
]
