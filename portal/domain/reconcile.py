"""Compares the portal's jobs with what Slurm and its accounting have; each disagreement becomes a finding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from portal.domain.findings import Code, Finding
from portal.domain.lifecycle import TERMINAL, State
from slurm.records import AccountingRow, JobRecord
from slurm.states import ENDED, LIVE, PENDING, headless

PORTAL_MARK = "one:"
"""How the comment of every job of the portal begins (compile.handover.JobMark)."""
LOST = "LOST"
"""The portal's own word for the state of a job that neither Slurm nor accounting has any more, and that an admin gave up."""
INTENT_PATIENCE_S = 300
"""A hand-over that found Slurm away is repeated every few seconds; one this old is stuck."""


@dataclass(frozen=True)
class JobFacts:
    """One row of the portal: a Slurm job of an attempt.

    `seen` is the Slurm state that the portal last saw, `place` the (QOS, nice, held) that every waiting component should
    have (None: the portal asks for none), `over` whether the attempt has its outcome, `age_s` how old the row is.
    """

    workload: str
    state: State
    name: str
    status: str
    leader_id: int | None
    seen: str = ""
    place: tuple[str, int, bool] | None = None
    over: bool = False
    age_s: float = 0.0


@dataclass(frozen=True)
class _Slurm:
    """What Slurm has, by leader; `rows` is None when accounting did not answer."""

    live: Mapping[int, Sequence[JobRecord]]
    rows: Mapping[int, Sequence[AccountingRow]] | None

    def live_of(self, fact: JobFacts) -> Sequence[JobRecord]:
        """Live components under the row's leader that are its own: after a new installation numbers begin again."""
        return [job for job in self.live.get(fact.leader_id or 0, ()) if job.name == fact.name]

    def rows_of(self, fact: JobFacts) -> Sequence[AccountingRow]:
        """Accounting's rows under the row's leader, by the same rule."""
        return [row for row in (self.rows or {}).get(fact.leader_id or 0, ()) if row.name == fact.name]


def compare_jobs(
    facts: Iterable[JobFacts], jobs: Iterable[JobRecord], rows: Iterable[AccountingRow] | None
) -> tuple[Finding, ...]:
    """Every disagreement. `jobs` is one snapshot, `rows` accounting of the facts' leaders (None: it did not answer)."""
    known, listed = tuple(facts), tuple(jobs)
    live: dict[int, list[JobRecord]] = defaultdict(list)
    for job in listed:
        if job.state in LIVE:
            live[job.leader_id].append(job)
    slurm = _Slurm(live, _by_leader(rows) if rows is not None else None)
    found = [*_outside(known, live), *_headless(listed, known)]
    for fact in known:
        found += _RULES[fact.status](fact, slurm) if fact.status in _RULES else ()
    return tuple(found)


def running_without_job(workloads: Mapping[str, State], facts: Iterable[JobFacts]) -> tuple[Finding, ...]:
    """Workloads that run although no job of theirs was ever handed over or is still awaited."""
    awaited = {fact.workload for fact in facts if not fact.over and fact.status in ("submitted", "ended", "mismatch")}
    return tuple(
        Finding(Code.RUNNING_WITHOUT_JOB, "workload", workload, state.value, "no job", about=workload)
        for workload, state in workloads.items()
        if state is State.RUNNING and workload not in awaited
    )


def _by_leader(rows: Iterable[AccountingRow]) -> dict[int, list[AccountingRow]]:
    found: dict[int, list[AccountingRow]] = defaultdict(list)
    for row in rows:
        found[row.leader_id].append(row)
    return found


def _outside(facts: Sequence[JobFacts], live: Mapping[int, Sequence[JobRecord]]) -> Iterator[Finding]:
    """Live jobs with the portal's mark that no row explains."""
    named = {fact.name: fact for fact in facts}
    for leader_id, components in live.items():
        job = components[0]
        if not job.comment.startswith(PORTAL_MARK):
            continue
        fact = named.get(job.name)
        if fact is None:
            yield Finding(
                Code.JOB_WITHOUT_ROW, "job", str(leader_id), "no row", f"{job.state} {job.name} of {job.user}"
            )
        elif fact.leader_id is not None and fact.leader_id != leader_id:
            says = f"{fact.status} as job {fact.leader_id}"
            yield Finding(Code.SECOND_JOB, "job", str(leader_id), says, job.state, about=fact.workload)


def _headless(jobs: Sequence[JobRecord], facts: Sequence[JobFacts]) -> Iterator[Finding]:
    """Also those that are not the portal's: they hold back its jobs as well."""
    workloads = {fact.name: fact.workload for fact in facts}
    for job in headless(jobs):
        lost = "its leader is gone" if job.job_id != job.leader_id else "a component of it is gone"
        name = f"{job.leader_id}+{job.het_offset or 0}"
        yield Finding(Code.HEADLESS, "job", name, "", f"{job.state}, {lost}", about=workloads.get(job.name, ""))


def _intent(fact: JobFacts, _: _Slurm) -> Iterator[Finding]:
    if fact.over or fact.state in TERMINAL or fact.age_s > INTENT_PATIENCE_S:
        says = f"{fact.state.value}, hand-over begun {fact.age_s:.0f} s ago"
        yield _finding(Code.INTENT_LEFT, fact, says, "not looked for")


def _submitted(fact: JobFacts, slurm: _Slurm) -> Iterator[Finding]:
    live = slurm.live_of(fact)
    if not live:
        yield from _submitted_but_gone(fact, slurm)
    elif fact.over or fact.state in TERMINAL:
        yield _finding(Code.LIVE_AFTER_END, fact, fact.state.value, live[0].state)
    else:
        leader = min(live, key=lambda job: job.job_id)
        if fact.seen and leader.state != fact.seen:
            yield _finding(Code.STATE_DIFFERS, fact, fact.seen, leader.state)
        yield from _place(fact, live)


def _submitted_but_gone(fact: JobFacts, slurm: _Slurm) -> Iterator[Finding]:
    if slurm.rows is None:
        return
    rows, says = slurm.rows_of(fact), f"{fact.state.value}, {fact.seen or 'not seen yet'}"
    if not rows:
        yield _finding(Code.LOST_JOB, fact, says, "no such job", "accounting")
    elif all(row.state in ENDED for row in rows):
        yield _finding(Code.END_NOT_NOTICED, fact, says, _leader(rows).state, "accounting")
    else:
        yield _finding(Code.GHOST_JOB, fact, says, _leader(rows).state, "accounting")


def _place(fact: JobFacts, live: Sequence[JobRecord]) -> Iterator[Finding]:
    waiting = [job for job in live if job.state == PENDING]
    wrong = {(job.qos, job.nice, job.held) for job in waiting} - {fact.place}
    if fact.place is not None and wrong:
        yield _finding(Code.WRONG_PLACE, fact, _place_text(fact.place), "; ".join(map(_place_text, sorted(wrong))))


def _place_text(place: tuple[str, int, bool]) -> str:
    qos, nice, held = place
    return f"{qos} nice {nice}{' held' if held else ''}"


def _ended(fact: JobFacts, slurm: _Slurm) -> Iterator[Finding]:
    live = slurm.live_of(fact)
    if live:
        yield _finding(Code.LIVE_AFTER_END, fact, fact.seen, live[0].state)
        return
    if slurm.rows is None:
        return
    rows = slurm.rows_of(fact)
    if not rows and fact.seen == LOST:
        return
    if not rows:
        yield _finding(Code.LOST_JOB, fact, fact.seen, "no such job", "accounting")
    elif _leader(rows).state != fact.seen:
        yield _finding(Code.STATE_DIFFERS, fact, fact.seen, _leader(rows).state, "accounting")


def _never_submitted(fact: JobFacts, slurm: _Slurm) -> Iterator[Finding]:
    for leader_id, components in slurm.live.items():
        if components[0].name == fact.name:
            found = f"{components[0].state} as job {leader_id}"
            yield Finding(Code.LIVE_AFTER_END, "job", str(leader_id), fact.status, found, about=fact.workload)


def _mismatch(fact: JobFacts, _: _Slurm) -> Iterator[Finding]:
    yield Finding(
        Code.SECOND_JOB, "workload", fact.workload, "mismatch", "several jobs of one name", about=fact.workload
    )


_RULES = {
    "intent": _intent,
    "submitted": _submitted,
    "ended": _ended,
    "never_submitted": _never_submitted,
    "mismatch": _mismatch,
}


def _leader(rows: Sequence[AccountingRow]) -> AccountingRow:
    return min(rows, key=lambda row: row.job_id)


def _finding(code: Code, fact: JobFacts, portal: str, other: str, system: str = "slurm") -> Finding:
    kind, name = ("job", str(fact.leader_id)) if fact.leader_id else ("workload", fact.workload)
    return Finding(code, kind, name, portal, other, system, about=fact.workload)
