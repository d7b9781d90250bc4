"""Gives het groups back while the job goes on, as soon as nothing of theirs is left to do (Python 3.6)."""

import subprocess
import time
from typing import Dict, List, Set

from slurm.inside.runner_files import Events
from slurm.inside.runner_paths import Job

SCANCEL_RETRY_S = 10.0


class GroupReleases:
    """`scancel JOBID+k` for each group that is done. Group 0 cannot be given back: that would end the job."""

    def __init__(self, job: Job, job_id: str, events: Events) -> None:
        self._groups = job["groups"]
        self._job_id = job_id
        self._events = events
        self._running: Dict[int, "subprocess.Popen[bytes]"] = {}
        self._released: Set[int] = set()
        self._not_before: Dict[int, float] = {}

    def look(self, ended: Set[str], busy_groups: Set[int]) -> None:
        """Release what can be: `ended` are the steps that are over, `busy_groups` those that still have work."""
        self._reap()
        for index, group in enumerate(self._groups):
            done = bool(group["released_after"]) and ended.issuperset(group["released_after"])
            if index and done and index not in busy_groups and busy_groups and self._is_due(index):
                self._scancel(index)

    def _is_due(self, index: int) -> bool:
        known = index in self._released or index in self._running
        return not known and time.monotonic() >= self._not_before.get(index, 0.0)

    def _scancel(self, index: int) -> None:
        self._not_before[index] = time.monotonic() + SCANCEL_RETRY_S
        argv: List[str] = ["scancel", "%s+%d" % (self._job_id, index)]
        try:
            self._running[index] = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        except OSError as exc:
            print("group %d is not given back yet: %s" % (index, exc), flush=True)

    def _reap(self) -> None:
        """Note what scancel answered; a refusal (slurmctld may be down) is tried again, a silent one ended first."""
        for index, process in list(self._running.items()):
            code = process.poll()
            if code is None and time.monotonic() > self._not_before[index] + SCANCEL_RETRY_S:
                process.kill()
            if code is None:
                continue
            del self._running[index]
            if code:
                print("group %d is not given back yet: scancel ended with %d" % (index, code), flush=True)
                continue
            self._released.add(index)
            self._events.write("group_released", group=index)
