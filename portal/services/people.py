"""People as an admin looks at them: found and paged, one with all that hangs on the account, and how one leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import BrowserSession, Token, User, Workload, now
from portal.domain.lifecycle import LIVE
from portal.domain.permissions import ROLES, Permission
from portal.services import accounts, identities, mapping, passwords, workloads
from portal.services.access import demand
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.paging import Page, contains, paged
from portal.services.quota import PENDING

ACTIVE, DEACTIVATED, WAITING = "active", "deactivated", "waiting"
UNMAPPED = "none"
MAPPING_STATES = (
    mapping.VERIFIED,
    mapping.UNCHECKED,
    mapping.NO_UNIX_USER,
    mapping.NO_ASSOCIATION,
    mapping.NO_QOS,
    mapping.UNKNOWN,
    UNMAPPED,
)
SORTS = {
    "name": func.lower(User.display_name),
    "username": User.username,
    "role": User.role,
    "signed_in": User.signed_in_at,
    "created": User.created_at,
}


@dataclass(frozen=True)
class Wanted:
    """Which people, and in which order (a key of SORTS); `mapping` is one of MAPPING_STATES, "" means all."""

    q: str = ""
    role: str = ""
    status: str = ""
    mapping: str = ""
    mapped_only: bool = False
    sort: str = "username"
    descending: bool = False


@dataclass(frozen=True)
class Person:
    """One person and what hangs on the account now."""

    user: User
    sessions: int
    tokens: int
    waiting: int
    live: int


@dataclass(frozen=True)
class Details:
    """What an admin says of a person; the mapping is two names or none."""

    display_name: str
    role: Role
    email: str = ""
    unix_user: str | None = None
    slurm_account: str | None = None


async def page(session: AsyncSession, actor: Actor, wanted: Wanted, number: int, size: int) -> Page[User]:
    """A page of the people that fit. Raises Forbidden."""
    demand(actor, Permission.USER_MANAGE)
    key: Any = SORTS[wanted.sort]
    order = key.desc().nulls_last() if wanted.descending else key.asc().nulls_first()
    return await paged(session, select(User).where(*_conditions(wanted)).order_by(order, User.id), number, size)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.q:
        places = (User.username, User.display_name, User.email, User.unix_user, User.slurm_account)
        found.append(or_(*(contains(place, wanted.q) for place in places)))
    if wanted.role:
        found.append(User.role == wanted.role)
    if wanted.status:
        found.append(User.active.is_(wanted.status != DEACTIVATED))
    if wanted.status == WAITING:
        found.append(identities.waits())
    if wanted.mapping:
        found.append(mapping.state_is("" if wanted.mapping == UNMAPPED else wanted.mapping))
    if wanted.mapped_only:
        found.append(User.unix_user.is_not(None))
    return found


async def members(session: AsyncSession, actor: Actor) -> dict[str, int]:
    """How many active people hold each role. Raises Forbidden."""
    demand(actor, Permission.USER_MANAGE)
    query = select(User.role, func.count()).where(User.active.is_(True)).group_by(User.role)
    found = {row[0]: row[1] for row in await session.execute(query)}
    return {role: found.get(role, 0) for role in ROLES}


async def detail(session: AsyncSession, actor: Actor, username: str) -> Person:
    """One person. Raises Forbidden, NotFound."""
    demand(actor, Permission.USER_MANAGE)
    user = await accounts.user_named(session, username)
    moment = now()
    unexpired = or_(Token.expires_at.is_(None), Token.expires_at > moment)
    return Person(
        user,
        sessions=await _count(session, BrowserSession.user_id == user.id, BrowserSession.ends_at > moment),
        tokens=await _count(session, Token.user_id == user.id, Token.revoked_at.is_(None), unexpired),
        waiting=await _count(session, Workload.owner_id == user.id, Workload.state.in_(PENDING)),
        live=await _count(session, Workload.owner_id == user.id, Workload.state.in_(LIVE)),
    )


async def _count(session: AsyncSession, *conditions: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count()).where(*conditions)) or 0


async def add(session: AsyncSession, actor: Actor, username: str, details: Details) -> str:
    """Add a person who signs in here; the one-time password, which is never shown again.

    Raises Forbidden, Invalid, Conflict as `accounts.create_user` does.
    """
    await accounts.create_user(
        session,
        actor,
        username=username,
        display_name=details.display_name,
        role=details.role,
        email=details.email,
        unix_user=details.unix_user,
        slurm_account=details.slurm_account,
    )
    return await passwords.hand_out(session, actor, username)


async def change(session: AsyncSession, actor: Actor, username: str, details: Details) -> User:
    """Change what differs; nothing that stays as it is leaves an audit row.

    Raises Forbidden, NotFound, Invalid, Conflict (own role, the last admin, a Unix account that is taken).
    """
    demand(actor, Permission.USER_MANAGE)
    user = await accounts.user_named(session, username)
    if (user.display_name, user.role, user.email) != (details.display_name, details.role.value, details.email):
        await accounts.change_user(
            session,
            actor,
            username,
            role=details.role,
            display_name=details.display_name,
            email=details.email,
        )
    await identities.role_was_given(session, user)
    if (user.unix_user, user.slurm_account) != (details.unix_user, details.slurm_account):
        await accounts.map_slurm(session, actor, username, details.unix_user, details.slurm_account)
    return user


async def leave(session: AsyncSession, actor: Actor, username: str, *, cancel_waiting: bool) -> int:
    """Deactivate: sessions and tokens end now, running work goes on; how many waiting workloads were cancelled.

    Raises Forbidden, NotFound, Conflict (the last admin, oneself).
    """
    user = await accounts.deactivate(session, actor, username)
    if not cancel_waiting:
        return 0
    query = select(Workload.id).where(Workload.owner_id == user.id, Workload.state.in_(PENDING)).order_by(Workload.id)
    waiting = list(await session.scalars(query))
    for workload_id in waiting:
        await workloads.cancel(session, actor, workload_id, f"{username} was deactivated")
    return len(waiting)
