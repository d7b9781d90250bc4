"""What the Builder shows beside the draft and the library: the site's sizes and limits, and Apps to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.compile import shards_per_gpu
from portal.db.models import App, AppVersion
from portal.services import apps, cluster, imports
from portal.services.access import thresholds, visible_apps
from portal.services.audit import Actor
from portal.services.errors import Invalid
from portal.services.paging import contains
from portal.settings import Settings
from portal.spec.diff import DiffGroup, diff_specs
from portal.spec.imports import Pin
from portal.spec.load import load_spec
from portal.spec.problems import SpecError

APPS_LOOKED_AT = 50


async def site_facts(session: AsyncSession, settings: Settings) -> dict[str, Any]:
    """Thresholds, kinds of nodes, GPUs by type (`shards`: into how many one is cut), storage roots and registries.

    `shares_limited`: whether a library keeps a share to its part.
    """
    limits = thresholds(settings)
    classes = await cluster.inventory(session, settings)
    view = await cluster.nodes(session, settings)
    shards = shards_per_gpu(classes)
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
        "shares_limited": settings.sharing.library is not None,
        "storage_roots": [str(root) for root in settings.storage.roots],
        "registries": list(settings.images.registries),
    }


@dataclass(frozen=True)
class Importable:
    """An App that can be imported, with its versions, newest first."""

    app_id: str
    name: str
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """One version as something to import; `chain` names the cycle that this would make, empty where it makes none."""

    version: AppVersion
    chain: tuple[str, ...]


async def importable(session: AsyncSession, actor: Actor, into: str, q: str = "") -> list[Importable]:
    """Apps with a version that one may see, other than the one that is being drawn, the last published first.

    `q` is part of id or name.
    """
    query = (
        select(App.id, App.name)
        .join(AppVersion, AppVersion.app_id == App.id)
        .where(App.id != into, visible_apps(actor), App.archived_at.is_(None))
        .group_by(App.id, App.name)
        .order_by(func.max(AppVersion.id).desc())
        .limit(APPS_LOOKED_AT)
    )
    if q:
        query = query.where(or_(contains(App.id, q), contains(App.name, q)))
    names = dict((await session.execute(query)).all())
    versions = await imports.versions_of(session, actor, names)
    return [Importable(app_id, name, tuple(versions[app_id])) for app_id, name in names.items()]


async def source(session: AsyncSession, actor: Actor, into: str, app_id: str, version: str) -> Source:
    """One version to import into the App `into`. Raises NotFound when one of both is absent or not visible."""
    target = await apps.get(session, actor, into)
    found = await apps.version(session, actor, app_id, version)
    chain = await imports.chain_of(session, actor, target.id, target.name, Pin(app_id, version))
    return Source(found, chain)


async def sources(session: AsyncSession, actor: Actor, document: Mapping[str, Any]) -> dict[str, list[str]]:
    """For each App that a draft imports its versions, newest first; none when one may not see it. The draft may be wrong."""
    listed = document.get("imported_apps")
    refs = [app.get("app_ref") for app in listed if isinstance(app, dict)] if isinstance(listed, list) else []
    return await imports.versions_of(session, actor, {ref for ref in refs if isinstance(ref, str)})


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[DiffGroup, ...]:
    """What differs between two spec files. Raises Invalid when one of them is not right."""
    try:
        return diff_specs(load_spec(old).spec, load_spec(new).spec)
    except SpecError as error:
        raise Invalid(
            "not_comparable",
            "A spec with errors cannot be compared.",
            "오류가 있는 스펙은 비교할 수 없습니다.",
            error.problems,
        ) from error
