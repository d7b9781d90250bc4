"""JSON lines that outlast a file system which is full or read-only for a while; for runner and launcher (Python 3.6)."""

import json
import os
import time
from typing import Any

WRITE_PATIENCE_S = 600.0
WRITE_RETRY_S = 1.0


class Lines:
    """JSON lines of one file: opened for each write, so that readers on other nodes see it (NFS: close to open).

    What cannot be written is held, in order, and tried again with the next line, at `flush` and, for a while, in `settle`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._held = b""

    def write(self, **record: Any) -> None:
        """Append one record with the time now."""
        self._held += (json.dumps(dict(record, t=time.time())) + "\n").encode("ascii")
        self.flush()

    def flush(self) -> None:
        """Write what is held, as far as that goes."""
        if not self._held:
            return
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        except OSError:
            return
        try:
            while self._held:
                self._held = self._held[os.write(file, self._held) :]
        except OSError:
            return
        finally:
            os.close(file)

    def settle(self, patience_s: float = WRITE_PATIENCE_S) -> bool:
        """Wait until nothing is held any more; False when the patience was over first, and the rest is lost."""
        deadline = time.monotonic() + patience_s
        while self._held and time.monotonic() < deadline:
            time.sleep(WRITE_RETRY_S)
            self.flush()
        return not self._held
