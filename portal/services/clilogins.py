"""`one login` by way of a browser: the terminal asks, its person says yes at a page, and only that terminal gets a token.

As PKCE does it: the terminal sends the hash of a secret first and the secret last. The code that the person compares is worth
nothing without that secret, so it may stand in an address; no token ever does. Source: RFC 7636, RFC 8628 section 3.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import CliLogin, Token, now
from portal.services import tokens
from portal.services.accounts import Role, user_of
from portal.services.audit import Actor
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from portal.services.tokens import ROLE_SCOPES, Scope

LASTS = timedelta(minutes=10)
OPEN_AT_ONCE = 20
"""From one address."""
TOKEN_DAYS = 90
SCOPES = frozenset({Scope.READ, Scope.SUBMIT, Scope.DOWNLOAD})
"""Approving is done in the browser, or with a token made for it."""
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words; nothing that is read as a digit (RFC 8628 section 6.1)."""
_CODE_CHARS = 8
_CHALLENGE = re.compile(r"[0-9a-f]{64}")
_HOST_CHARS = 64


async def begin(session: AsyncSession, *, challenge: str, host: str, address: str) -> CliLogin:
    """A terminal asks. Raises Invalid (the challenge is no SHA-256), TooMany, Conflict (used before)."""
    if not _CHALLENGE.fullmatch(challenge):
        raise Invalid(
            "bad_challenge", "The challenge must be a SHA-256 in hex.", "challenge는 SHA-256(16진수)이어야 합니다."
        )
    await session.execute(delete(CliLogin).where(CliLogin.ends_at <= now()))
    mine = select(func.count()).select_from(CliLogin).where(CliLogin.address == address)
    if (await session.scalar(mine) or 0) >= OPEN_AT_ONCE:
        raise TooMany(
            "cli_logins",
            "Too many `one login` wait here. Try again in ten minutes.",
            "이 주소에서 기다리는 `one login`이 너무 많습니다. 10분 뒤 다시 시도하세요.",
            retry_after_s=int(LASTS.total_seconds()),
        )
    if await session.scalar(select(CliLogin.id).where(CliLogin.challenge == challenge)) is not None:
        raise Conflict("challenge_used", "Start `one login` again.", "`one login`을 다시 시작하세요.")
    shown = "".join(char for char in host if char.isprintable())[:_HOST_CHARS]
    made = CliLogin(code=_new_code(), challenge=challenge, host=shown, address=address, ends_at=now() + LASTS)
    session.add(made)
    await session.flush()
    return made


async def waiting(session: AsyncSession, code: str) -> CliLogin:
    """The login that shows this code, still undecided. Raises NotFound."""
    wanted = re.sub(r"[^A-Z]", "", code.upper())[:_CODE_CHARS]
    found = await session.scalar(select(CliLogin).where(CliLogin.code == wanted))
    if found is None or found.ends_at <= now() or found.user_id is not None or found.refused:
        raise NotFound("login", code[: 2 * _CODE_CHARS])
    return found


async def decide(session: AsyncSession, actor: Actor, code: str, *, yes: bool) -> None:
    """Its person says whether this terminal may act for them. Raises NotFound."""
    found = await waiting(session, code)
    if yes:
        found.user_id = (await user_of(session, actor)).id
    else:
        found.refused = True


async def collect(session: AsyncSession, verifier: str, *, address: str, request_id: str) -> tuple[Token, str] | None:
    """The terminal comes for its token: None while nobody has decided; once only.

    Raises NotFound (unknown, over or collected), Forbidden (refused, or the account was deactivated meanwhile).
    """
    challenge = sha256(verifier.encode()).hexdigest()
    found = await session.scalar(select(CliLogin).where(CliLogin.challenge == challenge).with_for_update())
    if found is None or found.ends_at <= now():
        raise NotFound("login", "")
    user = found.user
    if found.refused or (user is not None and not user.active):
        raise Forbidden(
            "login_refused", "The sign-in was refused in the browser.", "브라우저에서 로그인을 거부했습니다."
        )
    if user is None:
        return None
    if not (await session.execute(delete(CliLogin).where(CliLogin.id == found.id))).rowcount:  # type: ignore[attr-defined]
        raise NotFound("login", "")
    actor = Actor(user.username, user.id, user.role, address=address, request_id=request_id)
    name = f"one login ({found.host})" if found.host else "one login"
    scopes = SCOPES & ROLE_SCOPES[Role(user.role)]
    return await tokens.make_token(
        session, actor, user.username, name=name[: tokens.MAX_NAME_CHARS], scopes=scopes, days=TOKEN_DAYS
    )


def shown_code(login: CliLogin) -> str:
    """The code as people compare it: `BCDF-GHJK`."""
    half = _CODE_CHARS // 2
    return f"{login.code[:half]}-{login.code[half:]}"


def _new_code() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_CODE_CHARS))
