"""One round over many: what goes wrong with one workload is logged and tried again, and holds up no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
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
            log.exception("held up; the next round tries again", key=key, step=step.__name__)
