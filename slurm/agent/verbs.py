"""The agent's verbs: permit, write as the right identity, read back, and leave nothing of a refused job behind."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from slurm import states
from slurm.agent.config import Powers
from slurm.agent.ledger import Entry, Ledger
from slurm.agent.permit import check_listed, check_note, check_owner, check_submission
from slurm.agent.reader import Road
from slurm.agent.restcalls import SlurmRest
from slurm.errors import NotPermitted, SlurmError, SlurmRefused, SlurmUnreachable
from slurm.ids import component_ids
from slurm.records import AccountingRow, ClusterVersion, JobRecord, PrioritySetup, Snapshot, Standing
from slurm.submission import Submission

log = structlog.get_logger("one.agent")

SETTLED_AFTER_S = 60
"""A submit without an answer may still reach slurmctld: longer than slurmrestd waits for it (MessageTimeout)."""

LOCKS = 64
"""Many more than requests at a time."""


class Verbs:
    """One method a verb (`slurm.client.SlurmClient` says what each promises); safe for several threads.

    Without `operates` the "operator" is an ordinary user who changes and reads jobs of their own (`own.py`).
    """

    def __init__(self, config: Powers, calls: SlurmRest, road: Road, ledger: Ledger, *, operates: bool = True) -> None:
        self._config = config
        self._operates = operates
        self._calls = calls
        self._road = road
        self._ledger = ledger
        self._named = tuple(threading.Lock() for _ in range(LOCKS))
        self._sweeping = threading.Lock()
        self._headless: frozenset[int] = frozenset()

    # --- submitting ------------------------------------------------------------------------------------------------

    def submit(self, submission: Submission) -> tuple[int, ...]:
        """Submit as the owner. One that had no answer is settled by `find`."""
        check_submission(self._config, submission)
        with self._lock_of(submission.components[0].name):
            return self._submit(submission)

    def _lock_of(self, name: str) -> threading.Lock:
        """Calls about one name come one after another; names share a lock by chance only."""
        return self._named[hash(name) % LOCKS]

    def _submit(self, submission: Submission) -> tuple[int, ...]:
        first = submission.components[0]
        entry = Entry(first.name, submission.owner, first.account, len(submission.components))
        self._ledger.intend(entry)
        try:
            ids = component_ids(self._calls.submit(submission), entry.components)
        except SlurmRefused as refusal:
            log.warning("submit refused", name=entry.name, code=refusal.code, reason=str(refusal))
            self._remove(entry)
            raise
        self._ledger.record(entry.name, ids)
        log.info("submitted", name=entry.name, owner=entry.owner, ids=ids)
        return ids

    def _remove(self, entry: Entry) -> None:
        """Cancel whatever Slurm left of a refused submit (2050 leaves a plain job that would run the script alone)."""
        for job in self._live_named(entry):
            log.warning("cancelling what a refused submit left", name=entry.name, job_id=job.job_id)
            self._calls.cancel(entry.owner, job.job_id)
        if left := self._live_named(entry):
            raise SlurmUnreachable(f"{entry.name} was refused, but job {left[0].job_id} of it is still alive")
        self._ledger.drop(entry.name)

    def _live_named(self, entry: Entry) -> list[JobRecord]:
        return [
            job
            for job in self._road.reader.jobs()
            if (job.name, job.user) == (entry.name, entry.owner) and states.is_live(job.state)
        ]

    def find(self, user: str, account: str, name: str) -> tuple[int, ...]:
        """Leaders of that name, live ones first; settles a submit that had no answer.

        Raises SlurmUnreachable while Slurm may still be working on such a submit.
        """
        with self._lock_of(name):
            return self._find(user, account, name)

    def _find(self, user: str, account: str, name: str) -> tuple[int, ...]:
        entry = self._ledger.named(name)
        if entry is not None and (entry.owner, entry.account) != (user, account):
            return ()
        if entry is not None and not entry.is_open:
            return entry.ids[:1]
        components = entry.components if entry else 1
        leaders = self._leaders_listed(user, account, name, components)
        leaders = leaders or self._leaders_in_accounting(user, account, name, components)
        if entry is not None:
            self._settle(entry, leaders)
        return tuple(sorted(leaders))

    def _leaders_listed(self, user: str, account: str, name: str, components: int) -> set[int]:
        """Leaders with all their components; what a refused submit left has fewer."""
        jobs = self._road.reader.jobs()
        counts = Counter(job.leader_id for job in jobs if (job.user, job.account, job.name) == (user, account, name))
        return {leader_id for leader_id, count in counts.items() if count >= components}

    def _leaders_in_accounting(self, user: str, account: str, name: str, components: int) -> set[int]:
        rows = self._calls.accounting_named(user=user, account=account, name=name)
        counts = Counter(row.leader_id for row in rows)
        return {leader_id for leader_id, count in counts.items() if count >= components}

    def _settle(self, entry: Entry, leaders: set[int]) -> None:
        if len(leaders) == 1:
            (leader_id,) = leaders
            self._ledger.record(entry.name, tuple(range(leader_id, leader_id + entry.components)))
            log.info("adopted after a lost answer", name=entry.name, leader_id=leader_id)
        elif not leaders:
            if (wait := entry.intended_at + SETTLED_AFTER_S - time.time()) > 0:
                raise SlurmUnreachable(f"the submit of {entry.name} had no answer; ask again in {wait:.0f} s")
            self._remove(entry)

    # --- changing --------------------------------------------------------------------------------------------------

    def cancel(self, owner: str, job_id: int, graceful: bool) -> None:
        """Cancel as the owner; graceful only signals the runner, where there is one."""
        entry = self._ledger.entry(job_id)
        if entry.leader_id != job_id:
            raise NotPermitted(f"{job_id} is a component of job {entry.leader_id}: cancel the leader")
        if entry.owner != owner:
            raise NotPermitted(f"job {job_id} belongs to {entry.owner}, not {owner}")
        check_owner(self._config, owner)
        if graceful and any(job.state == states.RUNNING for job in self._live([job_id])):
            self._calls.signal_runner(owner, job_id)
        else:
            self._calls.cancel(owner, job_id)
        log.info("cancelled", job_id=job_id, owner=owner, graceful=graceful)

    def set_priority(self, job_ids: Sequence[int], qos: str, nice: int) -> None:
        """Write QOS and nice on each live component, then read them back."""
        check_listed("QOS", qos, self._config.qos)
        for job in self._live(job_ids):
            changes = {"nice": nice} | ({"qos": qos} if job.qos != qos else {})
            self._calls.update(job.job_id, changes)
        for job in self._live(job_ids):
            if (job.qos, job.nice) != (qos, nice):
                raise SlurmRefused(f"job {job.job_id} has QOS {job.qos} and nice {job.nice}, asked {qos} and {nice}")
        log.info("priority set", job_ids=list(job_ids), qos=qos, nice=nice)

    def hold(self, job_ids: Sequence[int], held: bool) -> None:
        """Hold or release each waiting component, then read it back."""
        for job in self._live(job_ids):
            if job.state == states.PENDING and job.held != held:
                self._calls.update(job.job_id, {"hold": held})
        for job in self._live(job_ids):
            if job.state == states.PENDING and job.held != held:
                raise SlurmRefused(f"job {job.job_id} is {'not ' if held else 'still '}held")
        log.info("held" if held else "released", job_ids=list(job_ids))

    def annotate(self, job_id: int, text: str) -> None:
        """Write AdminComment of a component of ours that has ended."""
        if not self._config.admin_comment:
            raise NotPermitted("AdminComment is not granted: admin_comment in the agent's configuration")
        check_note(text)
        entry = self._ledger.entry(job_id)
        for row in self._calls.accounting([job_id]):
            if (row.name, row.user) != (entry.name, entry.owner):
                raise NotPermitted(f"job {job_id} is not the one that this agent submitted: another cluster's ledger?")
            if not states.has_ended(row.state):
                raise SlurmRefused(f"job {job_id} is still {row.state}: it is annotated when it has ended")
            self._calls.annotate(job_id, text)
            log.info("annotated", job_id=job_id)
            return
        raise SlurmRefused(f"job {job_id} is not in accounting")

    def _live(self, job_ids: Sequence[int]) -> list[JobRecord]:
        """The live ones of our components. Raises NotPermitted when Slurm's job of that id is not the one we submitted."""
        entries = {job_id: self._ledger.entry(job_id) for job_id in job_ids}
        found = {}
        for leader_id in dict.fromkeys(entry.leader_id for entry in entries.values()):
            found.update({job.job_id: job for job in self._calls.components(leader_id)})
        for job_id in entries.keys() & found.keys():
            if (found[job_id].name, found[job_id].user) != (entries[job_id].name, entries[job_id].owner):
                raise NotPermitted(f"job {job_id} is not the one that this agent submitted: another cluster's ledger?")
        return [found[job_id] for job_id in job_ids if job_id in found and states.is_live(found[job_id].state)]

    # --- reading ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """One moment of the cluster; headless components of ours that the last snapshot had too are swept."""
        taken = self._road.reader.snapshot()
        stuck = {job.leader_id: job for job in states.headless(taken.jobs) if self._ledger.leader_of(job.job_id)}
        stuck |= self._incomplete(taken.jobs)
        with self._sweeping:
            due, self._headless = self._headless & stuck.keys(), frozenset(stuck)
        for leader_id in due:
            self._sweep(leader_id, stuck[leader_id].job_id)
        return taken

    def _incomplete(self, jobs: Iterable[JobRecord]) -> dict[int, JobRecord]:
        """Waiting leaders of ours that Slurm lists without all their components: what `submit` took for granted, checked."""
        listed: dict[int, list[JobRecord]] = defaultdict(list)
        for job in jobs:
            if job.het_offset is not None and self._ledger.leader_of(job.leader_id):
                listed[job.leader_id].append(job)
        return {
            leader_id: found[0]
            for leader_id, found in listed.items()
            if all(job.state == states.PENDING for job in found)
            and {job.job_id for job in found} != set(self._ledger.entry(leader_id).ids)
        }

    def _sweep(self, leader_id: int, job_id: int) -> None:
        """Cancel by the dead leader's id, the only way (measured); what fails is tried again at the next snapshot."""
        log.warning("sweeping a headless component", leader_id=leader_id, job_id=job_id)
        try:
            self._calls.cancel(self._ledger.entry(job_id).owner, leader_id)
        except SlurmError as error:
            log.warning("the sweep failed", leader_id=leader_id, reason=str(error))

    def accounting(self, job_ids: Sequence[int]) -> tuple[AccountingRow, ...]:
        """Rows of these leaders and their components, in order of id."""
        rows = self._calls.accounting(self._with_components(job_ids))
        return tuple(replace(row, leader_id=self._ledger.leader_of(row.job_id) or row.leader_id) for row in rows)

    def _with_components(self, job_ids: Sequence[int]) -> Iterable[int]:
        for job_id in job_ids:
            yield from self._ledger.entry(job_id).ids if self._ledger.leader_of(job_id) else (job_id,)

    def check_association(self, user: str, account: str, qos: Sequence[str]) -> Standing:
        """What is missing before this user can submit with each of these QOS."""
        try:
            check_owner(self._config, user)
            check_listed("account", account, self._config.accounts)
        except NotPermitted as problem:
            return Standing(str(problem))
        found = [one for one in self._calls.associations(user) if one.account == account]
        return Standing.of(user, account, [one.qos for one in found], qos)

    def priority_setup(self) -> PrioritySetup:
        """The weights of slurm.conf and every QOS's priority. Raises SlurmRefused when slurm.conf cannot be read."""
        try:
            conf = self._config.slurm_conf.read_text(errors="replace")
        except OSError as error:
            raise SlurmRefused(f"{self._config.slurm_conf} cannot be read: {error.strerror}") from error
        found = re.findall(r"^\s*PriorityWeight(\w+)\s*=\s*(\d+)\s*$", conf, re.IGNORECASE | re.MULTILINE)
        return PrioritySetup({factor: int(weight) for factor, weight in found}, self._calls.qos_priorities())

    def version(self) -> ClusterVersion:
        """What answers, and which of the agent's needs the site does not meet."""
        controller = self._calls.ping()
        note = self._road.reader.note(controller)
        return ClusterVersion(
            slurm=controller,
            road=self._road.reader.name,
            road_reason=f"{self._road.reason} ({note})" if note else self._road.reason,
            rest=self._calls.rest_version(),
            problems=(*self._accounting_problems(), *self._operator_problems()),
            unknown_keys=self._calls.unknown_keys(),
        )

    def _operator_problems(self) -> Iterable[str]:
        name = self._config.operator
        try:
            level = self._level(name)
        except SlurmUnreachable as error:  # slurmctld goes on without slurmdbd, and so does the picture of the cluster
            yield f"accounting does not answer ({error}): see systemctl status slurmdbd"
            return
        if not self._operates:
            return
        if self._config.admin_comment and level != "Administrator":
            yield (
                f"admin_comment is on and {name} is no Slurm administrator: sacctmgr modify user {name} set "
                "AdminLevel=Admin, or switch it off"
            )
        elif level not in ("Operator", "Administrator"):
            yield f"{name} is no Slurm operator: sacctmgr modify user {name} set AdminLevel=Operator"

    def _level(self, name: str) -> str:
        """The operator's AdminLevel; who is none asks accounting for what everybody may see of themselves."""
        if self._operates:
            return self._calls.admin_level(name)
        self._calls.associations(name)
        return ""

    def _accounting_problems(self) -> Iterable[str]:
        """Submission is safe to repeat only if accounting keeps the jobs' comments."""
        try:
            conf = self._config.slurm_conf.read_text(errors="replace")
        except OSError as error:
            yield f"{self._config.slurm_conf} cannot be read ({error.strerror}): AccountingStoreFlags is not checked"
            return
        flags = re.findall(r"^\s*AccountingStoreFlags\s*=\s*(\S+)", conf, re.IGNORECASE | re.MULTILINE)
        if not any("job_comment" in value.lower().split(",") for value in flags):
            yield f"AccountingStoreFlags lacks job_comment: add it to {self._config.slurm_conf} and restart slurmctld"
