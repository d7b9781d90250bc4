"""The running container of one rank: whether it is ready, overdue or gone, and what is decided about it (Python 3.6)."""

import os
import signal
import subprocess
import sys
import time
from typing import Optional, Tuple

from slurm.inside.launcher_proc import all_processes, holds_socket, listening_inodes, tree_of
from slurm.inside.runner_paths import Step

FOREIGN_LISTENER_LOOKS = 4  # a listener may change hands while it is looked at


class Payload:
    """The running container, and what has been decided about it."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", step: Step, ready_file: Optional[str], port: Optional[int]
    ) -> None:
        self.process = process
        self.step = step
        self.ready_file = ready_file
        self.port = port
        self.began = time.monotonic()
        self.is_ready = ready_file is None and port is None
        self.foreign_looks = 0
        self.stopping = ""
        self.stop_word = ""
        self.kill_at: Optional[float] = None
        self.killed = False

    def looks_ready(self) -> bool:
        """Whether the file is there, or one of the step's own processes listens on the port."""
        if self.ready_file is not None:
            return os.path.exists(self.ready_file)
        inodes = listening_inodes(self.port or 0)
        if not inodes:
            self.foreign_looks = 0
            return False
        if holds_socket(tree_of(self.process.pid, all_processes()), inodes):
            return True
        self.foreign_looks += 1
        return False

    def overdue(self) -> str:
        """ "time_limit" or "not_ready" or "port_taken" when it must be stopped for that, else ""."""
        ran_s = time.monotonic() - self.began
        if self.step["time_limit_s"] is not None and ran_s > self.step["time_limit_s"]:
            return "time_limit"
        if not self.is_ready and self.foreign_looks >= FOREIGN_LISTENER_LOOKS:
            return "port_taken"
        if not self.is_ready and ran_s > self.step["ready_timeout_s"]:
            return "not_ready"
        return ""

    def kill(self) -> None:
        """End every process of the step at once."""
        self.killed = True
        for pid in reversed(tree_of(self.process.pid, all_processes())):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def decode(returncode: int) -> Tuple[int, Optional[int]]:
    """Exit code and signal of the payload: apptainer ends with 128 + n for signal n, or by the same signal itself."""
    if returncode < 0:
        return 128 - returncode, -returncode
    return returncode, returncode - 128 if 128 < returncode <= 128 + signal.NSIG - 1 else None


def say(message: str) -> None:
    """A line of the launcher's own in the step's stderr log."""
    print("one: " + message, file=sys.stderr, flush=True)
