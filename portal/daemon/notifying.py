"""The notices' loop: sends what waits in the outbox, several at once, and deletes notices that are too old."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from portal.daemon import mailing, webhooks
from portal.daemon.context import Context
from portal.daemon.rounds import abreast
from portal.db.engine import transaction
from portal.domain.notices import Channel
from portal.services import deliveries, notices
from portal.services.deliveries import Outcome, Parcel
from portal.settings import Settings

log = structlog.get_logger()
Send = Callable[[Settings, Parcel], Awaitable[Outcome]]
SENDERS: Mapping[str, Send] = {Channel.EMAIL.value: mailing.send, Channel.WEBHOOK.value: webhooks.send}
AT_ONCE = 8
_CLEAN_EVERY_S = timedelta(hours=1).total_seconds()


class Notifying:
    """Round after round; what a way could not take now is taken again by `portal.domain.notices.next_try`."""

    def __init__(self, senders: Mapping[str, Send] = SENDERS, clock: Callable[[], float] = time.monotonic) -> None:
        self._senders = senders
        self._clock = clock
        self._clean_at = 0.0

    async def __call__(self, context: Context) -> None:
        """One round. Raises what nobody can go on with."""
        async with transaction(context.sessions) as session:
            parcels = {parcel.id: parcel for parcel in await deliveries.claim(session)}

        async def step(context: Context, key: int) -> None:
            await self._send(context, parcels[key])

        trouble = await abreast(context, parcels, AT_ONCE, step)
        if trouble is not None:
            raise trouble
        await self._clean(context)

    async def _send(self, context: Context, parcel: Parcel) -> None:
        outcome = await self._senders[parcel.channel](context.settings, parcel)
        async with transaction(context.sessions) as session:
            state = await deliveries.settle(session, parcel, outcome)
        if outcome.error:
            given_up = state == deliveries.FAILED
            tell = log.warning if given_up else log.info
            tell(
                "notice given up" if given_up else "notice not sent; it is tried again",
                delivery=parcel.id,
                channel=parcel.channel,
                tries=parcel.tries,
                error=outcome.error,
            )

    async def _clean(self, context: Context) -> None:
        if self._clock() < self._clean_at:
            return
        async with transaction(context.sessions) as session:
            deleted = await notices.delete_old(session, context.settings.notify.keep_days)
        if deleted:
            log.info("old notices deleted", count=deleted)
        else:
            self._clean_at = self._clock() + _CLEAN_EVERY_S
