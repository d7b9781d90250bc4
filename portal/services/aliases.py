"""Aliases of an App's models (champion, candidate, own words): where each is now, and every move it made."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from portal.db.models import AliasMove, Model

Aliases = dict[tuple[str, int], tuple[str, ...]]
"""(App id, version) -> its aliases in the order of the alphabet."""


def newest() -> ColumnElement[bool]:
    """Of AliasMove rows those that say where an alias is now."""
    later = aliased(AliasMove)
    return ~exists().where(
        later.app_id == AliasMove.app_id, later.alias == AliasMove.alias, later.number > AliasMove.number
    )


def points_here(alias: str) -> ColumnElement[bool]:
    """Of Model rows those that carry the alias now."""
    here = and_(AliasMove.app_id == Model.app_id, AliasMove.version == Model.version, AliasMove.alias == alias)
    return exists().where(here, newest())


async def current(session: AsyncSession, app_ids: Collection[str]) -> Aliases:
    """Where the aliases of these Apps are."""
    query = select(AliasMove).where(AliasMove.app_id.in_(app_ids), AliasMove.version.is_not(None), newest())
    found: Aliases = {}
    for move in await session.scalars(query.order_by(AliasMove.alias)):
        key = (move.app_id, move.version or 0)
        found[key] = (*found.get(key, ()), move.alias)
    return found


async def history(session: AsyncSession, app_id: str) -> tuple[AliasMove, ...]:
    """Every move of the App's aliases, the newest first."""
    query = select(AliasMove).where(AliasMove.app_id == app_id).order_by(AliasMove.id.desc())
    return tuple(await session.scalars(query))
