"""Which imports of one's own Apps a newer version may replace: what Home tells an author."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, AppVersion, Draft
from portal.services.access import visible_apps
from portal.services.audit import Actor
from portal.spec.imports import newer_version

APPS_LOOKED_AT = 50


@dataclass(frozen=True)
class News:
    """An App of one's own imports `source`, of which there is `version` since `at`."""

    app_id: str
    app_name: str
    source: str
    version: str
    at: datetime


async def of_author(session: AsyncSession, actor: Actor) -> list[News]:
    """By the newest version of each App. An App with an open draft is left out: whoever draws it sees the same there."""
    own = (
        select(App.id, App.name, AppVersion.spec["imported_apps"])
        .join(AppVersion, AppVersion.app_id == App.id)
        .outerjoin(Draft, Draft.app_id == App.id)
        .where(App.owner_id == actor.user_id, App.archived_at.is_(None), Draft.app_id.is_(None))
        .where(AppVersion.id.in_(_newest()))
        .order_by(AppVersion.id.desc())
        .limit(APPS_LOOKED_AT)
    )
    imported = [(app_id, name, one) for app_id, name, found in await session.execute(own) for one in found or ()]
    sources = (
        select(AppVersion.app_id, AppVersion.version, AppVersion.created_at)
        .join(App, App.id == AppVersion.app_id)
        .where(App.id.in_({one["app_ref"] for _, _, one in imported}), visible_apps(actor), App.archived_at.is_(None))
        .where(AppVersion.id.in_(_newest()))
    )
    newest = {ref: (version, at) for ref, version, at in await session.execute(sources)} if imported else {}
    return [
        News(app_id, name, one["name"], version, at)
        for app_id, name, one in imported
        for version, at in filter(None, [newest.get(one["app_ref"])])
        if newer_version([version], one.get("version"), one.get("declined_version"))
    ]


def _newest() -> Select[int]:
    return select(func.max(AppVersion.id)).group_by(AppVersion.app_id)
