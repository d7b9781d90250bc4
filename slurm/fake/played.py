"""Plays the runners of a simulated cluster's jobs: each started job has its story, written as files while the clock turns.

The files are those of the real runner and launcher (docs/architecture.md, "Run directory"), so everything that reads a run
directory reads a played one. The job itself comes out of the batch script, as on a real node.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path

from slurm.fake.cluster import FakeCluster, FakeJob
from slurm.fake.scene import Scene
from slurm.fake.story import Cut, Moment, story
from slurm.inside.runner_files import Refused
from slurm.inside.runner_paths import Job
from slurm.states import RUNNING

EXIT_REFUSED = 3
_JOB_BEGINS, _JOB_ENDS = "\nJOB = (", "\n)\n"


def job_in(script: str) -> Job:
    """The runner's job in a batch script (`slurm.script.batch_script`). Raises ValueError where there is none."""
    begin = script.index(_JOB_BEGINS) + len(_JOB_BEGINS) - 1
    job: Job = json.loads(ast.literal_eval(script[begin : script.index(_JOB_ENDS, begin) + 2]))
    return job


@dataclass
class Playing:
    """One running job: when it started, at which speed, how many moments are written, and its signal if it got one."""

    leader_id: int
    started: float
    speed: float
    written: int = 0
    cut: Cut | None = None


class PlayedRunners:
    """The runners of all jobs of `cluster`; whoever turns the clock does it with `advance`."""

    def __init__(self, cluster: FakeCluster, speed: float) -> None:
        self.cluster = cluster
        self.speed = speed
        self.playing: dict[int, Playing] = {}
        self._stories: dict[int, tuple[Moment, ...]] = {}
        self._scenes: dict[int, Scene] = {}
        cluster.on_start = self._on_start
        cluster.on_signal = self._on_signal

    def go_on(self, playing: Playing) -> None:
        """Take up a job that was running when the simulation stopped."""
        self.playing[playing.leader_id] = playing

    def advance(self, until: float) -> None:
        """Turn the cluster's clock to `until` (epoch seconds); what is due on the way happens in its order."""
        while (due := self._next()) is not None and due[0] <= until:
            self.cluster.advance(max(0.0, due[0] - self.cluster.now))
            self._tell(due[1])
        self.cluster.advance(max(0.0, until - self.cluster.now))

    def _next(self) -> tuple[float, int] | None:
        """The next moment of a job that still runs, and whose it is."""
        for leader_id in [one for one in self.playing if self.cluster.jobs[one].state != RUNNING]:
            self._forget(leader_id)
        dues = [(one.started + self._moment(one).at, leader_id) for leader_id, one in self.playing.items()]
        return min(dues, default=None)

    def _moment(self, playing: Playing) -> Moment:
        leader_id = playing.leader_id
        if leader_id not in self._stories:
            self._stories[leader_id] = story(self._job(leader_id), speed=playing.speed, cut=playing.cut)
        return self._stories[leader_id][playing.written]

    def _job(self, leader_id: int) -> Job:
        return job_in(self.cluster.jobs[leader_id].submission.script)

    def _forget(self, leader_id: int) -> None:
        self.playing.pop(leader_id, None)
        self._stories.pop(leader_id, None)
        self._scenes.pop(leader_id, None)

    def _on_start(self, leader: FakeJob) -> None:
        self.playing[leader.job_id] = Playing(leader.job_id, self.cluster.now, self.speed)

    def _on_signal(self, leader: FakeJob, signal: str) -> None:
        """The runner hears USR1 (cancel) or TERM (time limit): what is left of its story is another one."""
        playing = self.playing.get(leader.job_id)
        if playing is not None and playing.cut is None:
            reason = "cancelled" if signal == "USR1" else "time_limit"
            playing.cut = Cut(self.cluster.now - playing.started, reason)
            self._stories.pop(leader.job_id, None)

    def _tell(self, leader_id: int) -> None:
        """Write one moment, and do to the cluster what it says."""
        playing = self.playing[leader_id]
        moment = self._moment(playing)
        playing.written += 1
        try:
            self._scene(playing).show(moment)
        except (Refused, OSError) as error:
            self._say(leader_id, f"refused: {error}\n")
            self.cluster.end(leader_id, EXIT_REFUSED)
            return
        if moment.event == "group_released":
            self.cluster.release(leader_id, moment.data["group"])
        elif moment.event == "runner_ended":
            self.cluster.end(leader_id, 0 if moment.data["ok"] else 1)

    def _scene(self, playing: Playing) -> Scene:
        leader_id = playing.leader_id
        if leader_id not in self._scenes:
            nodes = [component.nodes for component in self.cluster.components(leader_id)]
            self._scenes[leader_id] = Scene(self._job(leader_id), playing.started, nodes)
            if playing.written == 1:
                self._say(leader_id, f"simulated cluster: job {leader_id} on {', '.join(sum(nodes, ()))}\n")
        return self._scenes[leader_id]

    def _say(self, leader_id: int, text: str) -> None:
        """The batch job's own output; a missing folder loses it silently, as in Slurm."""
        path = Path(self.cluster.jobs[leader_id].submission.output)
        if path.parent.is_dir():
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
