"""Signed-in browsers: a random cookie of which only the SHA-256 is kept, with an idle and an absolute end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import BrowserSession, Identity, User, now
from portal.services.audit import Action, Actor, record
from portal.services.errors import NotFound, Unauthenticated
from portal.services.sealing import seal
from portal.settings import Settings

SEEN_STEP = timedelta(minutes=1)
"""Last use is written at most this often."""
_COOKIE_BYTES = 32
_BROWSER_CHARS = 200


@dataclass(frozen=True)
class Origin:
    """Where a session by SSO comes from: whose identity, the provider's own id of it, and what asks the provider again.

    `kept` is sealed with the session's cookie. `ends_at` is the provider's own end, if it named one.
    """

    identity: Identity
    provider_sid: str = ""
    kept: str = ""
    ends_at: datetime | None = None


async def begin(
    session: AsyncSession, user: User, *, address: str, browser: str, settings: Settings, origin: Origin | None = None
) -> str:
    """A new session and the value of its cookie, which is never kept. Sessions whose time is over are swept away."""
    moment = now()
    await session.execute(delete(BrowserSession).where(BrowserSession.ends_at <= moment))
    value = secrets.token_urlsafe(_COOKIE_BYTES)
    made = BrowserSession(
        user=user,
        sha256=_digest(value),
        address=address,
        browser=browser[:_BROWSER_CHARS],
        ends_at=moment + timedelta(hours=settings.web.session_hours),
    )
    if origin is not None:
        made.identity, made.provider_sid = origin.identity, origin.provider_sid or None
        made.sealed = seal(value, origin.kept) if origin.kept else None
        made.asked_at = made.confirmed_at = moment
        made.ends_at = min(made.ends_at, origin.ends_at or made.ends_at)
    session.add(made)
    user.signed_in_at = moment
    await session.flush()
    return value


async def find(session: AsyncSession, value: str, settings: Settings) -> BrowserSession:
    """The session of this cookie, its last use noted. Raises Unauthenticated: unknown, over, idle too long, or deactivated."""
    found = await session.scalar(select(BrowserSession).where(BrowserSession.sha256 == _digest(value)))
    moment = now()
    idle = timedelta(minutes=settings.web.session_idle_min)
    if found is None or found.ends_at <= moment or found.seen_at + idle <= moment or not found.user.active:
        raise expired()
    if moment - found.seen_at >= SEEN_STEP:
        found.seen_at = moment
    return found


async def of_user(session: AsyncSession, actor: Actor) -> list[BrowserSession]:
    """The actor's signed-in browsers, the one used last first."""
    query = select(BrowserSession).where(BrowserSession.user_id == actor.user_id, BrowserSession.ends_at > now())
    return list(await session.scalars(query.order_by(BrowserSession.seen_at.desc())))


async def end_one(session: AsyncSession, actor: Actor, session_id: int) -> None:
    """End one of one's own sessions. Raises NotFound."""
    found = await session.get(BrowserSession, session_id)
    if found is None or found.user_id != actor.user_id:
        raise NotFound("session", str(session_id))
    await session.delete(found)
    record(session, actor, Action.SIGN_OUT, "user", actor.name, after={"sessions": 1})


async def end_others(session: AsyncSession, actor: Actor, here: int) -> int:
    """End all of one's own sessions but the one with id `here`; how many there were."""
    user = await session.get_one(User, actor.user_id)
    count = await end_all(session, user, but=here)
    if count:
        record(session, actor, Action.SIGN_OUT, "user", actor.name, after={"sessions": count})
    return count


async def end_all(session: AsyncSession, user: User, *, but: int = 0) -> int:
    """End the person's sessions, except the one with id `but`; how many there were."""
    query = select(BrowserSession).where(BrowserSession.user_id == user.id, BrowserSession.id != but)
    ended = list(await session.scalars(query))
    for found in ended:
        await session.delete(found)
    return len(ended)


def expired() -> Unauthenticated:
    """The one answer to a cookie that does not count."""
    return Unauthenticated(
        "session_expired",
        "Your session expired. Sign in again; what you were writing is kept.",
        "세션이 만료되었습니다. 다시 로그인하면 작성하던 내용이 그대로 있습니다.",
    )


def _digest(value: str) -> str:
    return sha256(value.encode()).hexdigest()
