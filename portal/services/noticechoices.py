"""By which ways a person wants to be told, the webhook of their own, and a test whether messages arrive."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Notice, NoticeDelivery, User, Webhook, now
from portal.domain import notices
from portal.domain.notices import Channel, Kind
from portal.domain.permissions import ADMIN
from portal.domain.webaddress import NotAllowed, parse_webhook
from portal.services import telling
from portal.services.accounts import user_of
from portal.services.audit import Action, Actor, record
from portal.services.errors import Invalid, TooMany
from portal.settings import Settings
from portal.spec.problems import Problem

SECRET_MARK = "onewh_"
TRIAL_EVERY = timedelta(minutes=1)
SHOWN_FAILURES = 5


@dataclass(frozen=True)
class Undelivered:
    """A message that did not get through: what, by which way, and what the other side said."""

    notice: Notice
    delivery: NoticeDelivery


@dataclass(frozen=True)
class Choosing:
    """What a person chose, by kind, and what there is to choose."""

    user: User
    ways: Mapping[Kind, frozenset[Channel]]
    webhook: Webhook | None
    undelivered: tuple[Undelivered, ...]


async def choosing(session: AsyncSession, actor: Actor) -> Choosing:
    """The asker's own choices."""
    user = await user_of(session, actor)
    kinds = notices.kinds_for(user.role == ADMIN)
    query = (
        select(Notice, NoticeDelivery)
        .join(NoticeDelivery, NoticeDelivery.notice_id == Notice.id)
        .where(Notice.user_id == user.id, NoticeDelivery.error != "", NoticeDelivery.state.in_(("waiting", "failed")))
        .order_by(NoticeDelivery.id.desc())
        .limit(SHOWN_FAILURES)
    )
    failed = tuple(Undelivered(row[0], row[1]) for row in await session.execute(query))
    chosen = {kind: notices.ways(user.notice_ways, kind) for kind in kinds}
    return Choosing(user, chosen, await session.get(Webhook, user.id), failed)


async def choose(session: AsyncSession, actor: Actor, ways: Mapping[Kind, Sequence[Channel]], wait_min: int) -> User:
    """Keep them all; kinds that are not given are told by the bell alone. Raises Invalid."""
    if not 0 <= wait_min <= notices.MAX_WAIT_MIN:
        english, korean = f"0 to {notices.MAX_WAIT_MIN} minutes", f"0에서 {notices.MAX_WAIT_MIN}분 사이"
        raise _invalid("wait_min", f"Give {english}.", f"{korean}로 적으세요.")
    user = await user_of(session, actor)
    kinds = notices.kinds_for(user.role == ADMIN)
    # What only admins choose outlives a time without that role.
    kept = dict(user.notice_ways or {})
    user.notice_ways = kept | {kind.value: sorted(way.value for way in ways.get(kind, ())) for kind in kinds}
    user.notice_wait_min = wait_min
    return user


async def set_webhook(session: AsyncSession, actor: Actor, settings: Settings, url: str) -> str:
    """Send to this address from now on, signed with a new secret; the secret, shown once. Raises Invalid."""
    try:
        parse_webhook(url, allow_http=settings.notify.webhook_http)
    except NotAllowed as error:
        raise _invalid("url", error.message_en, error.message_ko) from error
    user = await user_of(session, actor)
    secret = SECRET_MARK + secrets.token_urlsafe(32)
    await session.merge(Webhook(user_id=user.id, url=url, secret=secret, made_at=now()))
    user.notice_webhook = True
    record(session, actor, Action.WEBHOOK_SET, "user", user.username, after={"url": url})
    return secret


async def remove_webhook(session: AsyncSession, actor: Actor) -> None:
    """Send nowhere from now on, what waits included."""
    user = await user_of(session, actor)
    webhook = await session.get(Webhook, user.id)
    user.notice_webhook = False
    if webhook is not None:
        record(session, actor, Action.WEBHOOK_REMOVE, "user", user.username, before={"url": webhook.url})
        await session.delete(webhook)


async def try_out(session: AsyncSession, actor: Actor) -> None:
    """Tell oneself by every way that is set up. Raises TooMany within a minute of the last time."""
    user = await user_of(session, actor)
    recent = (Notice.user_id == user.id, Notice.kind == Kind.TRIAL.value, Notice.told_at > now() - TRIAL_EVERY)
    if await session.scalar(select(Notice.id).where(*recent).limit(1)) is not None:
        raise TooMany(
            "trial_just_sent",
            "A test notification was sent less than a minute ago; wait for it, then try again.",
            "1분 안에 보낸 시험 알림이 있습니다. 기다린 뒤 다시 시도하세요.",
            retry_after_s=int(TRIAL_EVERY.total_seconds()),
        )
    telling.tell(session, user, Kind.TRIAL, user.username, {})


def _invalid(field: str, english: str, korean: str) -> Invalid:
    return Invalid(
        "bad_choice", english, korean, [Problem(field, "bad_choice", korean, english, cure_ko="", cure_en="")]
    )
