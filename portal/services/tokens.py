"""API tokens: opaque values of which only the SHA-256 is kept, with scopes and an end."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Identity, Token, User, now
from portal.domain.permissions import Permission
from portal.services import refusals
from portal.services.access import allowed, demand, token_facts
from portal.services.accounts import Role, user_named
from portal.services.audit import Action, Actor, record
from portal.services.errors import Forbidden, Invalid, NotFound, Unauthenticated
from portal.services.paging import Page, contains, paged


class Scope(StrEnum):
    """What one token may be used for; never wider than its owner's role."""

    READ = "read"
    SUBMIT = "submit"
    DOWNLOAD = "download"
    APPROVE = "approve"


ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.ADMIN: frozenset(Scope),
    Role.RESEARCHER: frozenset({Scope.READ, Scope.SUBMIT, Scope.DOWNLOAD}),
    Role.VIEWER: frozenset({Scope.READ}),
}
TOKEN_MARK = "one_"
PREFIX_CHARS = 10
LAST_USE_STEP = timedelta(minutes=1)
MAX_TOKEN_DAYS = 365
MAX_NAME_CHARS = 64
STATUSES = ("valid", "expired", "revoked")


async def make_token(
    session: AsyncSession,
    actor: Actor,
    username: str,
    *,
    name: str,
    scopes: Collection[Scope],
    days: int | None = 90,
) -> tuple[Token, str]:
    """A new token and its value, which is never shown again. Own ones for everybody, others' for admins and `portal-admin`.

    Raises Forbidden (another's token; scopes wider than the role's or the asking token's), Invalid (name, scope, days).
    """
    user = await user_named(session, username)
    if actor.user_id is not None and actor.user_id != user.id:
        demand(actor, Permission.USER_MANAGE)
    _check_token_request(actor, user, name, scopes, days)
    value = TOKEN_MARK + secrets.token_urlsafe(32)
    token = Token(
        user=user,
        name=name,
        prefix=value[:PREFIX_CHARS],
        sha256=_digest(value),
        scopes=sorted(scope.value for scope in scopes),
        expires_at=_end(actor, days),
    )
    session.add(token)
    await session.flush()
    facts = {"user": username, "name": name, "prefix": token.prefix, "scopes": token.scopes, "days": days}
    record(session, actor, Action.TOKEN_CREATE, "token", str(token.id), after=facts)
    return token, value


async def tokens_of(session: AsyncSession, actor: Actor, *, everybody: bool = False) -> list[Token]:
    """The actor's own tokens, newest first; everybody's for admins."""
    query = select(Token).order_by(Token.id.desc())
    if everybody:
        demand(actor, Permission.USER_MANAGE)
    else:
        query = query.where(Token.user_id == actor.user_id)
    return list(await session.scalars(query))


async def page(
    session: AsyncSession, actor: Actor, *, q: str = "", status: str = "", number: int = 1, size: int = 50
) -> Page[Token]:
    """A page of everybody's tokens, newest first; `status` is one of STATUSES. Raises Forbidden."""
    demand(actor, Permission.USER_MANAGE)
    query = select(Token).join(User, Token.user_id == User.id).order_by(Token.id.desc())
    if q:
        places = (Token.name, Token.prefix, User.username, User.display_name)
        query = query.where(or_(*(contains(place, q) for place in places)))
    conditions = {
        "valid": and_(Token.revoked_at.is_(None), or_(Token.expires_at.is_(None), Token.expires_at > now())),
        "expired": and_(Token.revoked_at.is_(None), Token.expires_at <= now()),
        "revoked": Token.revoked_at.is_not(None),
    }
    if status:
        query = query.where(conditions[status])
    return await paged(session, query, number, size)


def status_of(token: Token) -> str:
    """One of STATUSES, as of now."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now() else "valid"


async def token_for(session: AsyncSession, actor: Actor, token_id: int) -> Token:
    """A token that the actor may revoke. Raises NotFound (also for another's)."""
    token = await session.get(Token, token_id)
    if token is None or not allowed(actor, Permission.TOKEN_REVOKE, token_facts(token)):
        raise NotFound("token", str(token_id))
    return token


async def revoke_token(session: AsyncSession, actor: Actor, token_id: int) -> Token:
    """End a token now: one's own, or any for admins; again is fine.

    Raises NotFound (also for another's), Forbidden (an admin's token without the scope `approve` ends only the admin's own).
    """
    token = await token_for(session, actor, token_id)
    if actor.token_prefix and token.user_id != actor.user_id:
        demand_scope(actor, Scope.APPROVE)
    if token.revoked_at is None:
        token.revoked_at = now()
        record(session, actor, Action.TOKEN_REVOKE, "token", str(token.id), before={"prefix": token.prefix})
    return token


async def authenticate(session: AsyncSession, value: str, *, address: str = "", request_id: str = "") -> Actor:
    """Whose token this is, with the scopes that both the token and the role allow now.

    Raises Unauthenticated; a refused token that is known leaves an audit row, so the caller must commit even then.
    """
    vouched = select(func.max(Identity.trusted_until)).where(Identity.user_id == Token.user_id).scalar_subquery()
    query = select(Token, vouched).where(Token.sha256 == _digest(value))
    row = (await session.execute(query)).one_or_none() if value.startswith(TOKEN_MARK) else None
    if row is None:
        raise _unauthenticated("unknown")
    token, trusted_until = row
    actor = Actor(
        name=token.user.username,
        user_id=token.user_id,
        role=token.user.role,
        scopes=frozenset(token.scopes) & ROLE_SCOPES[Role(token.user.role)],
        address=address,
        request_id=request_id,
        token_prefix=token.prefix,
        token_ends_at=token.expires_at,
    )
    moment = now()
    if why := _why_refused(token, moment) or _why_rests(token.user, trusted_until, moment):
        await refusals.note(session, actor, Action.SIGN_IN_FAILED, "token", str(token.id), {"why": why})
        raise _unauthenticated(why)
    if token.last_used_at is None or moment - token.last_used_at >= LAST_USE_STEP:
        token.last_used_at, token.last_address = moment, address
    return actor


def _why_refused(token: Token, moment: datetime) -> str:
    if not token.user.active:
        return "deactivated"
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= moment else ""


def _why_rests(user: User, trusted_until: datetime | None, moment: datetime) -> str:
    """An account that only an identity provider opens is trusted for a while after the provider vouched for it.

    Otherwise somebody whom the provider does not know any more would keep a token until the portal is told.
    """
    if user.password_hash is not None or trusted_until is None:
        return ""
    return "unconfirmed" if trusted_until <= moment else ""


_REFUSALS = {
    "unconfirmed": (
        "You have not signed in for a while, so this token rests. Sign in to the portal in the browser; then it works again.",
        "오랫동안 로그인하지 않아 토큰이 멈춰 있습니다. 브라우저에서 포털에 로그인하면 다시 쓸 수 있습니다.",
    ),
    "unknown": (
        "This token is not valid. Sign in with `one login`.",
        "토큰이 맞지 않습니다. `one login`으로 로그인하세요.",
    ),
    "deactivated": (
        "This account is deactivated. Contact an administrator.",
        "비활성화된 계정입니다. 관리자에게 문의하세요.",
    ),
    "revoked": ("This token was revoked. Make a new one.", "폐기된 토큰입니다. 새 토큰을 만드세요."),
    "expired": ("This token has expired. Make a new one.", "만료된 토큰입니다. 새 토큰을 만드세요."),
}


def _unauthenticated(why: str) -> Unauthenticated:
    english, korean = _REFUSALS[why]
    return Unauthenticated(f"token_{why}", english, korean)


def _digest(value: str) -> str:
    return sha256(value.encode()).hexdigest()


def _end(actor: Actor, days: int | None) -> datetime | None:
    """When the new token ends: never after the one that asks for it, so that a stolen one cannot live on in others."""
    wanted = now() + timedelta(days=days) if days is not None else None
    return min((end for end in (wanted, actor.token_ends_at) if end is not None), default=None)


def demand_scope(actor: Actor, scope: Scope) -> None:
    """Raises Forbidden, naming the scope, unless the asking token or session has it."""
    if scope in actor.scopes:
        return
    raise Forbidden(
        "scope_missing",
        f"This token lacks the scope `{scope.value}`. Make one that has it.",
        f"이 토큰에는 `{scope.value}` 범위가 없습니다. 이 범위를 가진 토큰을 만드세요.",
    )


def _check_token_request(actor: Actor, user: User, name: str, scopes: Collection[Scope], days: int | None) -> None:
    if not name.strip() or not scopes or (days is not None and not 1 <= days <= MAX_TOKEN_DAYS):
        raise Invalid(
            "bad_token_request",
            f"A token needs a name, at least one scope, and 1 to {MAX_TOKEN_DAYS} days.",
            f"토큰에는 이름, 하나 이상의 범위, 1~{MAX_TOKEN_DAYS}일의 기한이 필요합니다.",
        )
    if days is None and actor.user_id is not None:
        raise Invalid(
            "no_expiry", "Only portal-admin makes tokens without expiry.", "기한 없는 토큰은 portal-admin만 만듭니다."
        )
    allowed = ROLE_SCOPES[Role(user.role)]
    if actor.user_id is not None and actor.token_prefix:
        allowed = allowed & frozenset(Scope(scope) for scope in actor.scopes)
    if wider := sorted(set(scopes) - allowed):
        names = ", ".join(wider)
        raise Forbidden(
            "scope_too_wide",
            f"This token may not have the scopes: {names}.",
            f"이 토큰은 다음 범위를 가질 수 없습니다: {names}.",
        )
