"""The outbox of notices: claimed before they are sent, and settled after, so that a crash sends one twice at worst."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Notice, NoticeDelivery, User, Webhook, now
from portal.domain import notices
from portal.domain.notices import Kind
from portal.domain.noticewords import Words, path, words

BATCH = 50
LEASE = timedelta(minutes=5)
"""What a daemon claimed and did not settle in this time is tried again: that daemon is gone."""
_ERROR_CHARS = 300
WAITING, SENDING, SENT, FAILED, OFF = "waiting", "sending", "sent", "failed", "off"


@dataclass(frozen=True)
class Parcel:
    """One message to send: to whom, what, and by which way. `secret` signs it, where it goes to a webhook."""

    id: int
    channel: str
    tries: int
    to: str
    secret: str
    kind: Kind
    object_id: str
    told_at: datetime
    words: Words
    path: str
    korean: bool


@dataclass(frozen=True)
class Outcome:
    """What became of it. `error` "" is success; `final`: another try would end the same way; `off`: nowhere to send it."""

    error: str = ""
    final: bool = False
    off: bool = False


async def claim(session: AsyncSession) -> list[Parcel]:
    """Take what is due; committed before anything is sent, it is nobody else's for LEASE."""
    moment = now()
    due = (NoticeDelivery.state.in_((WAITING, SENDING)), NoticeDelivery.try_at <= moment)
    query = (
        select(NoticeDelivery, Notice, User, Webhook)
        .join(Notice, Notice.id == NoticeDelivery.notice_id)
        .join(User, User.id == Notice.user_id)
        .outerjoin(Webhook, Webhook.user_id == User.id)
        .where(*due)
        .order_by(NoticeDelivery.try_at, NoticeDelivery.id)
        .limit(BATCH)
    )
    parcels = []
    for delivery, notice, user, webhook in await session.execute(query):
        delivery.state, delivery.try_at, delivery.tries = SENDING, moment + LEASE, delivery.tries + 1
        parcels.append(_parcel(delivery, notice, user, webhook))
    return parcels


def _parcel(delivery: NoticeDelivery, notice: Notice, user: User, webhook: Webhook | None) -> Parcel:
    kind, korean = Kind(notice.kind), user.language != "en"
    by_mail = delivery.channel == notices.Channel.EMAIL.value
    to = (user.email if by_mail else webhook.url if webhook else "") if user.active else ""
    return Parcel(
        id=delivery.id,
        channel=delivery.channel,
        tries=delivery.tries,
        to=to,
        secret=webhook.secret if webhook else "",
        kind=kind,
        object_id=notice.object_id,
        told_at=notice.told_at,
        words=words(kind, notice.object_id, notice.data, korean=korean),
        path=path(kind, notice.object_id),
        korean=korean,
    )


async def settle(session: AsyncSession, parcel: Parcel, outcome: Outcome) -> str:
    """Write down what became of it; the delivery's state from now on."""
    delivery = await session.get_one(NoticeDelivery, parcel.id)
    moment = now()
    again = None if outcome.final else notices.next_try(delivery.tries, parcel.told_at, moment)
    changed: dict[str, Any] = {"state": SENT, "error": "", "done_at": moment}
    if outcome.off:
        changed["state"] = OFF
    elif outcome.error and again is not None:
        changed = {"state": WAITING, "error": outcome.error[:_ERROR_CHARS], "try_at": again}
    elif outcome.error:
        changed |= {"state": FAILED, "error": outcome.error[:_ERROR_CHARS]}
    for name, value in changed.items():
        setattr(delivery, name, value)
    return str(delivery.state)
