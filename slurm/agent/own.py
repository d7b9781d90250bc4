"""An agent for one ordinary user: the same verbs and socket, with that user's own tokens and no more rights than they have."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from slurm.agent.config import Powers
from slurm.agent.ledger import Ledger
from slurm.agent.reader import RestReader, Road
from slurm.agent.restcalls import SlurmRest
from slurm.agent.server import AgentServer
from slurm.agent.verbs import Verbs

REASON = "an ordinary user's own portal"
POLL_S = 0.2


@contextmanager
def serving(powers: Powers, calls: SlurmRest, socket: Path, ledger: Path) -> Iterator[None]:
    """The agent on a socket that only this user may use, in a thread, until the block ends."""
    with closing(Ledger(ledger)) as kept:
        verbs = Verbs(powers, calls, Road(RestReader(calls, powers.partitions), REASON), kept, operates=False)
        with AgentServer(socket, frozenset({os.getuid()}), verbs) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_S}, name="agent")
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()
