"""Image checks: what people entered as an image is looked up in its registry, each soon and none held up by another."""

from __future__ import annotations

import structlog

from containers.errors import ContainersError, ImageNotFound, RegistryNotAllowed, RegistryUnreachable
from containers.reference import parse
from portal.daemon.context import Context
from portal.daemon.rounds import abreast
from portal.db.engine import reading, transaction
from portal.services import imagechecks
from portal.services.imagechecks import NOT_ALLOWED, NOT_FOUND, UNREACHABLE, UNUSABLE, VERIFIED, Answer

log = structlog.get_logger()
AT_ONCE = 4
"""A registry that does not answer keeps one of these busy for the registry's time limit."""
A_ROUND = 100
_STATES: tuple[tuple[type[ContainersError], str], ...] = (
    (ImageNotFound, NOT_FOUND),
    (RegistryUnreachable, UNREACHABLE),
    (RegistryNotAllowed, NOT_ALLOWED),
)
"""All other errors of the package: the image, or the way to it, cannot be used."""


async def check_asked(context: Context) -> None:
    """Look up what was asked for."""
    async with reading(context.sessions) as session:
        wanted = await imagechecks.waiting(session, A_ROUND)
    trouble = await abreast(context, wanted, AT_ONCE, _check_one)
    if trouble is not None:
        raise trouble
    if wanted:
        async with transaction(context.sessions) as session:
            await imagechecks.forget_old(session)


async def _check_one(context: Context, reference: str) -> None:
    answer = await _ask_registry(context, reference)
    async with transaction(context.sessions) as session:
        await imagechecks.answered(session, reference, answer)


async def _ask_registry(context: Context, reference: str) -> Answer:
    try:
        found = await context.resolve_image(parse(reference))
    except ContainersError as error:
        log.info("image check", image=reference, code=error.code, detail=str(error))
        return Answer(state_of(error), message=str(error))
    return Answer(VERIFIED, found.digest, found.architecture, found.size, found.config.to_json())


def state_of(error: ContainersError) -> str:
    """The state that an error of the registry means."""
    return next((state for kind, state in _STATES if isinstance(error, kind)), UNUSABLE)
