"""What a page route asks: a session, a role, and for every change a form token from this very site.

Every route has one of these, one of portal.web.guards, or stands in guards.PUBLIC_PATHS.
"""

from __future__ import annotations

from litestar.connection import Request
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from portal.auth.browser import Visitor, right_token, visitor_of
from portal.services.errors import Conflict, Forbidden
from portal.services.tokens import Scope
from portal.web import cookies
from portal.web.cookies import Connection
from portal.web.guards import check
from portal.web.posted import form_of
from portal.web.requestid import request_id_of

TOKEN_FIELD = "form_token"
TOKEN_HEADER = "x-form-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
WITHOUT_PASSWORD = "works_before_password"
"""Option of the few routes that somebody with a one-time password may use before setting another."""


def visits(scope: Scope = Scope.READ, *, admin: bool = False) -> Guard:
    """A guard that finds the visitor by the session cookie, then asks for the right, and of a change for the form token."""

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        visitor = await find_visitor(connection)
        await from_this_site(connection, cookies.SESSION)
        if visitor.must_set_password and not handler.opt.get(WITHOUT_PASSWORD):
            raise PasswordFirst()
        check(visitor.actor, scope, admin)

    guard.__qualname__ = f"visits({scope.value}{', admin' if admin else ''})"
    return guard


async def find_visitor(connection: Connection) -> Visitor:
    """Who sent the session cookie, from now on known to the whole request. Raises Unauthenticated."""
    client = connection.client
    visitor = await visitor_of(
        connection.app.state.sessions,
        connection.app.state.settings,
        connection.app.state.providers,
        cookies.read(connection, cookies.SESSION),
        address=client.host if client else "",
        request_id=request_id_of(connection.scope),
    )
    connection.scope["user"] = visitor.actor
    connection.scope["auth"] = visitor
    return visitor


class PasswordFirst(Conflict):
    """The one-time password must be replaced before anything else."""

    def __init__(self) -> None:
        super().__init__("password_first", "Set a new password first.", "먼저 새 비밀번호를 정하세요.")


async def visiting(connection: Connection, _: BaseRouteHandler) -> None:
    """The guard of what nobody is signed in for: a change still needs the form token of this browser's visit."""
    await from_this_site(connection, cookies.VISIT)


async def either(connection: Connection, handler: BaseRouteHandler) -> None:
    """The guard of what works before and after the sign-in: the language and the theme."""
    if cookies.read(connection, cookies.SESSION):
        await VISIT(connection, handler)  # type: ignore[misc]
    else:
        await visiting(connection, handler)


async def from_this_site(connection: Connection, cookie: str) -> None:
    """Raises Forbidden for a change that no page of ours sent: another site's form, or one from before the sign-in."""
    if connection.scope.get("method") in SAFE_METHODS or not isinstance(connection, Request):
        return
    if connection.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise _foreign()
    token = connection.headers.get(TOKEN_HEADER)
    if token is None:
        form = await form_of(connection)
        token = str(form.get(TOKEN_FIELD, ""))
    if not right_token(cookies.read(connection, cookie), token):
        raise _foreign()


def _foreign() -> Forbidden:
    return Forbidden(
        "form_token_wrong",
        "This form is from another site or from before you signed in. Reload the page and try again.",
        "다른 사이트에서 왔거나 로그인하기 전의 양식입니다. 페이지를 새로 고치고 다시 시도하세요.",
    )


def visitor_here(connection: Connection) -> Visitor | None:
    """The visitor that the guard found; None where nobody is signed in."""
    found = connection.scope.get("auth")
    return found if isinstance(found, Visitor) else None


VISIT = visits()
VISIT_SUBMIT = visits(Scope.SUBMIT)
VISIT_DOWNLOAD = visits(Scope.DOWNLOAD)
VISIT_ADMIN = visits(Scope.APPROVE, admin=True)
