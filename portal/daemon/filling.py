"""Fills what the trends lack after the daemon was away with what Prometheus measured meanwhile; the rest stays a gap."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from portal.daemon.context import Context
from portal.daemon.prometheus import Prometheus, PrometheusError
from portal.db.engine import transaction
from portal.db.models import now
from portal.domain.gpupast import QUERIES, Past, past_of
from portal.domain.samples import HOUR_S, MINUTE_S, RETENTION, TEN_MINUTES_S, window_of
from portal.services import trends
from portal.services.cluster import ClusterView

GAP = timedelta(minutes=2)
"""A longer time without a sample is a gap."""
STEPS_S = {MINUTE_S: MINUTE_S, TEN_MINUTES_S: TEN_MINUTES_S, HOUR_S: TEN_MINUTES_S}
"""How far apart Prometheus is asked for the samples of each span: an hour is the mean of six looks."""
AT_ONCE = timedelta(days=1)
"""So much is asked at a time, so that an answer stays small whatever the size of the cluster."""
log = structlog.get_logger()


async def fill(context: Context, view: ClusterView, since: datetime) -> bool:
    """Write the samples between `since` and now that Prometheus can tell of. False: it did not answer, ask again later."""
    nodes = {node.name: {label: one.total for label, one in node.gpus.items()} for node in view.nodes if node.gpus}
    if context.prometheus is None or not nodes:
        return True
    moment = now()
    found: dict[int, list[Past]] = {}
    try:
        for span_s, kept in RETENTION.items():
            begin = max(since, moment - kept)
            found[span_s] = [past async for past in _asked(context.prometheus, nodes, begin, moment, span_s)]
    except PrometheusError as error:
        log.warning("what was missed cannot be filled in yet", since=since.isoformat(), error=str(error))
        return False
    async with transaction(context.sessions) as session:
        written = await _write(session, found)
    log.info("filled in from Prometheus", since=since.isoformat(), samples=written)
    return True


async def _asked(
    prometheus: Prometheus, nodes: dict[str, dict[str, int]], begin: datetime, end: datetime, span_s: int
) -> AsyncIterator[Past]:
    """Whole windows only: the one that is under way gets samples of its own."""
    end = window_of(end, span_s) - timedelta(seconds=1)
    begin = window_of(begin, span_s)
    while begin < end:
        until = min(begin + AT_ONCE - timedelta(seconds=1), end)
        answers = await prometheus.ask_range(QUERIES, begin, until, STEPS_S[span_s])
        for past in past_of(answers, nodes, span_s):
            yield past
        begin += AT_ONCE


async def _write(session: AsyncSession, found: dict[int, list[Past]]) -> int:
    """Fine ones first, so that coarse windows that have samples of both kinds are made of all of them."""
    written = 0
    for span_s, pasts in found.items():
        written += await trends.fill(session, span_s, pasts)
        await trends.close_over(session, span_s)
    return written


class Gaps:
    """What the sampling loop has missed and could not fill in yet; lives as long as the process."""

    def __init__(self) -> None:
        self._since: datetime | None = None

    async def look(self, context: Context, view: ClusterView, newest: datetime | None) -> None:
        """Before a sample is written: fill what lies between it and the newest one, now or with a later sample."""
        if newest is not None and now() - newest > GAP:
            self._since = min(self._since or newest, newest)
        if self._since is not None and await fill(context, view, self._since):
            self._since = None
