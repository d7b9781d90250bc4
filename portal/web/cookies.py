"""The portal's cookies: the session, a visit and a sign-in before it, language and theme; none is readable by scripts."""

from __future__ import annotations

import secrets
from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from portal.settings import Settings

Connection = ASGIConnection[Any, Any, Any, Any]
_YEAR_S = 365 * 24 * 3600
SESSION, VISIT, LANGUAGE, THEME, TOAST = "one_session", "one_visit", "one_language", "one_theme", "one_toast"
SSO = "one_sso"
"""A sign-in that is at an identity provider; comes back with a link from there, so it must be SameSite=Lax."""


def secure(settings: Settings) -> bool:
    """Whether browsers reach the portal by https: then cookies go nowhere else."""
    return settings.web.public_url.startswith("https://")


def cookie_name(settings: Settings, name: str) -> str:
    """With https the name binds the cookie to this host alone (RFC 6265bis section 4.1.3.2)."""
    return f"__Host-{name}" if secure(settings) else name


def read(connection: Connection, name: str) -> str:
    """The value the browser sent; "" without one."""
    return connection.cookies.get(cookie_name(connection.app.state.settings, name), "")


def write(settings: Settings, name: str, value: str, *, max_age_s: int | None = None) -> Cookie:
    """A cookie to set; without an age it goes with the browser."""
    return Cookie(
        key=cookie_name(settings, name),
        value=value,
        path="/",
        max_age=max_age_s,
        secure=secure(settings),
        httponly=True,
        samesite="lax",
    )


def forget(settings: Settings, name: str) -> Cookie:
    """A cookie to remove."""
    return write(settings, name, "", max_age_s=0)


def remembered(settings: Settings, name: str, value: str) -> Cookie:
    """A choice that outlives the session: language or theme."""
    return write(settings, name, value, max_age_s=_YEAR_S)


def new_visit() -> str:
    """A value for somebody who has not signed in yet, so that the sign-in form too has a token."""
    return secrets.token_urlsafe(16)
