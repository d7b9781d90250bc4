"""What happens around the portal: admins with scontrol and scancel, dying nodes, services that are away."""

from __future__ import annotations

import random
from collections.abc import Callable

from slurm.fake import FakeSlurm
from slurm.fake.cluster import FakeJob
from slurm.states import PENDING
from tests.simulation.doubles import Trouble, TroubledStore

CHANCES = (0.0, 0.03, 0.15)


class Outside:
    """Each call of `anything` does one thing. `cancelled` and `changed` are the leaders that an admin touched."""

    def __init__(self, slurm: FakeSlurm, store: TroubledStore, trouble: Trouble, rng: random.Random) -> None:
        self.slurm = slurm
        self.store = store
        self.trouble = trouble
        self.rng = rng
        self.cancelled: set[int] = set()
        self.changed: set[int] = set()

    def anything(self) -> str:
        """What was done."""
        deeds: dict[Callable[[], None], int] = {
            self.scancel: 1,
            self.scancel_component: 1,
            self.scontrol_hold: 1,
            self.scontrol_nice: 1,
            self.scontrol_qos: 1,
            self.drain: 2,
            self.kill_node: 2,
            self.restore: 4,
            self.slurm_away: 2,
            self.accounting_away: 2,
            self.rows_late: 2,
            self.store_away: 2,
            self.registry_away: 1,
            self.converter_away: 1,
            self.bad_line: 3,
        }
        deed = self.rng.choices(list(deeds), list(deeds.values()))[0]
        deed()
        return deed.__name__

    def scancel(self) -> None:
        """The whole job."""
        if job := self._some(lambda job: job.live):
            self.cancelled.add(job.leader_id)
            self.slurm.cluster.cancel(job.leader_id)

    def scancel_component(self) -> None:
        """One component of a hetjob."""
        if job := self._some(lambda job: job.live):
            self.cancelled.add(job.leader_id)
            if job.state != PENDING and job.is_leader:
                self.slurm.cluster.cancel(job.leader_id)
            else:
                self.slurm.cluster.cancel_component(job.job_id)

    def scontrol_hold(self) -> None:
        """Hold or release all components, as `scontrol hold LEADER` does."""
        if job := self._some(lambda job: job.state == PENDING):
            self.changed.add(job.leader_id)
            for one in self.slurm.cluster.components(job.leader_id):
                one.held = not job.held

    def scontrol_nice(self) -> None:
        """All components, as `scontrol update` does."""
        if job := self._some(lambda job: job.state == PENDING):
            self.changed.add(job.leader_id)
            for one in self.slurm.cluster.components(job.leader_id):
                one.nice += self.rng.choice([-50_000, 50_000])

    def scontrol_qos(self) -> None:
        """The leader only, as `scontrol update` does."""
        if job := self._some(lambda job: job.state == PENDING and job.is_leader):
            self.changed.add(job.leader_id)
            job.qos = "one-low"

    def drain(self) -> None:
        """A node takes no more work."""
        self.slurm.cluster.drained[self.rng.choice(self.slurm.cluster.nodes).name] = "maintenance"

    def kill_node(self) -> None:
        """A node dies."""
        self.slurm.cluster.kill_node(self.rng.choice(self.slurm.cluster.nodes).name)

    def restore(self) -> None:
        """Every node is well again."""
        for node in self.slurm.cluster.nodes:
            self.slurm.cluster.restore_node(node.name)

    def slurm_away(self) -> None:
        """slurmctld stops or comes back."""
        self.slurm.outage = "" if self.slurm.outage else "slurmctld is down"

    def accounting_away(self) -> None:
        """slurmdbd stops or comes back."""
        self.slurm.accounting_outage = "" if self.slurm.accounting_outage else "slurmdbd is down"

    def rows_late(self) -> None:
        """Accounting lacks some rows, or has them all again."""
        jobs = self.slurm.cluster.jobs
        missing = {job_id for job_id in jobs if self.rng.random() < 0.5}
        self.trouble.rows_missing = set() if self.trouble.rows_missing else missing

    def store_away(self) -> None:
        """S3 goes or comes back."""
        self.store.down = not self.store.down

    def registry_away(self) -> None:
        """The registry goes or comes back."""
        self.trouble.registry = not self.trouble.registry

    def converter_away(self) -> None:
        """The conversion service is away, without space, or well."""
        self.trouble.conversion = self.rng.choice(["", "unreachable", "no_space"])

    def bad_line(self) -> None:
        """Calls go wrong more or less often."""
        self.trouble.lost_request = self.rng.choice(CHANCES)
        self.trouble.lost_answer = self.rng.choice(CHANCES)
        self.trouble.twice = self.rng.choice(CHANCES)
        self.trouble.late_submit = self.rng.choice(CHANCES)
        self.trouble.refused_submit = self.rng.choice(CHANCES)

    def end(self) -> None:
        """All is well from now on, and what admins held is released."""
        self.trouble.end()
        self.store.down = False
        self.slurm.outage = self.slurm.accounting_outage = ""

    def _some(self, wanted: Callable[[FakeJob], bool]) -> FakeJob | None:
        found = [job for _, job in sorted(self.slurm.cluster.jobs.items()) if wanted(job)]
        return self.rng.choice(found) if found else None
