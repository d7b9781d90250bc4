"""The daemon's view of Slurm: the Protocol that the agent's socket client and the fake both satisfy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from slurm.records import AccountingRow, ClusterVersion, PrioritySetup, Snapshot, Standing
from slurm.submission import Submission


class SlurmClient(Protocol):
    """Every call raises `SlurmUnreachable` when nothing is known and `SlurmRefused` when the answer is no."""

    async def version(self) -> ClusterVersion:
        """What is at the other end."""

    async def submit(self, submission: Submission) -> tuple[int, ...]:
        """Hand a job to Slurm as its owner; returns the numeric ids of all components, the leader's first."""

    async def cancel(self, owner: str, job_id: int, *, graceful: bool = False) -> None:
        """Cancel the whole job; graceful signals the runner only (it stops the steps and ends the job non-zero)."""

    async def set_priority(self, job_ids: Sequence[int], *, qos: str, nice: int) -> None:
        """Write QOS and nice on every given component, then read them back; returns only when both hold everywhere."""

    async def hold(self, job_ids: Sequence[int], *, held: bool) -> None:
        """Hold or release every given component."""

    async def annotate(self, job_id: int, text: str) -> None:
        """Write AdminComment of one component that has ended, where sacct shows it; NotPermitted unless the site grants it."""

    async def snapshot(self) -> Snapshot:
        """Nodes, partitions and live jobs of one moment; of thousands from outside the portal, those that start next."""

    async def accounting(self, job_ids: Sequence[int]) -> tuple[AccountingRow, ...]:
        """Accounting rows of the given leaders and all their components; ids that accounting lacks are absent."""

    async def find(self, *, user: str, account: str, name: str) -> tuple[int, ...]:
        """Leaders of complete jobs of this user, account and exact name: live ones, then accounting.

        Makes submission repeatable; a component that a refused submit left behind is not a job."""

    async def check_association(self, user: str, account: str, qos: Sequence[str]) -> Standing:
        """Whether `user` exists on the cluster and may submit to `account` with each of these QOS."""

    async def priority_setup(self) -> PrioritySetup:
        """How Slurm turns QOS and other factors into a priority."""
