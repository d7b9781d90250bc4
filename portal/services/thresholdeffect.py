"""Which Apps other approval thresholds would touch: told before they are saved."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, AppVersion
from portal.domain.approval import approval_reasons
from portal.services.access import thresholds
from portal.settings import Settings
from portal.spec.load import load_spec
from portal.spec.problems import SpecError


@dataclass(frozen=True)
class Touched:
    """One App whose need for approval changes."""

    app_id: str
    name: str
    needs_approval: bool


@dataclass(frozen=True)
class Effect:
    """Of `total` Apps, how many would need approval, and those that do not now or no longer would."""

    total: int
    needing: int
    touched: tuple[Touched, ...]


async def effect(session: AsyncSession, now: Settings, then: Settings) -> Effect:
    """Judged by the newest version of every App that is not archived."""
    newest = select(func.max(AppVersion.id)).group_by(AppVersion.app_id)
    query = (
        select(AppVersion)
        .join(App, App.id == AppVersion.app_id)
        .where(AppVersion.id.in_(newest), App.archived_at.is_(None))
        .order_by(AppVersion.app_id)
    )
    versions = list(await session.scalars(query))
    needed = [(_needed(version, now), _needed(version, then), version) for version in versions]
    touched = (Touched(version.app_id, version.app.name, after) for before, after, version in needed if before != after)
    return Effect(len(versions), sum(after for _before, after, _version in needed), tuple(touched))


def _needed(version: AppVersion, settings: Settings) -> bool:
    """A stored version that this portal cannot read any more cannot be handed in either."""
    try:
        spec = load_spec(version.spec).spec
    except SpecError:
        return False
    return bool(approval_reasons(spec, thresholds(settings)))
