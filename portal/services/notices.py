"""What a person was told: counted, paged, marked as read, and deleted when it is old; nobody reads another's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.engine import Sessions
from portal.db.models import Notice, NoticeDelivery, now
from portal.services.access import person_of
from portal.services.audit import Actor
from portal.services.errors import NotFound
from portal.services.paging import Page, paged

NEWEST = 10
_DELETED_AT_ONCE = 1000


async def unread(session: AsyncSession, actor: Actor) -> int:
    """How many the asker has not read."""
    query = select(func.count()).where(Notice.user_id == person_of(actor).id, Notice.read_at.is_(None))
    return await session.scalar(query) or 0


async def newest(session: AsyncSession, actor: Actor, count: int = NEWEST) -> list[Notice]:
    """The asker's newest, newest first."""
    query = select(Notice).where(Notice.user_id == person_of(actor).id).order_by(Notice.id.desc()).limit(count)
    return list(await session.scalars(query))


async def page(
    session: AsyncSession, actor: Actor, number: int, size: int, *, only_unread: bool = False
) -> Page[Notice]:
    """A page of the asker's, newest first."""
    query = select(Notice).where(Notice.user_id == person_of(actor).id)
    if only_unread:
        query = query.where(Notice.read_at.is_(None))
    return await paged(session, query.order_by(Notice.id.desc()), number, size)


async def read_one(session: AsyncSession, actor: Actor, notice_id: int) -> Notice:
    """One of the asker's, read from now on. Raises NotFound, for another's too."""
    notice: Notice | None = await session.scalar(
        select(Notice).where(Notice.id == notice_id, Notice.user_id == person_of(actor).id)
    )
    if notice is None:
        raise NotFound("notice", str(notice_id))
    notice.read_at = notice.read_at or now()
    return notice


async def read_all(session: AsyncSession, actor: Actor, up_to: int) -> None:
    """All of the asker's that were there when the page was made are read; one that came since stays unread."""
    mine = (Notice.user_id == person_of(actor).id, Notice.read_at.is_(None), Notice.id <= up_to)
    await session.execute(update(Notice).where(*mine).values(read_at=now()))


async def delete_old(session: AsyncSession, keep_days: int) -> int:
    """Delete some that are older, with their deliveries; how many. A round deletes no more than one transaction bears."""
    old = select(Notice.id).where(Notice.told_at < now() - timedelta(days=keep_days)).limit(_DELETED_AT_ONCE)
    ids = list(await session.scalars(old))
    if ids:
        await session.execute(delete(NoticeDelivery).where(NoticeDelivery.notice_id.in_(ids)))
        await session.execute(delete(Notice).where(Notice.id.in_(ids)))
    return len(ids)


class NoticeMarks:
    """The marks of watched people's notices, for the live pages (`portal.services.live.ReadMarks`); keys are user ids."""

    def __init__(self, maker: Sessions) -> None:
        self._maker = maker

    async def read(self, keys: Collection[str]) -> Mapping[str, str]:
        """User id -> newest notice and number of unread ones; one query for all."""
        ids = [int(key) for key in keys]
        count = func.count().filter(Notice.read_at.is_(None))
        query = (
            select(Notice.user_id, func.max(Notice.id), count).where(Notice.user_id.in_(ids)).group_by(Notice.user_id)
        )
        async with self._maker() as session:
            found = {str(row[0]): f"{row[1]}.{row[2]}" for row in await session.execute(query)}
        return {key: found.get(key, "0.0") for key in keys}
