"""Tells sacct what an ended run used of what it asked for (AdminComment), where the site grants it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import structlog
from sqlalchemy import select

from portal.daemon.context import Context
from portal.daemon.rounds import each
from portal.db.engine import reading, transaction
from portal.db.models import Attempt, Workload, now
from portal.services import efficiency, state
from slurm.errors import NotPermitted, SlurmRefused

log = structlog.get_logger()
LOOK_BACK = timedelta(days=1)
"""Older ones are not told of any more, as after the site's grant."""


async def note_ended(context: Context) -> None:
    """Every measured attempt that accounting has not been told of yet; slurmdbd away: the next round tries again."""
    if not context.settings.slurm.admin_comment:
        return
    query = (
        select(Attempt.id)
        .where(Attempt.usage.is_not(None), Attempt.noted_at.is_(None), Attempt.logs_saved_at > now() - LOOK_BACK)
        .order_by(Attempt.id)
    )
    async with reading(context.sessions) as session:
        attempts = list(await session.scalars(query))
    await each(context, attempts, _note)


async def _note(context: Context, attempt_id: int) -> None:
    """Safe to repeat: the same text is written again."""
    async with reading(context.sessions) as session:
        attempt = await session.get_one(Attempt, attempt_id)
        workload = await session.get_one(Workload, attempt.workload_id)
        texts = efficiency.notes(workload, attempt)
    refused = await _written(context, texts)
    async with transaction(context.sessions) as session:
        attempt = await session.get_one(Attempt, attempt_id)
        attempt.noted_at = now()
        data = {"attempt": attempt.number, "jobs": sorted(texts), "refused": refused}
        state.event(session, workload, "slurm", "noted", data=data)


async def _written(context: Context, texts: Mapping[int, str]) -> str:
    """What was refused, "" for nothing: what Slurm says no to once it says no to again."""
    refused = ""
    for job_id, text in texts.items():
        try:
            await context.slurm.annotate(job_id, text)
        except (NotPermitted, SlurmRefused) as error:
            log.warning("AdminComment was refused", job_id=job_id, reason=str(error))
            refused = str(error)
    return refused
