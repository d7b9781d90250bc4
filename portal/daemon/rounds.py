"""One round over many: what goes wrong with one workload is logged and tried again, and holds up no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import StaleDataError

from portal.daemon.context import Context
from portal.store.s3 import StoreUnavailable
from slurm.errors import SlurmUnreachable

log = structlog.get_logger()
Key = TypeVar("Key", int, str)

NOBODY_CAN_GO_ON = (SlurmUnreachable, StoreUnavailable, OperationalError)
"""A service is away: the round ends here, the next one begins again."""


async def each(context: Context, keys: Iterable[Key], step: Callable[[Context, Key], Awaitable[None]]) -> None:
    """Do `step` for every key. Raises only what nobody can go on with."""
    for key in keys:
        try:
            await step(context, key)
        except NOBODY_CAN_GO_ON:
            raise
        except StaleDataError:
            log.info("another writer was first; looking again", key=key)
        except Exception:
            # A partial has no name of its own.
            name = getattr(step, "func", step).__name__
            log.exception("held up; the next round tries again", key=key, step=name)


async def in_batches(
    context: Context,
    keys: Sequence[Key],
    size: int,
    step: Callable[[Context, Sequence[Key]], Awaitable[None]],
) -> None:
    """Do `step` for `size` keys at once; a batch that fails is done again key by key, so that only its culprit waits.

    A step must therefore be safe to repeat. Raises only what nobody can go on with.
    """

    async def alone(context: Context, key: Key) -> None:
        await step(context, [key])

    for start in range(0, len(keys), size):
        batch = keys[start : start + size]
        try:
            await step(context, batch)
        except NOBODY_CAN_GO_ON:
            raise
        except Exception as error:
            log.info("a batch failed; its members are looked at one by one", first=batch[0], error=str(error)[:200])
            await each(context, batch, alone)


async def abreast(
    context: Context, keys: Iterable[Key], at_once: int, step: Callable[[Context, Key], Awaitable[None]]
) -> Exception | None:
    """As `each`, `at_once` keys at a time; what nobody can go on with is the answer, once all that was begun has ended."""
    waiting = iter(list(keys))
    troubles: list[Exception] = []

    async def worker() -> None:
        for key in waiting:
            if troubles:
                return
            try:
                await each(context, [key], step)
            except NOBODY_CAN_GO_ON as error:
                troubles.append(error)

    await context.together([worker] * at_once)
    return troubles[0] if troubles else None
