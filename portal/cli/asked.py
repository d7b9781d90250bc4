"""Waits for what was asked of the daemon: a checkup, a verification of the audit log, a repair."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from portal.cli.context import Cli
from portal.cli.exits import CliError, Exit

if TYPE_CHECKING:
    from portal.cli.api import Api

TAKEN_UP_S = 60.0
DONE_S = 3600.0
LOOK_EVERY_S = 0.5


def carried_out(cli: Cli, api: Api, path: str, *, ends: Collection[str] = ("done",)) -> dict[str, Any]:
    """The document at `path` once its `state` is one of `ends`. Raises CliError when the daemon does not begin or end."""
    begun = time.monotonic()
    while True:
        found = api.get(path)
        waited = time.monotonic() - begun
        if found["state"] in ends:
            return found
        if waited > (TAKEN_UP_S if found["state"] == "wanted" else DONE_S):
            raise CliError(Exit.UNAVAILABLE, cli.words("no_daemon", seconds=round(waited)))
        time.sleep(LOOK_EVERY_S)
