"""python cycle.py TIMES: how long the daemon takes to read Slurm through the agent and to follow what runs; one JSON line.

Runs as the daemon's user, in its place: the daemon is stopped meanwhile.
"""

from __future__ import annotations

import json
import sys
import time

import anyio

from portal.daemon import snapshot, watch
from portal.daemon.main import build_context
from portal.settings import load_settings


async def main() -> None:
    """Look several times."""
    context = build_context(load_settings())
    found = []
    for _ in range(int(sys.argv[1])):
        began = time.perf_counter()
        taken = await snapshot.take(context)
        if taken is None:
            raise SystemExit("nothing was read: Slurm does not answer this process")
        await watch.look(context, taken)
        found.append(time.perf_counter() - began)
    print(json.dumps({"seconds": found}))


anyio.run(main)
