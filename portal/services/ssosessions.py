"""Sessions that an identity provider vouches for: which must be confirmed again, and how they end from its side."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import BrowserSession, Identity, now
from portal.services.audit import Action, Actor, record
from portal.settings import Settings

RETRY = timedelta(minutes=1)
"""After a try at which the provider did not answer."""


def due(found: BrowserSession, settings: Settings) -> bool:
    """Whether the provider must say again that this person still is one."""
    if found.sealed is None or found.asked_at is None:
        return False
    return now() - found.asked_at >= timedelta(minutes=settings.sso.recheck_min)


async def claim(session: AsyncSession, found: BrowserSession) -> bool:
    """Whether it is this request that asks; of many at once exactly one does."""
    mine = update(BrowserSession).where(BrowserSession.id == found.id, BrowserSession.asked_at == found.asked_at)
    return bool((await session.execute(mine.values(asked_at=now()))).rowcount)  # type: ignore[attr-defined]


async def confirmed(session: AsyncSession, session_id: int, sealed: str) -> None:
    """The provider said yes, and gave what asks it the next time."""
    mine = update(BrowserSession).where(BrowserSession.id == session_id)
    await session.execute(mine.values(sealed=sealed, confirmed_at=now()))


async def not_answered(session: AsyncSession, found: BrowserSession, settings: Settings) -> bool:
    """The provider did not answer: whether the session goes on for a while, to ask again soon."""
    sso = settings.sso
    until = (found.confirmed_at or found.created_at) + timedelta(minutes=sso.recheck_min + sso.recheck_grace_min)
    soon = now() - timedelta(minutes=sso.recheck_min) + RETRY
    await session.execute(update(BrowserSession).where(BrowserSession.id == found.id).values(asked_at=soon))
    return now() < until


async def end_here(session: AsyncSession, actor: Actor, session_id: int, why: str) -> None:
    """End one session because the provider does not vouch for it any more."""
    found = await session.get(BrowserSession, session_id)
    if found is not None:
        await session.delete(found)
        record(session, actor, Action.SIGN_OUT, "user", found.user.username, after={"sessions": 1, "why": why})


async def end_at_provider(session: AsyncSession, actor: Actor, issuer: str, subject: str, sid: str) -> int:
    """End the session that the provider calls `sid`, or without one all of the person's; how many there were."""
    query = select(BrowserSession).join(Identity, BrowserSession.identity_id == Identity.id)
    query = query.where(Identity.issuer == issuer)
    query = query.where(BrowserSession.provider_sid == sid) if sid else query
    query = query.where(Identity.subject == subject) if subject else query
    ended = list(await session.scalars(query)) if sid or subject else []
    for found in ended:
        await session.delete(found)
        facts = {"sessions": 1, "why": "signed out at the provider"}
        record(session, actor, Action.SIGN_OUT, "user", found.user.username, after=facts)
    return len(ended)
