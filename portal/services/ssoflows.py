"""Sign-ins that are at an identity provider: begun by one browser, ended once, by the same browser, within minutes.

The cookie's value is random and never kept. State, nonce and PKCE verifier are made of it, so that none of them can be read
from the database, and an answer of the provider counts in the browser that asked for it and in no other.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import JsonObject, SsoFlow, now
from portal.services.errors import TooMany, Unauthenticated

LASTS = timedelta(minutes=10)
OPEN_AT_ONCE = 50
"""From one address: a laboratory behind one address signs in together, a script that fills the table does not."""
_COOKIE_BYTES = 32
_MAX_CHARS = 128


@dataclass(frozen=True)
class Flow:
    """What the browser that began a sign-in knows, all of it made of its cookie."""

    cookie: str

    @property
    def state(self) -> str:
        """Comes back with the answer (OIDC's state, SAML's RelayState)."""
        return self._made("state")

    @property
    def nonce(self) -> str:
        """Must be in the ID token."""
        return self._made("nonce")

    @property
    def verifier(self) -> str:
        """Without it the provider exchanges no code (PKCE)."""
        return self._made("verifier")

    def _made(self, purpose: str) -> str:
        digest = hmac.digest(self.cookie.encode(), f"sso:{purpose}".encode(), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_flow() -> Flow:
    """A sign-in that nobody can guess."""
    return Flow(secrets.token_urlsafe(_COOKIE_BYTES))


async def begin(
    session: AsyncSession, flow: Flow, *, provider: str, goal: str, address: str, request_id: str = ""
) -> None:
    """Remember that this browser went to the provider. Raises TooMany (many that never came back, from one address)."""
    moment = now()
    await session.execute(delete(SsoFlow).where(SsoFlow.ends_at <= moment))
    opened = await session.scalar(select(func.count()).select_from(SsoFlow).where(SsoFlow.address == address)) or 0
    if opened >= OPEN_AT_ONCE:
        wait_s = int(LASTS.total_seconds())
        raise TooMany(
            "sso_flows",
            "Too many sign-ins were begun from here and not finished. Try again in ten minutes.",
            "이 주소에서 시작만 하고 끝내지 않은 로그인이 너무 많습니다. 10분 뒤 다시 시도하세요.",
            retry_after_s=wait_s,
        )
    session.add(
        SsoFlow(
            sha256=_digest(flow.cookie),
            state=flow.state,
            provider=provider,
            goal=goal,
            address=address,
            request_id=request_id,
            ends_at=moment + LASTS,
        )
    )
    await session.flush()


async def end(session: AsyncSession, *, provider: str, cookie: str, state: str) -> tuple[Flow, SsoFlow]:
    """The sign-in that this very browser began, which thereby is over: a second answer finds nothing.

    Raises Unauthenticated: no cookie or another browser's, a foreign state, over, or answered before.
    """
    flow = Flow(cookie)
    if not 0 < len(cookie) <= _MAX_CHARS or not hmac.compare_digest(flow.state.encode(), state.encode()):
        raise not_begun_here()
    row = await session.scalar(select(SsoFlow).where(SsoFlow.sha256 == _digest(cookie), SsoFlow.provider == provider))
    mine = delete(SsoFlow).where(SsoFlow.sha256 == _digest(cookie))
    if row is None or row.ends_at <= now() or not (await session.execute(mine)).rowcount:  # type: ignore[attr-defined]
        raise not_begun_here()
    session.expunge(row)
    return flow, row


async def asked_for(session: AsyncSession, *, provider: str, state: str) -> SsoFlow:
    """The open sign-in that an answer without a cookie belongs to. Raises Unauthenticated: none, over, or answered."""
    query = select(SsoFlow).where(SsoFlow.state == state[:_MAX_CHARS], SsoFlow.provider == provider)
    row = await session.scalar(query)
    if row is None or row.ends_at <= now() or row.arrived is not None:
        raise not_begun_here()
    return row


async def arrive(session: AsyncSession, row: SsoFlow, arrived: JsonObject) -> None:
    """Keep what the provider said until its browser comes for it; of two answers the first counts. Raises Unauthenticated."""
    first = update(SsoFlow).where(SsoFlow.id == row.id, SsoFlow.arrived.is_(None)).values(arrived=arrived)
    if not (await session.execute(first)).rowcount:  # type: ignore[attr-defined]
        raise not_begun_here()


def not_begun_here() -> Unauthenticated:
    """The one answer to what this browser did not ask for, or not any more."""
    return Unauthenticated(
        "sso_not_begun_here",
        "This sign-in was not begun in this browser, took too long, or was used already. Start again.",
        "이 브라우저에서 시작하지 않았거나, 너무 오래 걸렸거나, 이미 사용한 로그인입니다. 다시 시작하세요.",
    )


def _digest(value: str) -> str:
    return sha256(value.encode()).hexdigest()
