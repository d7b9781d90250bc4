"""The Slurm client in memory, for tests and simulation: every answer is what the agent would give on a real cluster.

    cluster = lab_cluster()
    slurm = FakeSlurm(cluster)                 # a SlurmClient
    cluster.on_start = lambda leader: cluster.end_after(leader.job_id, 60)     # the test plays the runner
    ids = await slurm.submit(submission)
    cluster.advance(61)                        # starts, runs, COMPLETED

`outage`, `lose_next_answer` and `refuse_next` play the agent's and Slurm's bad days.
"""

from __future__ import annotations

from collections.abc import Sequence

from slurm.errors import NotPermitted, SlurmRefused, SlurmUnreachable
from slurm.fake import records as fakerecords
from slurm.fake.cluster import PRIORITY_WEIGHT_QOS, FakeCluster, FakeJob, lab_cluster
from slurm.fake.place import need_of
from slurm.records import AccountingRow, ClusterVersion, PrioritySetup, Snapshot, Standing
from slurm.states import COMPLETED, headless
from slurm.submission import MAX_COMPONENTS, Component, Submission, dependency_ids

INVALID_PARTITION = 2000
NODES_NOT_AVAILABLE = 2014
DEPENDENCY_PROBLEM = 2038
INVALID_ACCOUNT = 2045
QOS_LIMIT = 2050
INVALID_QOS = 2066
RUNNING_QOS_CHANGE = 2073


class FakeSlurm:
    """A `SlurmClient` on a `FakeCluster`."""

    def __init__(self, cluster: FakeCluster | None = None) -> None:
        self.cluster = cluster or lab_cluster()
        self.outage = ""
        self.accounting_outage = ""
        self.lose_next_answer = False
        self.grants_admin_comment = True
        self.admin_comments: dict[int, str] = {}
        self.refuse_next: SlurmRefused | None = None
        self.submissions: list[Submission] = []

    async def version(self) -> ClusterVersion:
        """Says plainly that nothing here is real."""
        self._reach()
        return ClusterVersion(slurm="simulated", road="fake", road_reason="a simulated cluster", rest="")

    async def submit(self, submission: Submission) -> tuple[int, ...]:
        """Queue the job; what Slurm leaves behind of a refused one is cancelled, as the agent does."""
        self._reach()
        self.submissions.append(submission)
        if self.refuse_next is not None:
            refusal, self.refuse_next = self.refuse_next, None
            raise refusal
        try:
            self._admit(submission)
        except SlurmRefused as refusal:
            if refusal.code == QOS_LIMIT and len(submission.components) > 1:
                self.cluster.cancel(self.cluster.leave_behind(submission).job_id)
            raise
        made = self.cluster.add(submission, submission.components, owner=submission.owner)
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise SlurmUnreachable("the answer to the submit was lost")
        return tuple(job.job_id for job in made)

    async def cancel(self, owner: str, job_id: int, *, graceful: bool = False) -> None:
        """Cancel all components, or signal the runner; a job that has ended is left as it is."""
        self._reach()
        leader = self._leader(job_id)
        if leader.owner != owner:
            raise NotPermitted(f"job {job_id} belongs to {leader.owner}, not {owner}")
        if not graceful:
            self.cluster.cancel(job_id)
        elif leader.state == "RUNNING":
            self.cluster.on_signal(leader, "USR1")
        elif leader.live:
            self.cluster.cancel(job_id)

    async def set_priority(self, job_ids: Sequence[int], *, qos: str, nice: int) -> None:
        """Change every live component."""
        self._reach()
        for job in [self._known(job_id) for job_id in job_ids]:
            if qos not in self.cluster.qos:
                raise SlurmRefused(f"job {job.job_id}: Invalid qos specification", code=INVALID_QOS)
            if job.state == "RUNNING" and job.qos != qos:
                raise SlurmRefused(f"job {job.job_id}: Job is no longer pending execution", code=RUNNING_QOS_CHANGE)
            if job.live:
                job.qos, job.nice = qos, nice

    async def hold(self, job_ids: Sequence[int], *, held: bool) -> None:
        """Hold or release every waiting component."""
        self._reach()
        for job in [self._known(job_id) for job_id in job_ids]:
            if job.state == "PENDING":
                job.held = held

    async def annotate(self, job_id: int, text: str) -> None:
        """Keep the text with the component; refused until it has ended, and where the site does not grant it."""
        self._reach()
        self._reach_accounting()
        if not self.grants_admin_comment:
            raise NotPermitted("AdminComment is not granted: admin_comment in the agent's configuration")
        if not text.isprintable():
            raise NotPermitted(f"a comment of one printable line, not {text!r:.80}")
        job = self._known(job_id)
        if job.live:
            raise SlurmRefused(f"job {job_id} is still {job.state}: it is annotated when it has ended")
        self.admin_comments[job_id] = text

    async def snapshot(self) -> Snapshot:
        """One moment; headless components are swept as the agent does, so the next snapshot lacks them."""
        self._reach()
        taken = fakerecords.snapshot(self.cluster)
        for leader_id in {job.leader_id for job in headless(taken.jobs)}:
            self.cluster.cancel(leader_id)
        return taken

    async def accounting(self, job_ids: Sequence[int]) -> tuple[AccountingRow, ...]:
        """Rows of every component ever queued under these leaders."""
        self._reach()
        self._reach_accounting()
        wanted = set(job_ids)
        jobs = sorted(self.cluster.jobs.values(), key=lambda job: job.job_id)
        return tuple(fakerecords.accounting_row(self.cluster, job) for job in jobs if job.leader_id in wanted)

    async def find(self, *, user: str, account: str, name: str) -> tuple[int, ...]:
        """Leaders with as many components as were submitted: what a refused submit left behind is not a job."""
        self._reach()
        self._reach_accounting()
        return tuple(
            job.job_id
            for _, job in sorted(self.cluster.jobs.items())
            if job.is_leader
            and (job.owner, job.component.account, job.component.name) == (user, account, name)
            and len(self.cluster.components(job.job_id)) == len(job.submission.components)
        )

    async def check_association(self, user: str, account: str, qos: Sequence[str]) -> Standing:
        """What is missing."""
        self._reach()
        found = self.cluster.associations.get((user, account))
        return Standing.of(user, account, [] if found is None else [found], qos)

    async def priority_setup(self) -> PrioritySetup:
        """The weights that the Ansible role writes, and the priorities of the fake's QOS."""
        self._reach()
        self._reach_accounting()
        return PrioritySetup(
            {"QOS": PRIORITY_WEIGHT_QOS}, {name: qos.priority for name, qos in self.cluster.qos.items()}
        )

    def _reach(self) -> None:
        if self.outage:
            raise SlurmUnreachable(self.outage)

    def _reach_accounting(self) -> None:
        if self.accounting_outage:
            raise SlurmUnreachable(self.accounting_outage)

    def _known(self, job_id: int) -> FakeJob:
        job = self.cluster.jobs.get(job_id)
        if job is None or job.component.name[:4] != "one-":
            raise NotPermitted(f"job {job_id} was not submitted by this agent")
        return job

    def _leader(self, job_id: int) -> FakeJob:
        job = self._known(job_id)
        if not job.is_leader:
            raise NotPermitted(f"{job_id} is a component of job {job.leader_id}: cancel the leader")
        return job

    def _admit(self, submission: Submission) -> None:
        if not 1 <= len(submission.components) <= MAX_COMPONENTS:
            raise SlurmRefused(f"a job has 1 to {MAX_COMPONENTS} components, not {len(submission.components)}")
        gpus = 0
        for component in submission.components:
            self._admit_component(submission.owner, component)
            gpus += need_of(component).gpus * component.nodes
            limit = self.cluster.qos[component.qos].max_gpus_per_user
            if limit is not None and gpus > limit:
                raise SlurmRefused(
                    "Job violates accounting/QOS policy (job submit limit, user's size limits)", code=QOS_LIMIT
                )

    def _admit_component(self, owner: str, component: Component) -> None:
        cluster = self.cluster
        allowed = cluster.associations.get((owner, component.account))
        if allowed is None:
            raise SlurmRefused("Invalid account or account/partition combination specified", code=INVALID_ACCOUNT)
        if component.partition not in {node.partition for node in cluster.nodes}:
            raise SlurmRefused("Invalid partition name specified", code=INVALID_PARTITION)
        if component.qos not in allowed:
            raise SlurmRefused("Invalid qos specification", code=INVALID_QOS)
        if not cluster.could_ever(component):
            raise SlurmRefused("Requested node configuration is not available", code=NODES_NOT_AVAILABLE)
        known = {job.job_id: job for job in cluster.visible()}
        for leader_id in dependency_ids(component.dependency):
            before = known.get(leader_id)
            if before is None or not (before.live or before.state == COMPLETED):
                raise SlurmRefused("Job dependency problem", code=DEPENDENCY_PROBLEM)
