"""Signing in with a local account: the tries are counted before the password is looked at, so that none is free."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.engine import Sessions, transaction
from portal.db.models import SignInTries, User, now
from portal.services import browsersessions, passwords
from portal.services.accounts import find_user
from portal.services.audit import Action, Actor, record
from portal.services.errors import TooMany, Unauthenticated
from portal.settings import Settings

FREE_TRIES = 5
"""For one name from one address."""
FREE_TRIES_WIDE = 50
"""For one name from anywhere, and from one address for any name: a shared address must not lock out a laboratory."""
FIRST_WAIT_S = 30
LONGEST_WAIT_S = 15 * 60
FORGOTTEN_AFTER = timedelta(hours=1)
_NAME_CHARS = 64


@dataclass(frozen=True)
class SignedIn:
    """Who it is, and the value of the new session's cookie."""

    user: User
    cookie: str


async def sign_in(
    maker: Sessions, settings: Settings, *, username: str, password: str, address: str, browser: str, request_id: str
) -> SignedIn:
    """Begin a session. Raises TooMany (wait first), Unauthenticated (wrong pair, or a deactivated account).

    Opens transactions of its own: the count of a failed try is kept although the answer is an error.
    """
    name = username.strip()[:_NAME_CHARS].lower()
    keys = {
        f"{name} {address}": FREE_TRIES,
        f"name {name}": FREE_TRIES_WIDE,
        f"address {address}": FREE_TRIES_WIDE,
    }
    for key, free in keys.items():
        await _count(maker, key, free)
    async with transaction(maker) as session:
        user = await find_user(session, name)
        right = await passwords.matches(user, password)
        if user is not None and right and user.active:
            await _forgive(session, name, address)
            cookie = await browsersessions.begin(session, user, address=address, browser=browser, settings=settings)
            actor = Actor(user.username, user.id, user.role, address=address, request_id=request_id)
            record(session, actor, Action.SIGN_IN, "user", user.username)
            return SignedIn(user, cookie)
        why = "deactivated" if right else "wrong password" if user is not None else "no such user"
        actor = Actor(name or "?", address=address, request_id=request_id)
        record(session, actor, Action.SIGN_IN, "user", name, after={"why": why}, result="refused")
    raise _refusal(why)


async def _count(maker: Sessions, key: str, free: int) -> None:
    """Count a try. Raises TooMany while the tries before it ask for a wait; such a one is not counted.

    The row is written before it is read, which locks it on both databases: of many tries at once not one is free.
    """
    moment = now()
    async with transaction(maker) as session:
        mine = SignInTries.key == key
        lock = update(SignInTries).where(mine).values(tries=SignInTries.tries)
        if not (await session.execute(lock)).rowcount:  # type: ignore[attr-defined]
            with suppress(IntegrityError):
                async with session.begin_nested():
                    session.add(SignInTries(key=key, tries=0, last_at=moment))
            await session.execute(lock)
        row = await session.get_one(SignInTries, key, populate_existing=True)
        if moment - row.last_at >= FORGOTTEN_AFTER:
            row.tries = 0
        if (wait_s := _wait_s(row, free, moment.timestamp())) > 0:
            raise too_soon(wait_s)
        row.tries, row.last_at = row.tries + 1, moment


async def _forgive(session: AsyncSession, name: str, address: str) -> None:
    """A good sign-in clears the name; of the address only this try, or a known password would buy free guesses."""
    await session.execute(delete(SignInTries).where(SignInTries.key.in_((f"{name} {address}", f"name {name}"))))
    one_less = update(SignInTries).where(SignInTries.key == f"address {address}").values(tries=SignInTries.tries - 1)
    await session.execute(one_less)


def _wait_s(row: SignInTries, free: int, moment: float) -> int:
    over = row.tries - free
    if over < 0:
        return 0
    wait = min(FIRST_WAIT_S * 2.0 ** min(over, 10), LONGEST_WAIT_S)
    return math.ceil(row.last_at.timestamp() + wait - moment)


def too_soon(wait_s: int) -> TooMany:
    """Say how long to wait."""
    return TooMany(
        "too_many_tries", f"Try again in {wait_s} s.", f"{wait_s}초 후 다시 시도하세요.", retry_after_s=wait_s
    )


def _refusal(why: str) -> Unauthenticated:
    if why == "deactivated":
        return Unauthenticated(
            "deactivated",
            "This account is deactivated. Contact an administrator.",
            "비활성화된 계정입니다. 관리자에게 문의하세요.",
        )
    return Unauthenticated(
        "wrong_pair", "User name or password is wrong.", "사용자 이름 또는 비밀번호가 맞지 않습니다."
    )
