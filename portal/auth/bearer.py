"""The `Authorization: Bearer one_...` header -> Actor, asked of the database at every request."""

from __future__ import annotations

from portal.db.engine import Sessions
from portal.services import tokens
from portal.services.audit import Actor
from portal.services.errors import Unauthenticated

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="one"'}
_MAX_HEADER_CHARS = 512


async def actor_of(maker: Sessions, header: str | None, *, address: str, request_id: str) -> Actor:
    """Who sent this header. Raises Unauthenticated: no header, another scheme, or a token that does not count.

    Commits in both cases: last use on success, the audit row of a known but refused token otherwise.
    """
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not value or len(value) > _MAX_HEADER_CHARS:
        raise Unauthenticated(
            "token_missing",
            "Sign in first: send a token as `Authorization: Bearer one_...`, or run `one login`.",
            "먼저 로그인하세요: `one login`을 실행하거나 토큰을 `Authorization: Bearer one_...`로 보내세요.",
        )
    async with maker() as session:
        try:
            return await tokens.authenticate(session, value.strip(), address=address, request_id=request_id)
        finally:
            await session.commit()
