"""One step of one iteration as the runner sees it: what it waits for, what it is doing, how it ended (Python 3.6)."""

import os
import time
from typing import List, Optional

from slurm.inside.runner_files import write_text
from slurm.inside.runner_paths import Job, Step, checkpoint_dir
from slurm.inside.runner_steps import StepRun

STOP_MARGIN_S = 20.0  # beyond the payload's own grace: launcher, container and srun take a moment
UNLAUNCHED_STOP_S = 5.0
SERVICE_DONE = "service_done"


class Part:
    """A step's state: waiting, live (an srun exists) or ended."""

    def __init__(self, job: Job, step: Step) -> None:
        self.step = step
        self.id: str = step["id"]
        self.try_number = 1
        self.launches = 0
        self.not_before = 0.0
        self.run: Optional[StepRun] = None
        self.result = ""
        self.is_launched = False
        self.is_ready = False
        self.hosts: List[str] = []
        self.port: Optional[int] = None
        self.stop_word = ""
        self.kill_at: Optional[float] = None
        self._job = job

    @property
    def waiting(self) -> bool:
        """Neither running nor ended."""
        return self.run is None and not self.result

    @property
    def begun(self) -> bool:
        """Whether anything of it has ever been started."""
        return self.launches > 0 or self.try_number > 1

    def look(self) -> List[str]:
        """Read the launchers' news; returns what became true: "launched", "ready"."""
        if self.run is None or (self.is_launched and self.is_ready):
            return []
        self.run.read()
        news = []
        if not self.is_launched and self.run.all_launched:
            self.is_launched = True
            self.hosts = self.run.hosts
            news.append("launched")
        if self.step["ready"] is None:
            self.is_ready = self.is_launched
        elif self.is_launched and self.run.ready is not None:
            self.is_ready = True
            self.port = self.run.ready.get("port")
            news.append("ready")
        return news

    def launch(self, iteration: int) -> None:
        """Start its srun. Raises OSError when srun itself cannot be started."""
        self.launches += 1
        self.is_launched = self.is_ready = False
        self.run = StepRun(self._job, self.step, self.try_number, iteration, self._resumes(iteration))

    def try_again(self) -> None:
        """Make the next try possible; the launches of Slurm's own failures are counted anew."""
        self.try_number += 1
        self.launches = 0

    def _resumes(self, iteration: int) -> bool:
        return bool(self._job["resume"] and os.listdir(checkpoint_dir(self._job, iteration, self.id)))

    def request_stop(self, word: str) -> None:
        """Leave the stop file for its launchers; the first word stays. Where none can be written, srun is killed in time."""
        if self.run is None or self.stop_word:
            return
        self.stop_word = word
        try:
            write_text(os.path.join(self.run.folder, "stop"), word + "\n")
        except OSError as exc:
            print("%s cannot be told to stop: %s" % (self.id, exc), flush=True)
        patience_s = self._job["stop_grace_s"] + STOP_MARGIN_S if self.run.launched else UNLAUNCHED_STOP_S
        self.kill_at = time.monotonic() + patience_s

    def kill_if_overdue(self) -> None:
        """The last resort: an srun that outlives its stop."""
        if self.run is not None and self.kill_at is not None and time.monotonic() > self.kill_at:
            print("%s did not stop: its srun is killed" % self.id, flush=True)
            self.run.process.kill()
            self.kill_at = None
