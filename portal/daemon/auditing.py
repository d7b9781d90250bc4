"""The audit loop: seals new rows, writes the chain's head to S3 once a day, verifies the log daily and when asked to, and
takes what has expired after each daily verification that found it intact.
"""

from __future__ import annotations

import structlog
from sqlalchemy.exc import IntegrityError

from portal.daemon.context import Context
from portal.daemon.rounds import each
from portal.db.engine import transaction
from portal.services import auditchecks, auditexpiry, auditseals, auditverify, refusals
from portal.services.audit import DAEMON

log = structlog.get_logger()


async def keep_log(context: Context) -> None:
    """One round."""
    async with transaction(context.sessions) as session:
        await refusals.close_ended(session)
    await seal(context)
    async with transaction(context.sessions) as session:
        wanted = [check.id for check in await auditchecks.begin(session)]
    await each(context, wanted, _verify)


async def seal(context: Context) -> None:
    """Seal what waits; the head goes into the journal too, which is another place that no database role can change."""
    try:
        sealed = await auditseals.seal_due(context.sessions)
    except IntegrityError:  # a daemon that led until a moment ago was first
        log.info("another daemon sealed the audit log; looking again")
        return
    if sealed is not None:
        log.info("audit log sealed", number=sealed.number, rows=sealed.rows, head=sealed.head)
        await auditseals.write_head(context.store, sealed)


async def _verify(context: Context, check_id: int) -> None:
    found = await auditverify.verify(context.sessions, context.store)
    if not found.intact:
        log.error("audit log is not intact", findings=[finding.words("en") for finding in found.findings[:20]])
    async with transaction(context.sessions) as session:
        daily = await auditchecks.finish(session, check_id, found)
    if daily and found.intact:
        await _expire(context)
    elif daily:
        log.warning("nothing expires from an audit log that is not intact")


async def _expire(context: Context) -> None:
    """Only from a log that is whole: what is wrong with it may be what somebody must still look at."""
    async with transaction(context.sessions) as session:
        gone = await auditexpiry.expire(session, DAEMON, context.settings)
    if any(one.rows for one in gone):
        log.info("audit rows expired", **{one.keeping.value: one.rows for one in gone})
