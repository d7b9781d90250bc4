"""The queue page as a live thing: one look a second for all who watch, its rows drawn once for all who see the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from portal.domain.permissions import ADMIN, Permission
from portal.services.access import demand
from portal.services.audit import Actor
from portal.services.queuemarks import QueueMarks
from portal.services.sitesettings import effective
from portal.settings import Settings
from portal.web.frame import Frame
from portal.web.live import Topic, query_of
from portal.web.pages import queue
from portal.web.rendering import rendered


class QueueKind:
    """See portal.web.live.LiveKind; the key is the page's query."""

    views = frozenset({queue.VIEW})

    def __init__(self, marks: QueueMarks, settings: Settings) -> None:
        self._marks = marks
        self._settings = settings

    async def marks(self, keys: Collection[str]) -> Mapping[str, str]:
        """See LiveKind."""
        return dict.fromkeys(keys, await self._marks.read())

    async def viewpoint(self, session: AsyncSession, actor: Actor, key: str) -> str:
        """Administrators see the same, but for their own; of the others everybody sees what they may."""
        demand(actor, Permission.QUEUE_READ)
        alike = actor.role == ADMIN and query_of(key).get("scope") != "mine"
        return ADMIN if alike else str(actor.user_id)

    async def parts(self, session: AsyncSession, actor: Actor, topic: Topic, frame: Frame) -> str:
        """See LiveKind."""
        settings, query = await effective(session, self._settings), queue.query_of_page(query_of(topic.key))
        return rendered(frame, await queue.page_of(session, actor, settings, frame, query), block="parts")
