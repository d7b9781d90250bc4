"""A simulated Slurm cluster whose clock the caller turns: what the fake client and `one serve --simulate` stand on.

It does what was measured on Slurm 26.05.5 (docs/agent.md): het groups on nodes of their own, headless components, afterok
on the leader only, purge of ended jobs. Scheduling is simpler than Slurm's: jobs start in order of priority, and one that
waits for resources holds back all later ones of its partitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from slurm import states
from slurm.fake.place import NOTHING, FakeNode, Need, fits, need_of, place, total
from slurm.records import StepRow
from slurm.submission import Component, Submission, dependency_ids

PRIORITY_WEIGHT_QOS = 3_000_000_000
MIN_JOB_AGE_S = 300
SIGNAL_BEFORE_LIMIT_S = 120


@dataclass(frozen=True)
class FakeQos:
    """One QOS; `max_gpus_per_user` is its MaxTRESPerUser=gres/gpu with DenyOnLimit."""

    priority: int
    max_gpus_per_user: int | None = None


@dataclass
class FakeJob:
    """One component as slurmctld and slurmdbd remember it; mutable, owned by the cluster."""

    job_id: int
    leader_id: int
    het_offset: int | None
    owner: str
    component: Component
    submission: Submission
    qos: str
    nice: int
    comment: str
    held: bool
    submitted_at: float
    state: str = states.PENDING
    reason: str = "None"
    ended_pending: bool = False
    headless: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    nodes: tuple[str, ...] = ()
    exit_code: int | None = None
    signal: int | None = None
    failed_node: str = ""
    signalled: bool = False
    steps: list[StepRow] = field(default_factory=list)

    @property
    def is_leader(self) -> bool:
        """Whether this is component 0 (or a plain job)."""
        return self.job_id == self.leader_id

    @property
    def live(self) -> bool:
        """Whether it waits or runs."""
        return states.is_live(self.state)


@dataclass
class FakeCluster:
    """Nodes, QOS, associations and jobs. `on_start` is called with the leader when a job starts, `on_signal` with the
    leader when only its runner is signalled: "USR1" (graceful cancel), "TERM" (120 s before the time limit)."""

    nodes: tuple[FakeNode, ...]
    qos: dict[str, FakeQos]
    associations: dict[tuple[str, str], frozenset[str]]
    now: float = 1_800_000_000.0
    on_start: Callable[[FakeJob], None] = lambda _job: None
    on_signal: Callable[[FakeJob, str], None] = lambda _job, _signal: None
    down: dict[str, str] = field(default_factory=dict)
    drained: dict[str, str] = field(default_factory=dict)
    jobs: dict[int, FakeJob] = field(default_factory=dict)
    next_id: int = 1
    _endings: list[tuple[float, int, int]] = field(default_factory=list)

    # --- the clock -------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Turn the clock; everything due happens in order of time, then Slurm schedules."""
        until = self.now + seconds
        self._settle()
        while (due := self._next_event()) is not None and due <= until:
            self.now = max(self.now, due)
            self._settle()
        self.now = until
        self._settle()

    def end_after(self, leader_id: int, seconds: float, exit_code: int = 0) -> None:
        """Plan the end of a running job's batch script `seconds` from now."""
        self._endings.append((self.now + seconds, leader_id, exit_code))

    def _next_event(self) -> float | None:
        times = [when for when, _, _ in self._endings if when > self.now]
        for job in self.jobs.values():
            if job.state == states.RUNNING and job.started_at is not None:
                limit = job.started_at + job.component.time_limit_min * 60
                times += [when for when in (limit - SIGNAL_BEFORE_LIMIT_S, limit) if when > self.now]
        return min(times, default=None)

    def _settle(self) -> None:
        self._due_endings()
        self._time_limits()
        self._dependencies()
        self._schedule()

    def _due_endings(self) -> None:
        due = sorted(ending for ending in self._endings if ending[0] <= self.now)
        self._endings = [ending for ending in self._endings if ending[0] > self.now]
        for _, leader_id, exit_code in due:
            if self.jobs[leader_id].state == states.RUNNING:
                self.end(leader_id, exit_code)

    def _time_limits(self) -> None:
        for job in [job for job in self.jobs.values() if job.state == states.RUNNING]:
            limit = (job.started_at or self.now) + job.component.time_limit_min * 60
            if self.now >= limit:
                self._finish(job, states.TIMEOUT, exit_code=0)
            elif job.is_leader and not job.signalled and self.now >= limit - SIGNAL_BEFORE_LIMIT_S:
                job.signalled = True
                self.on_signal(job, "TERM")

    # --- what the caller plays -------------------------------------------------------------------------------------

    def end(self, leader_id: int, exit_code: int = 0) -> None:
        """The batch script ends: all components still running get its exit code."""
        for job in self.components(leader_id):
            if job.state == states.RUNNING:
                self._finish(job, states.FAILED if exit_code else states.COMPLETED, exit_code=exit_code)

    def release(self, leader_id: int, het_offset: int) -> None:
        """The runner gives a group back: that component is CANCELLED, the leader goes on. Group 0 ends the job."""
        if het_offset == 0:
            self.cancel(leader_id)
            return
        for job in self.components(leader_id):
            if job.het_offset == het_offset and job.state == states.RUNNING:
                self._finish(job, states.CANCELLED, exit_code=0)

    def cancel(self, leader_id: int) -> None:
        """Cancel all components, headless ones too (`scancel LEADER`)."""
        for job in self.components(leader_id):
            if job.live:
                self._finish(job, states.CANCELLED, exit_code=0)

    def cancel_component(self, job_id: int) -> None:
        """`DELETE /job/<numeric id>` of one component; those left of a waiting hetjob never start."""
        job = self.jobs[job_id]
        waiting = job.state == states.PENDING
        self._finish(job, states.CANCELLED, exit_code=0)
        for other in self.components(job.leader_id):
            other.headless = other.headless or (waiting and other.live)

    def kill_node(self, name: str, reason: str = "Not responding") -> None:
        """A node dies: every component of every job that has it is NODE_FAIL."""
        self.down[name] = reason
        for leader in [job for job in self.jobs.values() if job.state == states.RUNNING and name in job.nodes]:
            for job in self.components(leader.leader_id):
                if job.state == states.RUNNING:
                    job.failed_node = name
                    self._finish(job, states.NODE_FAIL, exit_code=1)

    def restore_node(self, name: str) -> None:
        """The node answers again and is undrained."""
        self.down.pop(name, None)
        self.drained.pop(name, None)

    def components(self, leader_id: int) -> list[FakeJob]:
        """All components of a leader, component 0 first."""
        return [job for _, job in sorted(self.jobs.items()) if job.leader_id == leader_id]

    def visible(self) -> list[FakeJob]:
        """Jobs that slurmctld still lists: live ones and those that ended less than MinJobAge ago."""
        return [job for job in self.jobs.values() if job.ended_at is None or self.now - job.ended_at <= MIN_JOB_AGE_S]

    # --- scheduling ------------------------------------------------------------------------------------------------

    def add(self, submission: Submission, components: Iterable[Component], *, owner: str) -> tuple[FakeJob, ...]:
        """Queue one job without any check; returns its components."""
        listed = tuple(components)
        leader_id = self.next_id
        self.next_id += len(listed)
        made = tuple(
            FakeJob(
                job_id=leader_id + index,
                leader_id=leader_id,
                het_offset=index if len(listed) > 1 else None,
                owner=owner,
                component=component,
                submission=submission,
                qos=component.qos,
                nice=component.nice,
                comment=component.comment,
                held=component.hold,
                submitted_at=self.now,
            )
            for index, component in enumerate(listed)
        )
        self.jobs.update({job.job_id: job for job in made})
        return made

    def leave_behind(self, submission: Submission) -> FakeJob:
        """What Slurm leaves of a hetjob refused with 2050: its leader cancelled, its second component a job of its own."""
        (leader,) = self.add(submission, submission.components[:1], owner=submission.owner)
        self.cancel(leader.job_id)
        (left,) = self.add(submission, submission.components[1:2], owner=submission.owner)
        return left

    def priority(self, job: FakeJob) -> int:
        """PriorityWeightQOS times the QOS's share of the largest, minus nice; 0 when held, never below 1 otherwise."""
        if job.held:
            return 0
        top = max(qos.priority for qos in self.qos.values()) or 1
        return max(1, PRIORITY_WEIGHT_QOS * self.qos[job.qos].priority // top - job.nice)

    def used(self, name: str) -> Need:
        """What running components hold on one node (gpu_type is None)."""
        running = [job for job in self.jobs.values() if job.state == states.RUNNING and name in job.nodes]
        return total([need_of(job.component) for job in running])

    def could_ever(self, component: Component) -> bool:
        """Whether enough nodes exist that could hold the component when empty."""
        return sum(fits(node, component, NOTHING) for node in self.nodes) >= component.nodes

    def _dependencies(self) -> None:
        for job in [job for job in self.jobs.values() if job.state == states.PENDING and job.component.dependency]:
            verdicts = [self._dependency(leader_id) for leader_id in dependency_ids(job.component.dependency)]
            if "never" in verdicts:
                self._finish(job, states.CANCELLED, exit_code=0)
                job.reason = "DependencyNeverSatisfied"
                for other in self.components(job.leader_id):
                    other.headless = other.headless or other.live
            else:
                job.reason = "Dependency" if "wait" in verdicts else "None"

    def _dependency(self, leader_id: int) -> str:
        leader = self.jobs[leader_id]
        if leader.live:
            return "wait"
        return "met" if leader.state == states.COMPLETED else "never"

    def _schedule(self) -> None:
        waiting = [job for job in self.jobs.values() if job.state == states.PENDING and (job.is_leader or job.headless)]
        blocked: set[str] = set()
        for leader in sorted(waiting, key=lambda job: (-self.priority(job), job.job_id)):
            group = [leader] if leader.headless else self.components(leader.leader_id)
            group = [job for job in group if job.live]
            partitions = {job.component.partition for job in group}
            if any(job.held for job in group):
                self._wait(group, "JobHeldAdmin")
            elif any(job.reason == "Dependency" for job in group):
                continue
            elif leader.headless or partitions & blocked:
                self._wait(group, "Priority" if partitions & blocked else "Resources")
                blocked |= partitions if leader.headless else set()
            elif (placed := self._place(group)) is None:
                self._wait(group, "Resources")
                blocked |= partitions
            else:
                self._start(group, placed)

    def _wait(self, group: Iterable[FakeJob], reason: str) -> None:
        for job in group:
            job.reason = reason

    def _place(self, group: Iterable[FakeJob]) -> Mapping[int, tuple[str, ...]] | None:
        nodes = [node for node in self.nodes if node.name not in self.down and node.name not in self.drained]
        used = {node.name: self.used(node.name) for node in nodes}
        return place({job.job_id: job.component for job in group}, nodes, used)

    def _start(self, group: Iterable[FakeJob], placed: Mapping[int, tuple[str, ...]]) -> None:
        for job in group:
            job.state, job.reason, job.started_at, job.nodes = states.RUNNING, "None", self.now, placed[job.job_id]
        self.on_start(next(iter(group)))

    def _finish(self, job: FakeJob, state: str, *, exit_code: int) -> None:
        job.ended_pending = job.state == states.PENDING
        job.state, job.ended_at, job.exit_code = state, self.now, exit_code


def lab_cluster(users: Iterable[str] = ("kim", "park", "lee")) -> FakeCluster:
    """The lab's cluster: 2 nodes of 8 A100 in partition a100, one of 8 V100 (32 shards) in v100, account lab."""
    return FakeCluster(
        nodes=(
            FakeNode("gpu1", "a100", "A100", 8),
            FakeNode("gpu2", "a100", "A100", 8),
            FakeNode("gpu3", "v100", "tesla_v100", 8, shards=32),
        ),
        qos={"one-high": FakeQos(1000), "one-normal": FakeQos(667), "one-low": FakeQos(333), "one-test": FakeQos(667)},
        associations={(user, "lab"): frozenset({"one-normal", "one-low", "one-test"}) for user in users},
    )
