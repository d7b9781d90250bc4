"""What an API route asks of the asker: a token, a scope, a role. Pages ask the session instead: portal.web.pageguards."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from portal.auth.bearer import actor_of
from portal.services.access import role_missing
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.tokens import ROLE_SCOPES, Scope, demand_scope
from portal.web.requestid import request_id_of

PUBLIC_PATHS = frozenset(
    {
        "/login",
        "/help",
        "/help/{topic:str}",
        "/static/{file_path:path}",
        "/healthz",
        "/api/v1/schema",
        "/api/v1/schema/openapi.json",
        "/api/v1/schema/{path:str}",  # the framework's own 404 beneath the schema page
        "/api/v1/schema/app-spec.json",
    }
)


def requires(scope: Scope, *, admin: bool = False) -> Guard:
    """A guard that identifies the asker, then asks for the scope (of role and token) and, if told so, the admin role."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        client = connection.client
        actor = await actor_of(
            connection.app.state.sessions,
            connection.headers.get("authorization"),
            address=client.host if client else "",
            request_id=request_id_of(connection.scope),
        )
        connection.scope["user"] = actor
        if actor.user_id is not None:
            connection.app.state.limits.count_call(actor.user_id)
        check(actor, scope, admin)

    guard.__qualname__ = f"requires({scope.value}{', admin' if admin else ''})"
    return guard


def check(actor: Actor, scope: Scope, admin: bool) -> None:
    """Raises Forbidden, naming the role or the scope that is missing."""
    needed = Role.ADMIN if admin else _least_role(scope)
    if (admin and actor.role != Role.ADMIN) or scope not in ROLE_SCOPES[Role(actor.role)]:
        raise role_missing(needed)
    demand_scope(actor, scope)


def _least_role(scope: Scope) -> Role:
    return next(role for role in (Role.VIEWER, Role.RESEARCHER, Role.ADMIN) if scope in ROLE_SCOPES[role])


def before_sign_in(_: ASGIConnection[Any, Any, Any, Any], __: BaseRouteHandler) -> None:
    """The guard of what a terminal asks before it has a token (`one login`): its use case limits and checks it."""


BEFORE_SIGN_IN: Guard = before_sign_in
READ = requires(Scope.READ)
SUBMIT = requires(Scope.SUBMIT)
DOWNLOAD = requires(Scope.DOWNLOAD)
APPROVE = requires(Scope.APPROVE, admin=True)
