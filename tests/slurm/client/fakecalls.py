"""slurmrestd's calls answered by the simulated cluster: the agent's verbs on it, without a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slurm.agent.restcalls import SlurmRest
from slurm.errors import SlurmRefused, SlurmUnreachable
from slurm.fake import QOS_LIMIT, FakeSlurm
from slurm.fake import records as fakerecords
from slurm.fake.cluster import FakeCluster
from slurm.records import AccountingRow, Association, JobRecord, Snapshot
from slurm.submission import Submission


class FakeCalls(SlurmRest):
    """Slurm itself, with its traps: a refused submit leaves a job alive. `calls` is what was asked, in order."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.calls: list[tuple[Any, ...]] = []
        self.lose_next_answer = False
        self.deaf_to_qos_of: set[int] = set()
        self._gate = FakeSlurm(cluster)

    def unknown_keys(self) -> dict[str, int]:
        return {}

    def rest_version(self) -> str:
        return "v0.0.45"

    def ping(self) -> str:
        return "26.05.5"

    def jobs(self) -> tuple[JobRecord, ...]:
        return fakerecords.snapshot(self.cluster).jobs

    def components(self, leader_id: int) -> tuple[JobRecord, ...]:
        return tuple(job for job in self.jobs() if job.leader_id == leader_id)

    def submit(self, submission: Submission) -> int:
        self.calls.append(("submit", submission.owner))
        try:
            self._gate._admit(submission)
        except SlurmRefused as refusal:
            if refusal.code == QOS_LIMIT:
                self.cluster.leave_behind(submission)
            raise
        made = self.cluster.add(submission, submission.components, owner=submission.owner)
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise SlurmUnreachable("no answer")
        return made[0].job_id

    def cancel(self, owner: str, job_id: int) -> None:
        self.calls.append(("cancel", owner, job_id))
        self.cluster.cancel(job_id)

    def signal_runner(self, owner: str, job_id: int) -> None:
        self.calls.append(("signal", owner, job_id))
        self.cluster.on_signal(self.cluster.jobs[job_id], "USR1")

    def update(self, job_id: int, changes: dict[str, Any]) -> None:
        self.calls.append(("update", job_id, changes))
        job = self.cluster.jobs[job_id]
        if job_id not in self.deaf_to_qos_of:
            job.qos = changes.get("qos", job.qos)
        job.nice, job.held = changes.get("nice", job.nice), changes.get("hold", job.held)

    def annotate(self, job_id: int, text: str) -> None:
        self.calls.append(("annotate", job_id, text))

    def accounting(self, job_ids: Iterable[int]) -> tuple[AccountingRow, ...]:
        wanted = set(job_ids)
        return tuple(
            fakerecords.accounting_row(self.cluster, job)
            for job in sorted(self.cluster.jobs.values(), key=lambda job: job.job_id)
            if job.job_id in wanted
        )

    def accounting_named(self, *, user: str, account: str, name: str) -> tuple[AccountingRow, ...]:
        rows = self.accounting(self.cluster.jobs)
        return tuple(row for row in rows if (row.user, row.account, row.name) == (user, account, name))

    def associations(self, user: str) -> tuple[Association, ...]:
        return tuple(
            Association(account=account, partition="", qos=tuple(qos), default_qos="", is_default=True)
            for (name, account), qos in self.cluster.associations.items()
            if name == user
        )

    def qos_priorities(self) -> dict[str, int]:
        return {name: qos.priority for name, qos in self.cluster.qos.items()}

    def admin_level(self, user: str) -> str:
        return "Administrator" if user == "one-operator" else ""


class FakeReader:
    """The reading road on the same cluster."""

    name = "rest"

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def snapshot(self) -> Snapshot:
        return fakerecords.snapshot(self._cluster)

    def jobs(self) -> tuple[JobRecord, ...]:
        return self.snapshot().jobs

    def note(self, controller: str) -> str:
        return f"controller {controller}"
