"""The portal's own samples of the cluster: written about once a minute, thinned with age, read as series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from portal.db.models import ClusterSample, now
from portal.domain.gpupast import Past, readings_of
from portal.domain.nodehistory import ACTIVE, Look
from portal.domain.permissions import Permission
from portal.domain.samples import (
    COARSER,
    HOUR_S,
    MINUTE_S,
    RANGES,
    RETENTION,
    TEN_MINUTES_S,
    Reading,
    Sample,
    coarse,
    window_of,
)
from portal.services.access import demand
from portal.services.audit import Actor

CORES = "cpu"
FRESH = timedelta(minutes=3)
"""Older than this, a measurement is none of the present."""


async def is_due(session: AsyncSession) -> bool:
    """Whether this minute has no sample yet."""
    newest = await newest_at(session)
    return newest is None or newest < window_of(now(), MINUTE_S)


async def keep(
    session: AsyncSession, reading: Reading, notes: Mapping[str, str], nodes: Mapping[str, Reading] | None = None
) -> None:
    """Write this minute's sample, the coarse ones of windows that are over, and forget what is too old."""
    moment = now()
    session.add(_row(Sample(window_of(moment, MINUTE_S), MINUTE_S, reading, notes, nodes or {})))
    await session.flush()
    for fine_s, _coarse_s in COARSER:
        await close_over(session, fine_s)
    for span_s, kept in RETENTION.items():
        await session.execute(
            delete(ClusterSample).where(ClusterSample.span_s == span_s, ClusterSample.at < moment - kept)
        )


async def newest_at(session: AsyncSession) -> datetime | None:
    """When the newest sample was taken; None before the first."""
    return await session.scalar(select(func.max(ClusterSample.at)).where(ClusterSample.span_s == MINUTE_S))


async def fill(session: AsyncSession, span_s: int, pasts: Sequence[Past]) -> int:
    """Write what is known of windows without a sample; how many. What has one stays as it is."""
    if not pasts:
        return 0
    between = ClusterSample.at >= pasts[0].at, ClusterSample.at <= pasts[-1].at
    there = set(await session.scalars(select(ClusterSample.at).where(ClusterSample.span_s == span_s, *between)))
    missing = [past for past in pasts if past.at not in there]
    session.add_all(
        _row(Sample(past.at, span_s, whole, {}, nodes)) for past in missing for whole, nodes in [readings_of(past)]
    )
    await session.flush()
    return len(missing)


async def close_over(session: AsyncSession, fine_s: int) -> None:
    """One coarse sample for every window that has ended, has fine ones, and has no coarse one; a gap stays a gap."""
    coarse_s = dict(COARSER).get(fine_s)
    if coarse_s is None:
        return
    moment = now()
    newest = await session.scalar(select(func.max(ClusterSample.at)).where(ClusterSample.span_s == coarse_s))
    this = window_of(moment, coarse_s)
    fine = select(ClusterSample).where(ClusterSample.span_s == fine_s, ClusterSample.at < this)
    if newest is not None:
        fine = fine.where(ClusterSample.at >= newest + timedelta(seconds=coarse_s))
    windows: dict[datetime, list[Sample]] = {}
    for row in await session.scalars(fine.order_by(ClusterSample.at).options(undefer(ClusterSample.nodes))):
        windows.setdefault(window_of(row.at, coarse_s), []).append(replace(_sample(row), nodes=row.nodes))
    session.add_all(_row(coarse(samples, at, coarse_s)) for at, samples in windows.items())
    await session.flush()


async def series(session: AsyncSession, actor: Actor, span: str) -> Sequence[Sample]:
    """The samples of a range of RANGES, oldest first. Raises Forbidden."""
    demand(actor, Permission.CLUSTER_READ)
    length, span_s = RANGES[span]
    query = select(ClusterSample).where(ClusterSample.span_s == span_s, ClusterSample.at >= now() - length)
    return [_sample(row) for row in await session.scalars(query.order_by(ClusterSample.at))]


async def of_node(session: AsyncSession, actor: Actor, name: str, span: str) -> Sequence[Sample]:
    """The same of one node: `reading` is the node's own. Raises Forbidden."""
    demand(actor, Permission.CLUSTER_READ)
    length, span_s = RANGES[span]
    query = select(ClusterSample.at, ClusterSample.nodes[name], ClusterSample.notes[name])
    query = query.where(ClusterSample.span_s == span_s, ClusterSample.at >= now() - length)
    rows = await session.execute(query.order_by(ClusterSample.at))
    return [Sample(at, span_s, reading or {}, {name: note} if note else {}) for at, reading, note in rows]


async def states_of(session: AsyncSession, actor: Actor, name: str) -> list[Look]:
    """How a node was in the last month, each time in the finest samples that are kept of it. Raises Forbidden."""
    demand(actor, Permission.CLUSTER_READ)
    moment, begins = now(), now() - RETENTION[HOUR_S]
    # What was filled in from Prometheus has no cores: nothing is known of the node's state then.
    query = select(ClusterSample.at, ClusterSample.notes[name], ClusterSample.reading[CORES])
    looks: list[Look] = []
    for span_s, next_s in ((HOUR_S, TEN_MINUTES_S), (TEN_MINUTES_S, MINUTE_S), (MINUTE_S, None)):
        ends = moment if next_s is None else window_of(moment - RETENTION[next_s], span_s)
        part = query.where(ClusterSample.span_s == span_s, ClusterSample.at >= begins, ClusterSample.at < ends)
        rows = await session.execute(part.order_by(ClusterSample.at))
        looks += [Look(at, span_s, note or ACTIVE) for at, note, cores in rows if note or cores is not None]
        begins = ends
    return looks


async def newest(session: AsyncSession) -> Sample | None:
    """What was measured last, if that is still the present."""
    query = select(ClusterSample).where(ClusterSample.span_s == MINUTE_S, ClusterSample.at > now() - FRESH)
    row = await session.scalar(query.order_by(ClusterSample.at.desc()).limit(1))
    return None if row is None else _sample(row)


def _row(sample: Sample) -> ClusterSample:
    return ClusterSample(
        at=sample.at,
        span_s=sample.span_s,
        reading=dict(sample.reading),
        notes=dict(sample.notes),
        nodes=dict(sample.nodes),
    )


def _sample(row: ClusterSample) -> Sample:
    return Sample(row.at, row.span_s, row.reading, row.notes)
