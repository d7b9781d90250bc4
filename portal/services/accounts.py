"""People: their role and their Slurm mapping, made, changed and ended."""

from __future__ import annotations

import re
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Identity, Token, User, now
from portal.domain.permissions import ADMIN, RESEARCHER, VIEWER, Permission
from portal.services import browsersessions, telling
from portal.services.access import demand
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid, NotFound
from portal.spec.models import NAME_PATTERN
from portal.spec.problems import Problem


class Role(StrEnum):
    """What a person is; every right follows from it (and from whose object it is)."""

    ADMIN = ADMIN
    RESEARCHER = RESEARCHER
    VIEWER = VIEWER


_USERNAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")
_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")
"""Visible ASCII around one @: enough to keep out what no mail program takes; the mail itself is the proof."""
MAX_NAME_CHARS, MAX_EMAIL_CHARS = 128, 254
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


async def create_user(
    session: AsyncSession,
    actor: Actor,
    *,
    username: str,
    display_name: str,
    role: Role,
    email: str = "",
    unix_user: str | None = None,
    slurm_account: str | None = None,
) -> User:
    """Add a person. Raises Forbidden, Invalid (a name that Unix would not take), Conflict (name or Unix account taken)."""
    demand(actor, Permission.USER_MANAGE)
    if not _USERNAME.fullmatch(username):
        raise _bad_name("username", "user name", "사용자 이름", username)
    if await find_user(session, username) is not None:
        raise _exists(username)
    user = User(username=username, role=role.value)
    _set_texts(user, display_name or username, email)
    await _set_mapping(session, user, unix_user, slurm_account)
    try:
        async with session.begin_nested():
            session.add(user)
            await session.flush()
    except IntegrityError as error:
        raise _exists(username) from error
    record(session, actor, Action.USER_CREATE, "user", username, after=_facts(user))
    return user


async def change_user(
    session: AsyncSession,
    actor: Actor,
    username: str,
    *,
    role: Role | None = None,
    display_name: str | None = None,
    email: str | None = None,
) -> User:
    """Change role, name or e-mail; a new role counts from the next request. Raises Conflict for the last admin or oneself."""
    demand(actor, Permission.USER_MANAGE)
    user = await user_named(session, username)
    before = _facts(user)
    if role is not None and role.value != user.role:
        _not_oneself(actor, user)
        if user.role == Role.ADMIN:
            await _keep_an_admin(session, user)
        user.role = role.value
        # From now on this is the role by hand, also where the rules of SSO gave the same before (identities.py).
        await session.execute(update(Identity).where(Identity.user_id == user.id).values(given_role=None))
    _set_texts(user, display_name or user.display_name, user.email if email is None else email)
    record(session, actor, Action.USER_CHANGE, "user", username, before=before, after=_facts(user))
    telling.given_role(session, actor, user, str(before["role"]))
    return user


async def map_slurm(
    session: AsyncSession, actor: Actor, username: str, unix_user: str | None, slurm_account: str | None
) -> User:
    """Say as whom this person's jobs run; None for both ends the right to submit. Raises Conflict (Unix account taken)."""
    demand(actor, Permission.USER_MANAGE)
    user = await user_named(session, username)
    before = _facts(user)
    await _set_mapping(session, user, unix_user, slurm_account)
    record(session, actor, Action.USER_CHANGE, "user", username, before=before, after=_facts(user))
    return user


async def deactivate(session: AsyncSession, actor: Actor, username: str) -> User:
    """End the access now: tokens and sessions end, the row and running work stay. Raises Conflict (last admin, oneself)."""
    demand(actor, Permission.USER_MANAGE)
    user = await user_named(session, username)
    _not_oneself(actor, user)
    if user.role == Role.ADMIN:
        await _keep_an_admin(session, user)
    user.active = False
    moment = now()
    tokens = await session.scalars(select(Token).where(Token.user_id == user.id, Token.revoked_at.is_(None)))
    for token in tokens:
        token.revoked_at = moment
    await browsersessions.end_all(session, user)
    record(session, actor, Action.USER_DEACTIVATE, "user", username, before={"active": True}, after={"active": False})
    return user


async def reactivate(session: AsyncSession, actor: Actor, username: str) -> User:
    """Let the person in again; the old tokens stay revoked."""
    demand(actor, Permission.USER_MANAGE)
    user = await user_named(session, username)
    user.active = True
    record(session, actor, Action.USER_REACTIVATE, "user", username, before={"active": False}, after={"active": True})
    return user


async def list_users(session: AsyncSession, actor: Actor) -> list[User]:
    """Everybody, by user name; admins only."""
    demand(actor, Permission.USER_MANAGE)
    return list(await session.scalars(select(User).order_by(User.username)))


async def find_user(session: AsyncSession, username: str) -> User | None:
    """The user of that name, None without one."""
    user: User | None = await session.scalar(select(User).where(User.username == username))
    return user


async def user_named(session: AsyncSession, username: str) -> User:
    """The user of that name. Raises NotFound."""
    user = await find_user(session, username)
    if user is None:
        raise NotFound("user", username)
    return user


async def user_of(session: AsyncSession, actor: Actor) -> User:
    """The acting person's row. Raises NotFound when the actor is a part of the portal."""
    user = await session.get(User, actor.user_id) if actor.user_id is not None else None
    if user is None:
        raise NotFound("user", actor.name)
    return user


def _set_texts(user: User, display_name: str, email: str) -> None:
    if len(display_name) > MAX_NAME_CHARS or not re.fullmatch(NAME_PATTERN, display_name):
        raise _bad_name("display_name", "name", "이름", display_name)
    if email and (len(email) > MAX_EMAIL_CHARS or not _EMAIL.fullmatch(email)):
        raise _bad_name("email", "e-mail address", "이메일", email)
    user.display_name, user.email = display_name, email


def _not_oneself(actor: Actor, user: User) -> None:
    if actor.user_id == user.id:
        raise Conflict("own_account", "You cannot do this to your own account.", "자기 계정에는 할 수 없습니다.")


async def _keep_an_admin(session: AsyncSession, leaving: User) -> None:
    """All rows of admins are locked: two who end each other at once must not both find the other one staying."""
    admins = select(User.id).where(User.role == Role.ADMIN.value, User.active.is_(True)).order_by(User.id)
    staying = set(await session.scalars(admins.with_for_update())) - {leaving.id}
    if not staying:
        raise Conflict("last_admin", "This is the last administrator.", "마지막 관리자입니다.")


async def _set_mapping(session: AsyncSession, user: User, unix_user: str | None, slurm_account: str | None) -> None:
    if (unix_user is None) != (slurm_account is None):
        raise Invalid(
            "mapping_incomplete",
            "Give both the Unix account and the Slurm account, or neither.",
            "Unix 계정과 Slurm 계정을 함께 주거나 둘 다 비우세요.",
        )
    if unix_user is not None and not _USERNAME.fullmatch(unix_user):
        raise _bad_name("unix_user", "Unix account", "Unix 계정", unix_user)
    if slurm_account is not None and not _ACCOUNT.fullmatch(slurm_account):
        raise _bad_name("slurm_account", "Slurm account", "Slurm 계정", slurm_account)
    if unix_user is not None:
        with session.no_autoflush:
            holder = await session.scalar(select(User).where(User.unix_user == unix_user))
        if holder is not None and holder is not user:
            raise Conflict(
                "unix_user_taken",
                f"The Unix account {unix_user} belongs to {holder.username}.",
                f"Unix 계정 {unix_user}은(는) {holder.username}의 것입니다.",
            )
    if (user.unix_user, user.slurm_account) != (unix_user, slurm_account):
        user.unix_user, user.slurm_account = unix_user, slurm_account
        user.mapping_asked_at = now()


def _exists(username: str) -> Conflict:
    return Conflict("user_exists", f"User name already exists: {username}", f"이미 있는 사용자 이름입니다: {username}")


def _bad_name(field: str, what_en: str, what_ko: str, value: str) -> Invalid:
    english, korean = f"Not a valid {what_en}: {value!r}", f"올바른 {what_ko}이(가) 아닙니다: {value!r}"
    return Invalid("bad_name", english, korean, [Problem(field, "bad_name", korean, english, cure_ko="", cure_en="")])


def _facts(user: User) -> dict[str, object]:
    return {
        "display_name": user.display_name,
        "email": user.email,
        "role": user.role,
        "unix_user": user.unix_user,
        "slurm_account": user.slurm_account,
    }
