"""Rows that the daemon writes over and over and the web process reads: one thing each, with when it was written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import DaemonReport, now

GPUS, FIGURES = "gpus", "figures"


async def write(session: AsyncSession, name: str, content: Mapping[str, Any]) -> None:
    """Replace what was said of this before."""
    await session.merge(DaemonReport(name=name, at=now(), content=dict(content)))


async def read(session: AsyncSession, name: str, within: timedelta) -> tuple[datetime, Mapping[str, Any]] | None:
    """(when, what); None where nothing was said within this time: an old word is none of the present."""
    row = await session.get(DaemonReport, name, populate_existing=True)
    return (row.at, row.content) if row is not None and now() - row.at < within else None
