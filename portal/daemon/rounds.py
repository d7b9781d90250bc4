"""One round over many: what goes wrong with one workload is logged and tried again, and holds up no other."""

from __future__ import annotations

import functools
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
Halfway = TypeVar("Halfway")

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


async def relayed(
    context: Context,
    keys: Sequence[Key],
    size: int,
    first: Callable[[Context, Sequence[Key]], Awaitable[Halfway]],
    second: Callable[[Context, Halfway], Awaitable[None]],
) -> None:
    """As `in_batches`, with a step of two halves: the second of one batch goes on beside the first of the next.

    What nobody can go on with ends it once both halves under way have ended; a first half may then stay without its second,
    as it does when the process dies between them.
    """
    carried: list[Halfway] = []
    troubles: list[Exception] = []

    async def begin(batch: Sequence[Key]) -> None:
        async def one(context: Context, keys: Sequence[Key]) -> None:
            carried.append(await first(context, keys))

        await in_batches(context, batch, size, one)

    async def end(ready: Sequence[Halfway]) -> None:
        for one in ready:
            await second(context, one)

    async def guarded(work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except NOBODY_CAN_GO_ON as error:
            troubles.append(error)
        except Exception:
            log.exception("held up; the next round tries again", step=second.__name__)

    for start in range(0, len(keys) + size, size):
        ready, carried = carried, []
        halves = (functools.partial(end, ready), functools.partial(begin, keys[start : start + size]))
        await context.together([functools.partial(guarded, half) for half in halves])
        if troubles:
            raise troubles[0]


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
