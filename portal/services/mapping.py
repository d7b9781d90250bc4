"""Whether a person's Slurm mapping holds: admins ask, the daemon looks (only it reaches Slurm), what it saw is kept.

`mapping_state` is what the daemon saw last and only the daemon writes it; a question asked later makes it "unchecked".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import User, now
from portal.domain.permissions import Permission
from portal.services.access import demand
from portal.services.accounts import user_named
from portal.services.audit import DAEMON, Action, Actor, record
from portal.services.errors import Conflict
from portal.settings import Settings

UNCHECKED, VERIFIED, NO_UNIX_USER, NO_ASSOCIATION, NO_QOS, UNKNOWN = (
    "unchecked",
    "verified",
    "no_unix_user",
    "no_association",
    "no_qos",
    "unknown",
)
EVERY = timedelta(days=1)
"""What an admin changes in Slurm or Unix outside the portal is noticed within a day."""
_SAYS_CHARS = 300


@dataclass(frozen=True)
class Wanted:
    """One mapping to look at."""

    user_id: int
    unix_user: str
    slurm_account: str


@dataclass(frozen=True)
class Seen:
    """What the daemon saw: a state of the six above and, in Slurm's or the system's words, why."""

    state: str
    says: str


def shown_state(user: User) -> str:
    """The state as pages tell it; "" for a person without a mapping."""
    if user.unix_user is None:
        return ""
    asked, checked = user.mapping_asked_at, user.mapping_checked_at
    if checked is None or (asked is not None and asked > checked):
        return UNCHECKED
    return user.mapping_state


def needed_qos(settings: Settings) -> tuple[str, ...]:
    """What everybody submits with; to the high level a waiting job is raised by the portal's operator."""
    slurm = settings.slurm
    return tuple(dict.fromkeys((slurm.qos_normal, slurm.qos_low, slurm.qos_test)))


def cure(user: User, settings: Settings) -> str:
    """The line that an admin of Slurm runs where the association, or a QOS of it, is missing; "" otherwise."""
    qos = f"qos+={','.join(needed_qos(settings))}"
    lines = {
        NO_ASSOCIATION: f"sacctmgr -i add user name={user.unix_user} account={user.slurm_account} {qos}",
        NO_QOS: f"sacctmgr -i modify user name={user.unix_user} where account={user.slurm_account} set {qos}",
    }
    return lines.get(shown_state(user), "")


def state_is(state: str) -> ColumnElement[bool]:
    """`shown_state` as a condition of a query."""
    if not state:
        return User.unix_user.is_(None)
    answered = User.mapping_checked_at >= func.coalesce(User.mapping_asked_at, User.mapping_checked_at)
    if state == UNCHECKED:
        return and_(User.unix_user.is_not(None), or_(User.mapping_checked_at.is_(None), not_(answered)))
    return and_(User.unix_user.is_not(None), answered, User.mapping_state == state)


async def ask(session: AsyncSession, actor: Actor, username: str) -> User:
    """Have the daemon look again. Raises Forbidden, NotFound, Conflict (there is no mapping)."""
    demand(actor, Permission.USER_MANAGE)
    user = await user_named(session, username)
    if user.unix_user is None:
        raise Conflict(
            "not_mapped",
            f"{username} has no Slurm mapping to check.",
            f"{username}에게는 확인할 Slurm 연결이 없습니다.",
        )
    user.mapping_asked_at = now()
    facts = {"unix_user": user.unix_user, "slurm_account": user.slurm_account}
    record(session, actor, Action.USER_MAPPING_ASK, "user", username, after=facts)
    return user


async def due(session: AsyncSession) -> list[Wanted]:
    """What was asked for since it was last looked at, and what was not looked at for a day."""
    asked = or_(
        User.mapping_checked_at.is_(None),
        User.mapping_asked_at > User.mapping_checked_at,
        User.mapping_checked_at < now() - EVERY,
    )
    query = select(User).where(User.unix_user.is_not(None), asked).order_by(User.id)
    return [Wanted(user.id, user.unix_user or "", user.slurm_account or "") for user in await session.scalars(query)]


async def keep(session: AsyncSession, wanted: Wanted, seen: Seen) -> None:
    """What the daemon saw, unless the mapping was changed meanwhile; another state than before leaves its audit row."""
    user = await session.get_one(User, wanted.user_id, populate_existing=True)
    if (user.unix_user, user.slurm_account) != (wanted.unix_user, wanted.slurm_account):
        return
    before = {"state": user.mapping_state, "says": user.mapping_says}
    user.mapping_state, user.mapping_says = seen.state, seen.says[:_SAYS_CHARS]
    user.mapping_checked_at = now()
    if before["state"] != seen.state:
        after = {"state": seen.state, "says": user.mapping_says}
        record(session, DAEMON, Action.USER_MAPPING, "user", user.username, before=before, after=after)
