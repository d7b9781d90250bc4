"""Passwords of local accounts: argon2 hashes, the one-time password an admin hands over, and the rule for a new one."""

from __future__ import annotations

import secrets

import anyio
from anyio import to_thread
from pwdlib import PasswordHash
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import User
from portal.domain.permissions import Permission
from portal.services import browsersessions
from portal.services.access import demand
from portal.services.accounts import user_named, user_of
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid
from portal.spec.problems import Problem

MIN_CHARS = 12
MAX_CHARS = 256
"""Argon2 hashes any length; a limit keeps a request from being work."""
_HASHER = PasswordHash.recommended()
_NOBODY = _HASHER.hash(secrets.token_hex(16))
"""Verified against when there is no such user, so that the answer takes as long."""
_AT_ONCE = anyio.CapacityLimiter(2)
"""A hash takes 64 MiB and a core: a flood of sign-ins must not take all of them."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


async def matches(user: User | None, password: str) -> bool:
    """Whether this is the person's password; takes the same time for nobody's."""
    stored = user.password_hash if user is not None else None
    if len(password) > MAX_CHARS:
        password, stored = "", None
    right = await to_thread.run_sync(_HASHER.verify, password, stored or _NOBODY, limiter=_AT_ONCE)
    return right and stored is not None


async def hand_out(session: AsyncSession, actor: Actor, username: str) -> str:
    """A one-time password, shown once: whoever signs in with it must set another. Ends the person's browser sessions.

    Raises Forbidden, NotFound, Conflict (one's own: that is changed at 'My account').
    """
    demand(actor, Permission.USER_MANAGE)
    user = await user_named(session, username)
    if actor.user_id == user.id:
        raise Conflict("own_account", "You cannot do this to your own account.", "자기 계정에는 할 수 없습니다.")
    value = "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(3))
    await put(user, value, temporary=True)
    await browsersessions.end_all(session, user)
    record(session, actor, Action.PASSWORD_HAND_OUT, "user", username)
    return value


async def change_own(session: AsyncSession, actor: Actor, *, old: str, new: str, again: str) -> User:
    """Set one's own password and end all of one's browser sessions: the caller begins a new one.

    Raises Invalid, naming every field that is wrong; Conflict for an account that signs in elsewhere.
    """
    user = await user_of(session, actor)
    if user.password_hash is None:
        raise Conflict(
            "no_password", "This account has no password here.", "이 계정에는 여기에서 쓰는 비밀번호가 없습니다."
        )
    problems = []
    if not await matches(user, old):
        problems.append(_problem("old", "This is not your present password.", "지금 비밀번호가 맞지 않습니다."))
    if not MIN_CHARS <= len(new) <= MAX_CHARS:
        problems.append(_problem("new", f"Use {MIN_CHARS} characters or more.", f"{MIN_CHARS}자 이상으로 정하세요."))
    elif new == old or new.casefold() == user.username:
        problems.append(_problem("new", "Choose another password.", "다른 비밀번호를 정하세요."))
    if new != again:
        problems.append(_problem("again", "The two entries differ.", "두 번 입력한 값이 다릅니다."))
    if problems:
        count = len(problems)
        raise Invalid("bad_password", f"Check {count} fields", f"입력을 확인하세요 ({count}건)", problems)
    await put(user, new, temporary=False)
    await browsersessions.end_all(session, user)
    record(session, actor, Action.PASSWORD_CHANGE, "user", user.username)
    return user


async def put(user: User, value: str, *, temporary: bool) -> None:
    """Keep the password's hash; the use cases above say who may and leave their audit rows."""
    user.password_hash = await to_thread.run_sync(_HASHER.hash, value, limiter=_AT_ONCE)
    user.password_temporary = temporary


def _problem(field: str, english: str, korean: str) -> Problem:
    return Problem(field, "bad_password", korean, english, cure_ko="", cure_en="")
