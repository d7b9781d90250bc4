"""The calls that the agent makes to slurmrestd, as methods from values to records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slurm.agent import restparse
from slurm.agent.knownkeys import UnknownKeys
from slurm.agent.rest import Rest
from slurm.agent.restbody import submit_body
from slurm.agent.shapes import records, text, words
from slurm.errors import ProtocolError, SlurmRefused, SlurmUnreachable
from slurm.records import AccountingRow, Association, JobRecord, NodeRecord, PartitionRecord
from slurm.submission import Submission

CANCEL_SIGNAL = "USR1"  # TERM may also mean that the time limit is near: the runner tells them apart by this
ALREADY_DONE = frozenset({2017, 2021, 2084})
"""Invalid job id (purged), job already finished: what was to be ended has ended."""
IDS_A_CALL = 200
"""Ids in one accounting query: a URL of a few KiB."""
CAN_ANNOTATE = frozenset({"v0.0.44", "v0.0.45"})
"""REST versions with POST /slurmdb/V/job/ID. Source: slurmrestd --generate-openapi-spec of 26.05.5."""
FOR_EVER = "1"
BY_SUBMIT_TIME = "usage_time_as_submit_time"
"""Without it accounting leaves out jobs that never became eligible: those cancelled while held or before their
predecessor had ended (measured, 26.05.5)."""


class SlurmRest:
    """Reads as the operator; submits and cancels as the job's owner."""

    def __init__(self, rest: Rest, operator: str) -> None:
        self._rest = rest
        self._operator = operator
        self._unknown = UnknownKeys()

    def unknown_keys(self) -> dict[str, int]:
        """How many objects had each key that no recording shows: {"job/name_of_the_key": 12}."""
        return self._unknown.counts()

    def rest_version(self) -> str:
        """The REST version in use."""
        return self._rest.version(self._operator)

    def ping(self) -> str:
        """The controller's Slurm version. Raises SlurmUnreachable when no controller answers: slurmrestd itself still does."""
        answer = self._read("ping/")
        if not restparse.a_controller_responds(answer):
            raise SlurmUnreachable("slurmrestd answers, slurmctld does not")
        return restparse.slurm_version(answer)

    def nodes(self) -> tuple[NodeRecord, ...]:
        """All nodes."""
        return restparse.nodes(self._looked("node", self._read("nodes/"), "nodes"))

    def partitions(self) -> tuple[PartitionRecord, ...]:
        """All partitions."""
        return restparse.partitions(self._looked("partition", self._read("partitions/"), "partitions"))

    def jobs(self) -> tuple[JobRecord, ...]:
        """All components that slurmctld lists."""
        return restparse.jobs(self._looked("job", self._read("jobs/"), "jobs"))

    def components(self, leader_id: int) -> tuple[JobRecord, ...]:
        """The components of one job that slurmctld lists, by id; () for a job that it does not know."""
        try:
            found = restparse.jobs(self._looked("job", self._read(f"job/{leader_id}"), "jobs"))
        except SlurmRefused as refusal:
            if refusal.code in ALREADY_DONE:
                return ()
            raise
        return tuple(sorted((job for job in found if job.leader_id == leader_id), key=lambda job: job.job_id))

    def submit(self, submission: Submission) -> int:
        """The new job's leader. Raises SlurmRefused; what Slurm left behind then is the caller's business."""
        answer = self._rest.slurm("POST", "job/submit", user=submission.owner, json=submit_body(submission))
        job_id = answer.get("job_id")
        if not isinstance(job_id, int) or job_id <= 0:
            raise SlurmRefused("Slurm answered without a job id and without an error")
        return job_id

    def cancel(self, owner: str, job_id: int) -> None:
        """Cancel as the owner; what has ended already is left as it is."""
        try:
            self._rest.slurm("DELETE", f"job/{job_id}", user=owner)
        except SlurmRefused as refusal:
            if refusal.code not in ALREADY_DONE:
                raise

    def signal_runner(self, owner: str, job_id: int) -> None:
        """Ask the batch script alone, which must be running, to cancel."""
        how = (("signal", CANCEL_SIGNAL), ("flags", "BATCH_JOB"))
        try:
            self._rest.slurm("DELETE", f"job/{job_id}", user=owner, params=how)
        except SlurmRefused as refusal:
            if refusal.code not in ALREADY_DONE:
                raise

    def update(self, job_id: int, changes: dict[str, Any]) -> None:
        """Change one component, as the operator. Raises SlurmRefused naming the component."""
        try:
            self._rest.slurm("POST", f"job/{job_id}", user=self._operator, json=changes)
        except SlurmRefused as refusal:
            raise SlurmRefused(f"job {job_id}: {refusal}", code=refusal.code) from refusal

    def annotate(self, job_id: int, text: str) -> None:
        """Write AdminComment of one component in accounting, as the operator, who must be an administrator for it.

        Raises SlurmRefused, also where slurmrestd is older than v0.0.44 (Slurm 25.11), which cannot.
        """
        if self.rest_version() not in CAN_ANNOTATE:
            raise SlurmRefused("AdminComment of an ended job needs Slurm 25.11 or later")
        self._rest.modify_job(job_id, {"comment": {"administrator": text}}, user=self._operator)

    def accounting(self, job_ids: Iterable[int]) -> tuple[AccountingRow, ...]:
        """Rows of exactly these components that accounting has."""
        wanted = sorted(set(job_ids))
        rows: dict[int, AccountingRow] = {}
        for start in range(0, len(wanted), IDS_A_CALL):
            query = (("step", str(job_id)) for job_id in wanted[start : start + IDS_A_CALL])
            rows.update({row.job_id: row for row in self._rows(*query)})
        return tuple(rows[job_id] for job_id in wanted if job_id in rows)

    def accounting_named(self, *, user: str, account: str, name: str) -> tuple[AccountingRow, ...]:
        """Rows of jobs of this user, account and exact name."""
        query = {"users": user, "account": account, "job_name": name, "start_time": FOR_EVER, BY_SUBMIT_TIME: "true"}
        found = self._rows(*query.items())
        return tuple(row for row in found if (row.user, row.account, row.name) == (user, account, name))

    def associations(self, user: str) -> tuple[Association, ...]:
        """Everything that accounting grants the user."""
        answer = self._account("associations/", ("user", user))
        return restparse.associations(self._looked("association", answer, "associations"), user)

    def qos_priorities(self) -> dict[str, int]:
        """Every QOS's priority by its name."""
        return restparse.qos_priorities(self._account("qos/"))

    def admin_level(self, user: str) -> str:
        """ "None", "Operator" or "Administrator"; "" for a user that accounting does not know."""
        users = records(self._looked("user", self._account("users/", ("name", user)), "users"), "users")
        levels = {text(one, "name"): words(one, "administrator_level") for one in users}
        if len(levels.get(user, ())) > 1:
            raise ProtocolError(f"administrator_level: expected one word, got {levels[user]!r}")
        return (*levels.get(user, ()), "")[0]

    def _read(self, path: str) -> Any:
        return self._rest.slurm("GET", path, user=self._operator)

    def _rows(self, *query: tuple[str, str]) -> tuple[AccountingRow, ...]:
        answer = self._looked("row", self._account("jobs/", *query), "jobs")
        for row in answer["jobs"]:
            self._unknown.note("step", records(row, "steps"))
        return restparse.accounting(answer)

    def _looked(self, kind: str, answer: Any, path: str) -> Any:
        """The answer, its unknown keys counted; before it is parsed, for a field that got another name fails there."""
        self._unknown.note(kind, records(answer, path))
        return answer

    def _account(self, path: str, *params: tuple[str, str]) -> Any:
        return self._rest.slurmdb(path, user=self._operator, params=params)
