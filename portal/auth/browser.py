"""The session cookie -> Visitor, asked of the database at every request; and the form token that only its pages know."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256

from portal.auth.sso.providers import Providers
from portal.auth.sso.recheck import recheck
from portal.db.engine import Sessions
from portal.db.models import BrowserSession, User
from portal.services import browsersessions, ssosessions
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.tokens import ROLE_SCOPES
from portal.settings import Settings

_TOKEN_BYTES = 32
_MAX_COOKIE_CHARS = 128


@dataclass(frozen=True)
class Visitor:
    """A signed-in person at a browser: who acts, and how this person wants pages."""

    actor: Actor
    session_id: int
    display_name: str
    language: str
    theme: str
    time_zone: str
    single_keys: bool
    rows_per_page: int
    must_set_password: bool


async def visitor_of(
    maker: Sessions, settings: Settings, providers: Providers, cookie: str, *, address: str, request_id: str
) -> Visitor:
    """Who sent this cookie, with the role of this moment. Raises Unauthenticated. Commits the last use.

    A session by SSO that is due is confirmed by its provider first.
    """
    if not 0 < len(cookie) <= _MAX_COOKIE_CHARS:
        raise browsersessions.expired()
    found = await session_of(maker, settings, cookie)
    if ssosessions.due(found, settings):
        await recheck(maker, settings, providers, cookie, found)
        found = await session_of(maker, settings, cookie)
    return visitor(found.user, found.id, address=address, request_id=request_id)


async def session_of(maker: Sessions, settings: Settings, cookie: str) -> BrowserSession:
    """The session of this cookie. Raises Unauthenticated. Commits the last use."""
    async with maker() as session:
        found = await browsersessions.find(session, cookie, settings)
        await session.commit()
        return found


def visitor(user: User, session_id: int, *, address: str, request_id: str) -> Visitor:
    """The person as pages want it."""
    return Visitor(
        actor=Actor(
            name=user.username,
            user_id=user.id,
            role=user.role,
            scopes=frozenset(ROLE_SCOPES[Role(user.role)]),
            address=address,
            request_id=request_id,
        ),
        session_id=session_id,
        display_name=user.display_name,
        language=user.language,
        theme=user.theme,
        time_zone=user.time_zone,
        single_keys=user.single_keys,
        rows_per_page=user.rows_per_page,
        must_set_password=user.password_temporary,
    )


def form_token(cookie: str) -> str:
    """What a form must send back: made of the cookie, which no other site can read; masked anew in every page.

    The mask keeps a compressed page's length from telling the token (BREACH, CVE-2013-3587).
    """
    mask = secrets.token_bytes(_TOKEN_BYTES)
    return (mask + _xor(mask, _key(cookie))).hex()


def right_token(cookie: str, token: str) -> bool:
    """Whether `token` was made of this cookie."""
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        return False
    if not cookie or len(raw) != 2 * _TOKEN_BYTES:
        return False
    return hmac.compare_digest(_xor(raw[:_TOKEN_BYTES], raw[_TOKEN_BYTES:]), _key(cookie))


def _key(cookie: str) -> bytes:
    return sha256(b"form:" + cookie.encode()).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
