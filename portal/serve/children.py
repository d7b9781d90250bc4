"""Child processes of `one serve`: in a session of their own, gone with it, ended by their pid, writing for its user only."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from portal.serve import ownnetwork

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@asynccontextmanager
async def running(
    argv: Sequence[str],
    log: Path,
    *,
    stop_timeout_s: float,
    environment: Mapping[str, str] | None = None,
    own_network: bool = False,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The child, from its start until the block ends: TERM then, and KILL after `stop_timeout_s`.

    Its output goes to `log`. Without `environment` it has ours; see `ownnetwork` for `own_network`.
    """
    with log.open("wb") as file:
        # In a session of its own: Ctrl-C at the terminal must reach it last, and from us.
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment,
            start_new_session=True,
            umask=0o077,  # SeaweedFS leaves sockets in /tmp: who may not write them cannot connect
            preexec_fn=_alone if own_network else _die_with_parent,
        )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            await _stop(process, stop_timeout_s)


async def _stop(process: asyncio.subprocess.Process, timeout_s: float) -> None:
    """TERM, and KILL when it does not listen."""
    if process.returncode is not None:
        return
    process.terminate()
    with anyio.move_on_after(timeout_s):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()


def _die_with_parent() -> None:
    """In the child: end when the portal's process is killed and can stop nobody. Source: man 2 PR_SET_PDEATHSIG."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _alone() -> None:
    """In the child: the same, in a network of its own."""
    ownnetwork.enter()
    _die_with_parent()  # last: a change of credentials clears it
