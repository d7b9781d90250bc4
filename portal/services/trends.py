"""The portal's own samples of the cluster: written about once a minute, thinned with age, read as series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import ClusterSample, now
from portal.domain.permissions import Permission
from portal.domain.samples import COARSER, MINUTE_S, RANGES, RETENTION, Reading, Sample, coarse, window_of
from portal.services.access import demand
from portal.services.audit import Actor

FRESH = timedelta(minutes=3)
"""Older than this, a measurement is none of the present."""


async def is_due(session: AsyncSession) -> bool:
    """Whether this minute has no sample yet."""
    newest = await session.scalar(select(func.max(ClusterSample.at)).where(ClusterSample.span_s == MINUTE_S))
    return newest is None or newest < window_of(now(), MINUTE_S)


async def keep(session: AsyncSession, reading: Reading, notes: dict[str, str]) -> None:
    """Write this minute's sample, the coarse ones of windows that are over, and forget what is too old."""
    moment = now()
    session.add(_row(Sample(window_of(moment, MINUTE_S), MINUTE_S, reading, notes)))
    await session.flush()
    for fine_s, coarse_s in COARSER:
        await _close(session, moment, fine_s, coarse_s)
    for span_s, kept in RETENTION.items():
        await session.execute(
            delete(ClusterSample).where(ClusterSample.span_s == span_s, ClusterSample.at < moment - kept)
        )


async def _close(session: AsyncSession, moment: datetime, fine_s: int, coarse_s: int) -> None:
    """One coarse sample for every window that has ended, has fine ones, and has no coarse one; a gap stays a gap."""
    newest = await session.scalar(select(func.max(ClusterSample.at)).where(ClusterSample.span_s == coarse_s))
    this = window_of(moment, coarse_s)
    fine = select(ClusterSample).where(ClusterSample.span_s == fine_s, ClusterSample.at < this)
    if newest is not None:
        fine = fine.where(ClusterSample.at >= newest + timedelta(seconds=coarse_s))
    windows: dict[datetime, list[Sample]] = {}
    for row in await session.scalars(fine.order_by(ClusterSample.at)):
        windows.setdefault(window_of(row.at, coarse_s), []).append(_sample(row))
    session.add_all(_row(coarse(samples, at, coarse_s)) for at, samples in windows.items())
    await session.flush()


async def series(session: AsyncSession, actor: Actor, span: str) -> Sequence[Sample]:
    """The samples of a range of RANGES, oldest first. Raises Forbidden."""
    demand(actor, Permission.CLUSTER_READ)
    length, span_s = RANGES[span]
    query = select(ClusterSample).where(ClusterSample.span_s == span_s, ClusterSample.at >= now() - length)
    return [_sample(row) for row in await session.scalars(query.order_by(ClusterSample.at))]


async def newest(session: AsyncSession) -> Sample | None:
    """What was measured last, if that is still the present."""
    query = select(ClusterSample).where(ClusterSample.span_s == MINUTE_S, ClusterSample.at > now() - FRESH)
    row = await session.scalar(query.order_by(ClusterSample.at.desc()).limit(1))
    return None if row is None else _sample(row)


def _row(sample: Sample) -> ClusterSample:
    return ClusterSample(at=sample.at, span_s=sample.span_s, reading=dict(sample.reading), notes=dict(sample.notes))


def _sample(row: ClusterSample) -> Sample:
    return Sample(row.at, row.span_s, row.reading, row.notes)
