"""Looks whether people's Slurm mappings hold: the Unix user on this host, then the association through the agent."""

from __future__ import annotations

import functools

from portal.daemon.context import Context
from portal.daemon.rounds import each
from portal.db.engine import reading, transaction
from portal.services import mapping
from portal.services.mapping import NO_ASSOCIATION, NO_QOS, NO_UNIX_USER, UNKNOWN, VERIFIED, Seen, Wanted, needed_qos
from slurm.errors import SlurmError, SlurmUnreachable


async def check_due(context: Context) -> None:
    """Look at what was asked for and at what is a day old; while Slurm is away everything stays as it is."""
    async with reading(context.sessions) as session:
        wanted = {found.user_id: found for found in await mapping.due(session)}
    await each(context, wanted, functools.partial(_check_one, wanted=wanted))


async def _check_one(context: Context, user_id: int, *, wanted: dict[int, Wanted]) -> None:
    found = wanted[user_id]
    seen = await _seen(context, found)
    async with transaction(context.sessions) as session:
        await mapping.keep(session, found, seen)


async def _seen(context: Context, wanted: Wanted) -> Seen:
    """Raises SlurmUnreachable: nothing is known."""
    try:
        uid = context.uid_of(wanted.unix_user)
    except KeyError:
        return Seen(NO_UNIX_USER, f"there is no Unix user {wanted.unix_user}")
    try:
        found = await context.slurm.check_association(
            wanted.unix_user, wanted.slurm_account, needed_qos(context.settings)
        )
    except SlurmUnreachable:
        raise
    except SlurmError as error:
        return Seen(UNKNOWN, str(error))
    if found.missing:
        return Seen(NO_QOS if found.lacks_qos else NO_ASSOCIATION, found.missing)
    return Seen(VERIFIED, f"uid {uid}")
