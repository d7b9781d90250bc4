"""Station two: images that queued workloads need become SIFs, one conversion at a time, and unwanted ones go."""

from __future__ import annotations

import functools
from datetime import timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from containers.convert_client import Converted
from containers.errors import ConversionFailed
from portal.daemon.context import Context
from portal.daemon.rounds import each
from portal.db.engine import reading, transaction
from portal.db.models import Image, Workload, now
from portal.domain.lifecycle import TERMINAL, State
from portal.services import images, state
from portal.services.audit import DAEMON, Action, record

log = structlog.get_logger()
RETRY_AFTER = timedelta(seconds=15)
RETRY_WORDS = frozenset({"unreachable", "no_space"})
"""Conversion errors that may go away by themselves: the workload waits. The others fail it."""


def digests_of(workload: Workload) -> list[str]:
    """Digests of the images that a resolved workload runs, each once."""
    tasks = (workload.resolved or {}).get("tasks", ())
    found = (component["image"].get("digest") for task in tasks for component in task["components"])
    return list(dict.fromkeys(digest for digest in found if digest))


async def convert_wanted(context: Context) -> None:
    """Convert what queued workloads wait for; remove what an admin asked to remove."""
    async with reading(context.sessions) as session:
        wanted = await _wanted(session)
        in_use = await _in_use(session) if wanted else set()
        unwanted = list(await session.scalars(select(Image.digest).where(Image.state == images.REMOVING)))
    await each(context, wanted, functools.partial(_convert, in_use=in_use))
    await each(context, unwanted, _remove)


async def _wanted(session: AsyncSession) -> list[str]:
    """Digests to convert, in the order in which workloads wait for them; after a trouble that may pass, not at once again."""
    due = or_(Image.retry_at.is_(None), Image.retry_at <= now())
    missing = set(await session.scalars(select(Image.digest).where(Image.state != "ready", due)))
    needed: dict[str, None] = {}
    if missing:
        for workload in await session.scalars(
            select(Workload).where(Workload.state == State.QUEUED).order_by(Workload.queued_at)
        ):
            needed.update(dict.fromkeys(digests_of(workload)))
    return [digest for digest in needed if digest in missing]


async def _in_use(session: AsyncSession) -> set[str]:
    live = [state.value for state in State if state not in TERMINAL]
    query = select(Workload).where(Workload.state.in_(live), Workload.resolved.is_not(None))
    return {digest for workload in await session.scalars(query) for digest in digests_of(workload)}


async def _convert(context: Context, digest: str, *, in_use: set[str]) -> None:
    async with transaction(context.sessions) as session:
        image = await session.get_one(Image, digest)
        image.state, image.progress = "converting", ""
    try:
        async for answer in context.converter.convert(image.reference, digest, in_use):
            if isinstance(answer, Converted):
                await _done(context, digest, answer)
            else:
                await _progress(context, digest, answer.text)
    except ConversionFailed as error:
        log.warning("conversion failed", image=image.reference, digest=digest, code=error.error, detail=str(error))
        await _failed(context, digest, error)


async def _progress(context: Context, digest: str, text: str) -> None:
    async with transaction(context.sessions) as session:
        image = await session.get_one(Image, digest)
        image.progress = text[:200]


async def _done(context: Context, digest: str, converted: Converted) -> None:
    async with transaction(context.sessions) as session:
        image = await session.get_one(Image, digest)
        image.state, image.progress, image.error, image.retry_at = "ready", "", "", None
        image.sif_path, image.size_bytes = str(converted.sif), converted.size
        image.config = converted.config.to_json()
        image.converted_at = now()
        record(session, DAEMON, Action.IMAGE_CONVERT, "image", digest, after={"sif": image.sif_path})


async def _failed(context: Context, digest: str, error: ConversionFailed) -> None:
    """Keep the reason; workloads that need the image fail with it, unless it may go away by itself."""
    async with transaction(context.sessions) as session:
        image = await session.get_one(Image, digest)
        image.state, image.error, image.progress = "failed", f"{error.error}: {error}", ""
        if error.error in RETRY_WORDS:
            image.retry_at = now() + RETRY_AFTER
            return
        for workload in await session.scalars(select(Workload).where(Workload.state == State.QUEUED)):
            if digest in digests_of(workload) and not workload.attempts:
                failure = {"cause": "image", "image": image.reference, "code": error.error, "message": str(error)}
                await state.change(session, workload, State.FAILED, DAEMON, failure=failure)


async def _remove(context: Context, digest: str) -> None:
    try:
        freed = await context.converter.remove(digest)
    except ConversionFailed as error:
        log.warning("removal failed", digest=digest, code=error.error, detail=str(error))
        return
    async with transaction(context.sessions) as session:
        image = await session.get_one(Image, digest)
        image.state, image.sif_path = "wanted", None
        record(session, DAEMON, Action.IMAGE_REMOVE, "image", digest, after={"freed_bytes": freed})
