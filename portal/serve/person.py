"""The one person of `one serve`: made at the first start, with a token in a file of the data folder."""

from __future__ import annotations

import os
import pwd

from portal.db.engine import Sessions, transaction
from portal.serve.errors import ServeError
from portal.serve.folder import DataFolder, write_private
from portal.services import accounts, tokens
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.errors import Invalid
from portal.services.tokens import ROLE_SCOPES

MAKER = Actor(name="one-serve")
TOKEN_NAME = "one serve"


def unix_user() -> str:
    """Who runs this process. Raises ServeError (user_unusable) for a uid without a name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError as error:
        raise ServeError("user_unusable", user=os.getuid(), why="no such user in the system's list") from error


async def make_ready(maker: Sessions, folder: DataFolder, name: str, slurm_account: str) -> bool:
    """Make sure that the person and the token in `folder.token` exist; True when they were made now.

    The person is an administrator, because nobody else could approve. Raises ServeError (user_unusable).
    """
    async with transaction(maker) as session:
        known = await accounts.find_user(session, name)
        if known is not None and known.slurm_account != slurm_account:  # another --account than the last time
            await accounts.map_slurm(session, MAKER, name, name, slurm_account)
        if known is None:
            try:
                await accounts.create_user(
                    session,
                    MAKER,
                    username=name,
                    display_name=name,
                    role=Role.ADMIN,
                    unix_user=name,
                    slurm_account=slurm_account,
                )
            except Invalid as error:
                raise ServeError("user_unusable", user=name, why=error.message_en) from error
        elif folder.token.exists():
            return False
        scopes = ROLE_SCOPES[Role.ADMIN]
        _, value = await tokens.make_token(session, MAKER, name, name=TOKEN_NAME, scopes=scopes, days=None)
        write_private(folder.token, value + "\n")
    return True
