"""The resources pages as live things: one look a second for all who watch, each picture drawn once for all who see the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from portal.domain.permissions import ADMIN, Permission
from portal.services.access import demand
from portal.services.audit import Actor
from portal.services.clustermarks import ClusterMarks
from portal.services.sitesettings import effective
from portal.settings import Settings
from portal.web import clusterlive
from portal.web.clusterlive import NODE, WALL, shown_of
from portal.web.frame import Frame
from portal.web.live import Topic
from portal.web.pages import node, resources, wall
from portal.web.rendering import rendered


class ClusterKind:
    """See portal.web.live.LiveKind; the key is what the page shows (portal.web.clusterlive)."""

    views = frozenset({clusterlive.VIEW})

    def __init__(self, marks: ClusterMarks, settings: Settings) -> None:
        self._marks = marks
        self._settings = settings

    async def marks(self, keys: Collection[str]) -> Mapping[str, str]:
        """See LiveKind; trends change with the samples only."""
        everything, samples = await self._marks.read()
        return {key: samples if shown_of(key).get("tab") == "trends" else everything for key in keys}

    async def viewpoint(self, session: AsyncSession, actor: Actor, key: str) -> str:
        """Everybody sees the same cluster; of what runs on it, private workloads of others are hidden."""
        demand(actor, Permission.CLUSTER_READ)
        shown = shown_of(key)
        names_workloads = NODE in shown or shown.get("tab") == "workloads"
        return str(actor.user_id) if names_workloads and actor.role != ADMIN else "all"

    async def parts(self, session: AsyncSession, actor: Actor, topic: Topic, frame: Frame) -> str:
        """See LiveKind."""
        settings, shown = await effective(session, self._settings), shown_of(topic.key)
        if NODE in shown:
            return rendered(frame, await node.page_of(session, actor, settings, frame, shown), block="parts")
        if WALL in shown:
            return rendered(frame, await wall.page_of(session, actor, settings, frame), block="parts")
        return rendered(frame, await resources.page_of(session, actor, settings, frame, shown), block="parts")
