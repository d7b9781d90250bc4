"""What must be true of portal, Slurm and S3 after every schedule; each function gives its findings as sentences."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from portal.db.models import Attempt, Audit, Base, Event, LoopTest, Model, SlurmJob, Workload
from portal.domain.lifecycle import TERMINAL, IllegalTransition, State, check_transition
from portal.domain.priority import PriorityScale
from portal.services import efficiency
from slurm.fake.cluster import FakeJob
from slurm.states import NODE_FAIL, PENDING, TIMEOUT
from tests.simulation.gates import finish
from tests.simulation.runner import GOOD, Fate, Key, key_of

if TYPE_CHECKING:
    from tests.simulation.schedule import Schedule

MAKES_MODEL = frozenset({"rl", "general"})


class _Facts:
    """Everything that is known at the end, read once."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.cluster = schedule.cluster
        self.runners = schedule.runners
        self.store = schedule.store
        self.workloads = {row.id: row for row in self.rows(Workload)}
        self.audit = self.rows(Audit)
        self.jobs: dict[Key, list[FakeJob]] = defaultdict(list)
        for job in self.cluster.jobs.values():
            if job.is_leader and len(self.cluster.components(job.job_id)) == len(job.submission.components):
                self.jobs[key_of(job)].append(job)

    def rows(self, kind: type[Base]) -> list[Any]:
        """All rows of a table."""

        async def read() -> list[Any]:
            async with self.schedule.maker() as session:
                query = select(kind).order_by(*kind.__table__.primary_key)
                return list((await session.scalars(query)).unique())

        return finish(read())  # type: ignore[no-any-return]

    def keys(self, attempt: Attempt) -> list[Key]:
        """The keys of an attempt's jobs."""
        return [(attempt.workload_id, attempt.number, job.job_index) for job in attempt.jobs]


def rest(schedule: Schedule) -> list[str]:
    """Everything, once the portal has come to rest."""
    facts = _Facts(schedule)
    checks = (_workloads, _attempts, _slurm, _truth, _models, _tests, _audit_chain, _audit_once, _noted)
    return [finding for check in checks for finding in check(facts)]


def order(schedule: Schedule) -> list[str]:
    """Waiting jobs stand in Slurm where the portal wants them, unless somebody moved them outside."""
    facts = _Facts(schedule)
    scale = PriorityScale.of(schedule.settings)
    findings = []
    for workload in facts.workloads.values():
        if workload.state != State.QUEUED or workload.cancel_requested_at or not workload.attempts:
            continue
        wanted = (*scale.slurm_values(workload.priority, workload.queue_rank, workload.kind), workload.held)
        for job in workload.attempts[-1].jobs:
            if job.leader_id is None or job.leader_id in schedule.outside.changed:
                continue
            components = facts.cluster.components(job.leader_id)
            seen = {(one.qos, one.nice, one.held) for one in components if one.state == PENDING}
            if seen - {wanted}:
                findings.append(f"{workload.id}: Slurm has {seen}, wanted is {wanted}")
    return findings


def _workloads(facts: _Facts) -> Iterator[str]:
    for row in facts.workloads.values():
        if row.state not in TERMINAL:
            yield f"{row.id} never ends: {row.state} {row.phase!r}"
        if row.phase:
            yield f"{row.id} is {row.state} with phase {row.phase!r}"
        if row.unknown_since is not None:
            yield f"{row.id} is still unknown since {row.unknown_since}"
        if row.state in TERMINAL and row.ended_at is None:
            yield f"{row.id} is {row.state} without an end"
        if (row.state == State.FAILED) != (row.failure is not None):
            yield f"{row.id} is {row.state} with failure {row.failure}"
        if row.state == State.REJECTED and (row.decision != "rejected" or not row.reject_reason):
            yield f"{row.id} is rejected without a reason"
        if row.needs_approval and row.attempts and row.approved_hash != row.spec_hash:
            yield f"{row.id} ran without approval of its hash"
    keyed = Counter((row.owner_id, row.idempotency_key) for row in facts.workloads.values() if row.idempotency_key)
    yield from (f"{count} workloads of one key {key}" for key, count in keyed.items() if count > 1)


def _attempts(facts: _Facts) -> Iterator[str]:
    for row in facts.workloads.values():
        numbers = [attempt.number for attempt in row.attempts]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{row.id} has attempts {numbers}"
        for attempt in row.attempts:
            name = f"{row.id} a{attempt.number}"
            if not attempt.outcome or attempt.ended_at is None or attempt.logs_saved_at is None:
                yield f"{name}: outcome {attempt.outcome!r}, ended {attempt.ended_at}, logs {attempt.logs_saved_at}"
            odd = [job.status for job in attempt.jobs if job.status not in ("ended", "never_submitted")]
            if odd:
                yield f"{name}: jobs are {odd}"
            if attempt.number < len(numbers) and attempt.outcome != "node_failure":
                yield f"{name} was {attempt.outcome}, and yet another one followed"
        ended_so = row.state in (State.COMPLETED, State.CANCELLED)
        if row.attempts and ended_so and row.attempts[-1].outcome != row.state:
            yield f"{row.id} is {row.state}, its last attempt {row.attempts[-1].outcome}"


def _slurm(facts: _Facts) -> Iterator[str]:
    rows = {key: job for row in facts.workloads.values() for key, job in _job_rows(row)}
    for key, jobs in facts.jobs.items():
        ids = [job.job_id for job in jobs]
        if len(jobs) > 1:
            yield f"{key}: {len(jobs)} Slurm jobs {ids}"
        if key not in rows:
            yield f"{key}: Slurm jobs {ids} without a row"
        elif rows[key].leader_id not in ids:
            yield f"{key}: Slurm has {ids}, the row says {rows[key].leader_id} ({rows[key].status})"
        elif rows[key].nonce not in jobs[0].comment:
            yield f"{key}: the nonce is another one"
    for key, row in rows.items():
        if row.leader_id is not None and key not in facts.jobs:
            yield f"{key}: the row has job {row.leader_id}, Slurm has none"
    yield from (f"job {job.job_id} is still {job.state}" for job in facts.cluster.jobs.values() if job.live)


def _job_rows(workload: Workload) -> Iterator[tuple[Key, SlurmJob]]:
    for attempt in workload.attempts:
        for job in attempt.jobs:
            yield (workload.id, attempt.number, job.job_index), job


def _truth(facts: _Facts) -> Iterator[str]:
    """The final state is what really happened."""
    for row in facts.workloads.values():
        last = row.attempts[-1] if row.attempts else None
        keys = facts.keys(last) if last else []
        fates = [facts.runners.truth.get(key) for key in keys]
        good = bool(keys) and all(fate in GOOD for fate in fates)
        states = {facts.jobs[key][0].state for key in keys if facts.jobs[key]}
        if row.state == State.COMPLETED and not good:
            yield f"{row.id} is completed, but its jobs were {fates}"
        if row.state == State.CANCELLED:
            outside = any(job.job_id in facts.schedule.outside.cancelled for key in keys for job in facts.jobs[key])
            if row.cancel_requested_at is None and not outside:
                yield f"{row.id} is cancelled, but nobody asked"
            if good:
                yield f"{row.id} is cancelled, but it succeeded"
        if row.state == State.FAILED:
            yield from _failed_truly(row, fates, good, states)


def _failed_truly(row: Workload, fates: list[Fate | None], good: bool, states: set[str]) -> Iterator[str]:
    failure = row.failure or {}
    cause = failure.get("cause")
    true = {
        "step": Fate.STEP_FAILS in fates,
        "node_failure": NODE_FAIL in states,
        "time_limit": True,
        "no_report": not good,
        "contradicted": not good,
        "report_refused": not good,
        "refused": failure.get("code") is not None,
    }
    if cause not in true:
        yield f"{row.id} failed by {failure}, which never happens here"
    elif not true[cause]:
        yield f"{row.id} failed by {cause} {failure}, but its jobs were {fates}, {states}"
    if cause == "time_limit" and len(fates) == 1 and states != {TIMEOUT} and "FAILED" not in states:
        yield f"{row.id} failed by its time limit, but Slurm says {states}"


def _models(facts: _Facts) -> Iterator[str]:
    models = {model.workload_id: model for model in facts.rows(Model)}
    expected: dict[str, bytes] = {}
    for row in facts.workloads.values():
        files: dict[str, bytes] = {}
        for key in facts.keys(row.attempts[-1]) if row.attempts else []:
            files |= facts.runners.models.get(key, {})
        makes = row.state == State.COMPLETED and row.kind in MAKES_MODEL and bool(files)
        if makes != (row.id in models):
            yield f"{row.id} ({row.kind}, {row.state}) {'has no' if makes else 'has a'} model"
        if makes and row.id in models:
            model = models[row.id]
            expected |= {f"{model.prefix}files/{path}": data for path, data in files.items()}
            yield from _manifest(facts, model, files)
    stored = {key: data for (bucket, key), data in facts.store.objects.items() if bucket == "models"}
    files = {key: data for key, data in stored.items() if not key.endswith("/manifest.json")}
    if files != expected:
        yield f"S3 has the model files {sorted(files)}, expected are {sorted(expected)}"
    if len(stored) - len(files) != len(models):
        yield f"{len(stored) - len(files)} manifests for {len(models)} models"
    for app in {model.app_id for model in models.values()}:
        versions = sorted(model.version for model in models.values() if model.app_id == app)
        if versions != list(range(1, len(versions) + 1)):
            yield f"{app} has model versions {versions}"


def _manifest(facts: _Facts, model: Model, files: dict[str, bytes]) -> Iterator[str]:
    data = facts.store.objects.get(("models", f"{model.prefix}manifest.json"))
    document = json.loads(data) if data else None
    if model.state != "stored" or document is None or document != model.manifest:
        yield f"{model.workload_id}: model is {model.state}, its row and its manifest differ"
        return
    listed = {file["path"]: file["sha256"] for file in document["files"]}
    if listed != {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}:
        yield f"{model.workload_id}: the manifest lists {sorted(listed)}, the job wrote {sorted(files)}"
    if document["lineage"]["workload"] != model.workload_id:
        yield f"{model.workload_id}: the manifest is of {document['lineage']['workload']}"


def _tests(facts: _Facts) -> Iterator[str]:
    for test in facts.rows(LoopTest):
        run = facts.workloads[test.run_id]
        if run.state in TERMINAL and test.status not in ("passed", "failed"):
            yield f"the test of {test.requested_for_id} is {test.status}, its run {run.id} {run.state}"
        if test.status == "passed" and run.state != State.COMPLETED:
            yield f"the test of {test.requested_for_id} passed, its run {run.id} is {run.state}"
        results = [row for row in facts.audit if row.action == "test.result" and (row.after or {})["run"] == run.id]
        if run.state in TERMINAL and len(results) != 1:
            yield f"{len(results)} audited results of the test run {run.id}"


def _audit_chain(facts: _Facts) -> Iterator[str]:
    """Every change of state has one row, in order, and each begins where the last one ended."""
    rows = defaultdict(list)
    for row in facts.audit:
        if row.action == "workload.state":
            rows[row.object_id].append((row.before["state"], row.after["state"]))
    told = Counter((event.workload_id, event.kind) for event in facts.rows(Event) if event.kind.startswith("state_"))
    for workload in facts.workloads.values():
        chain = rows[workload.id]
        first = State.QUEUED if workload.kind == "test" else State.SUBMITTED
        ends = [first, *(after for _, after in chain)]
        if [before for before, _ in chain] != ends[:-1] or ends[-1] != workload.state:
            yield f"{workload.id} is {workload.state}; its audit says {chain}"
        for before, after in pairwise(ends):
            try:
                check_transition(State(before), State(after))
            except IllegalTransition as error:
                yield f"{workload.id}: {error}"
        for state, count in Counter(after for _, after in chain).items():
            if told[workload.id, f"state_{state}"] != count:
                yield f"{workload.id}: {count} audited changes to {state}, {told[workload.id, f'state_{state}']} events"


def _audit_once(facts: _Facts) -> Iterator[str]:
    """Submissions, hand-overs and stored models are audited exactly once each."""
    count = Counter((row.action, row.object_id, row.result) for row in facts.audit)
    for workload in facts.workloads.values():
        if workload.kind != "test" and count["workload.submit", workload.id, "ok"] != 1:
            yield f"{workload.id} has {count['workload.submit', workload.id, 'ok']} audited submissions"
    handed: Counter[int] = Counter()
    for row in facts.audit:
        if row.action == "job.submit" and row.result == "ok":
            handed[row.after["slurm_job"][0]] += 1
    for workload in facts.workloads.values():
        for key, job in _job_rows(workload):
            if job.leader_id is not None and handed[job.leader_id] != 1:
                yield f"{key}: job {job.leader_id} has {handed[job.leader_id]} audited hand-overs"
    for model in facts.rows(Model):
        name = f"{model.app_id}/v{model.version}"
        if count["model.save", name, "ok"] != 1:
            yield f"{name} has {count['model.save', name, 'ok']} audited savings"


def _noted(facts: _Facts) -> Iterator[str]:
    """Accounting has what each measured run used, written once into the story."""
    told = Counter(event.workload_id for event in facts.rows(Event) if event.kind == "noted")
    comments = facts.schedule.fake.admin_comments
    for workload in facts.workloads.values():
        attempts = [attempt for attempt in workload.attempts if attempt.noted_at is not None]
        if told[workload.id] != len(attempts):
            yield f"{workload.id}: {len(attempts)} attempts are noted, {told[workload.id]} times it was said"
        for attempt in attempts:
            for job_id, text in efficiency.notes(workload, attempt).items():
                if comments.get(job_id) != text:
                    yield f"{workload.id} a{attempt.number}: job {job_id} is said to be {comments.get(job_id)!r}, not {text!r}"
