"""From what an identity provider vouches for to an account: found, linked or made, with what the site's rules give it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Identity, User, now
from portal.domain.permissions import VIEWER
from portal.domain.ssorules import Asserted, Given, Rule, given_by, role_after
from portal.services import accounts
from portal.services.accounts import Role
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid, ServiceError, Unauthenticated
from portal.settings import Settings, Sso

_LONGEST_SUBJECT = 255


@dataclass(frozen=True)
class Known:
    """The account behind an identity, and whether this very sign-in made it."""

    user: User
    identity: Identity
    first: bool


def rules_of(sso: Sso) -> tuple[Rule, ...]:
    """The rules of the settings as the pure rules want them."""
    return tuple(Rule(**rule.model_dump()) for rule in sso.rules)


async def known(session: AsyncSession, settings: Settings, actor: Actor, asserted: Asserted) -> Known:
    """The person's account with the rights of this moment; made at the first sign-in.

    Raises Unauthenticated (deactivated), Conflict (the name is a local account's), Invalid (no name for an account).
    """
    identity = await _find(session, asserted)
    first = identity is None
    if identity is None:
        identity = await _meet(session, settings, actor, asserted)
    if not identity.user.active:
        raise Unauthenticated(
            "deactivated",
            "This account is deactivated. Contact an administrator.",
            "비활성화된 계정입니다. 관리자에게 문의하세요.",
        )
    await _refresh(session, settings, actor, identity, asserted)
    return Known(identity.user, identity, first)


async def _find(session: AsyncSession, asserted: Asserted) -> Identity | None:
    query = select(Identity).where(Identity.issuer == asserted.issuer, Identity.subject == asserted.subject)
    found: Identity | None = await session.scalar(query)
    return found


async def _meet(session: AsyncSession, settings: Settings, actor: Actor, asserted: Asserted) -> Identity:
    """Somebody new: an account of that name that waits for its person, else a new one without any right (D34)."""
    username = asserted.username.lower()
    if len(asserted.subject) > _LONGEST_SUBJECT:
        raise Invalid(
            "bad_subject", "The provider's id of this person is too long.", "제공자의 사용자 ID가 너무 깁니다."
        )
    user = await accounts.find_user(session, username)
    if user is None:
        name = asserted.display_name or username
        user = await _created(session, actor, username, name, asserted.email)
    elif not settings.sso.link_existing or user.password_hash is not None:
        raise Conflict(
            "name_taken",
            f"There is an account {username} already that does not belong to this sign-in. Ask an administrator.",
            f"{username} 계정이 이미 있고 이 로그인과 연결되어 있지 않습니다. 관리자에게 문의하세요.",
        )
    identity = Identity(
        user=user,
        provider=asserted.provider,
        issuer=asserted.issuer,
        subject=asserted.subject,
        own_role=user.role,
        trusted_until=now(),
    )
    session.add(identity)
    await session.flush()
    facts = {"provider": asserted.provider, "issuer": asserted.issuer, "subject": asserted.subject}
    record(session, actor, Action.USER_LINK, "user", user.username, after=facts)
    return identity


async def _created(session: AsyncSession, actor: Actor, username: str, name: str, email: str) -> User:
    """A viewer; a name or address that the portal does not take is left out, a user name that it does not take is refused."""
    for display_name, address in ((name, email), (username, "")):
        try:
            async with session.begin_nested():
                return await accounts.create_user(
                    session, actor, username=username, display_name=display_name, role=Role.VIEWER, email=address
                )
        except Invalid as error:
            refusal = error
    raise refusal


async def _refresh(
    session: AsyncSession, settings: Settings, actor: Actor, identity: Identity, asserted: Asserted
) -> None:
    """Give what the rules give now, take back what they gave before, and trust the account for a while."""
    given = given_by(rules_of(settings.sso), asserted)
    await _give_role(session, actor, identity, given)
    await _give_mapping(session, actor, identity, given)
    identity.waiting = given.role is None and identity.user.role == VIEWER
    confirm(identity, settings)


def confirm(identity: Identity, settings: Settings) -> None:
    """The provider vouches for the person now."""
    identity.confirmed_at = now()
    identity.trusted_until = identity.confirmed_at + timedelta(days=settings.sso.token_days)


async def _give_role(session: AsyncSession, actor: Actor, identity: Identity, given: Given) -> None:
    user = identity.user
    after = role_after(user.role, identity.given_role, identity.own_role, given.role)
    if after.role != user.role:
        try:
            await accounts.change_user(session, actor, user.username, role=Role(after.role))
        except Conflict as error:  # the last administrator stays one: the house must have a key
            record(
                session, actor, Action.USER_CHANGE, "user", user.username, after={"why": error.code}, result="refused"
            )
            return
    identity.given_role, identity.own_role = after.given, after.own


async def _give_mapping(session: AsyncSession, actor: Actor, identity: Identity, given: Given) -> None:
    """The rules' mapping where there is none, or theirs of before; one made by hand stays."""
    user = identity.user
    before = (identity.given_unix_user, identity.given_account)
    now_mapped = (user.unix_user, user.slurm_account)
    wanted = (given.unix_user, given.slurm_account)
    if now_mapped not in ((None, None), before) or wanted == now_mapped:
        return
    try:
        async with session.begin_nested():
            await accounts.map_slurm(session, actor, user.username, *wanted)
    except ServiceError as error:
        facts = {"unix_user": wanted[0], "slurm_account": wanted[1], "why": error.code}
        record(session, actor, Action.USER_CHANGE, "user", user.username, after=facts, result="refused")
        return
    identity.given_unix_user, identity.given_account = wanted


def waits() -> ColumnElement[bool]:
    """For queries of users: signed in by a provider, no rule gave a role, and nobody did since."""
    return (User.role == VIEWER) & User.id.in_(select(Identity.user_id).where(Identity.waiting))


async def waiting_for_role(session: AsyncSession, user_id: int) -> bool:
    """Whether this person waits for a role."""
    return await session.scalar(select(User.id).where(User.id == user_id, waits())) is not None


async def waiting_of(session: AsyncSession, user_ids: list[int]) -> frozenset[int]:
    """Which of these people wait for a role."""
    return frozenset(await session.scalars(select(User.id).where(User.id.in_(user_ids), waits())))


async def role_was_given(session: AsyncSession, user: User) -> None:
    """An administrator chose a role, viewer too: nobody waits any more."""
    await session.execute(update(Identity).where(Identity.user_id == user.id).values(waiting=False))


async def providers_of(session: AsyncSession, user_ids: list[int]) -> dict[int, tuple[str, ...]]:
    """By whom each of these people signs in ("oidc", "saml"), in the order of the alphabet."""
    query = select(Identity.user_id, Identity.provider).where(Identity.user_id.in_(user_ids)).distinct()
    found: dict[int, tuple[str, ...]] = {}
    for user_id, provider in await session.execute(query.order_by(Identity.provider)):
        found[user_id] = (*found.get(user_id, ()), provider)
    return found
