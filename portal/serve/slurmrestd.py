"""A slurmrestd of the user's own: a child process on a socket in a folder that nobody else can enter.

It holds no key and no token: every call brings the caller's. Seen with Slurm 26.05.5: any user may run one, and its socket
file has mode 0777, so that only the folder keeps others out. Source: https://slurm.schedmd.com/slurmrestd.html
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from portal.serve import children
from portal.serve.errors import ServeError

SOCKET = "slurmrestd.sock"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
LOOK_S = 0.05


@asynccontextmanager
async def running(
    program: Path, folder: Path, environment: Mapping[str, str], log: Path
) -> AsyncIterator[tuple[Path, asyncio.subprocess.Process]]:
    """Its socket, from when it listens until the block ends. Raises ServeError (slurmrestd_ended)."""
    socket = folder / SOCKET
    argv = [str(program), "-a", "rest_auth/jwt", f"unix:{socket}"]
    # With this word it starts without a token of its own. Source: https://slurm.schedmd.com/rest_quickstart.html
    mine = {**environment, "SLURM_JWT": "daemon"}
    async with children.running(argv, log, stop_timeout_s=STOP_TIMEOUT_S, environment=mine) as process:
        await _until_it_listens(process, socket, log)
        yield socket, process


async def _until_it_listens(process: asyncio.subprocess.Process, socket: Path, log: Path) -> None:
    with anyio.move_on_after(START_TIMEOUT_S):
        while process.returncode is None:
            if socket.exists() and await _answers(socket):
                return
            await anyio.sleep(LOOK_S)
    raise ServeError("slurmrestd_ended", log=log)


async def _answers(socket: Path) -> bool:
    try:
        async with await anyio.connect_unix(os.fspath(socket)):
            return True
    except OSError:
        return False
