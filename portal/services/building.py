"""What the Builder shows beside the draft and the library: the site's sizes and limits, and Apps to import."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, AppVersion
from portal.services import cluster
from portal.services.access import thresholds, visible_apps
from portal.services.audit import Actor
from portal.settings import Settings

APPS_LOOKED_AT = 50


async def site_facts(session: AsyncSession, settings: Settings) -> dict[str, Any]:
    """Thresholds, kinds of nodes, GPUs by type (`shards`: into how many one is cut), storage roots and registries."""
    limits = thresholds(settings)
    classes = await cluster.inventory(session, settings)
    view = await cluster.nodes(session, settings)
    shards = {one.label: one.shards // one.gpus for one in classes if one.label and one.gpus and one.shards}
    gpus = {
        label: {"total": amount.total, "idle": amount.idle, "fake": view.fake_gpus}
        | ({"shards": shards[label]} if label in shards else {})
        for label, amount in sorted(view.gpus.items())
    }
    return {
        "threshold_gpus": limits.gpus,
        "threshold_memory_mib": limits.memory_mib,
        "nodes": [{"gpu_type": one.label, "gpus": one.gpus, "memory_mib": one.memory_mib} for one in classes],
        "gpus": gpus,
        "storage_roots": [str(root) for root in settings.storage.roots],
        "registries": list(settings.images.registries),
    }


async def importable(session: AsyncSession, actor: Actor, into: str) -> list[AppVersion]:
    """The newest version of every App that one may see, other than the one that is being drawn."""
    return [version for version in await _newest_versions(session, actor) if version.app_id != into]


async def _newest_versions(session: AsyncSession, actor: Actor) -> list[AppVersion]:
    newest = select(func.max(AppVersion.id)).group_by(AppVersion.app_id)
    query = (
        select(AppVersion)
        .join(App, App.id == AppVersion.app_id)
        .where(AppVersion.id.in_(newest), visible_apps(actor), App.archived_at.is_(None))
        .order_by(AppVersion.id.desc())
        .limit(APPS_LOOKED_AT)
    )
    return list(await session.scalars(query))
