"""The one writer of a workload's state: the table decides, and the row, its event and its audit row are one change."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Analysis, Attempt, Event, LoopTest, Workload, now
from portal.domain.lifecycle import LABELS, TERMINAL, State, check_transition
from portal.services import telling
from portal.services.audit import DAEMON, Action, Actor, record


async def change(
    session: AsyncSession,
    workload: Workload,
    to: State,
    actor: Actor,
    *,
    phase: str = "",
    failure: dict[str, Any] | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Move `workload` to `to`. Raises portal.domain.lifecycle.IllegalTransition; nothing is written then."""
    await write(session, workload, to, actor, phase=phase, failure=failure, detail=detail)
    await session.flush()


async def write(
    session: AsyncSession,
    workload: Workload,
    to: State,
    actor: Actor,
    *,
    phase: str = "",
    failure: dict[str, Any] | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """As `change`, but sent to the database with the rest of its transaction: for batches, where each flush costs."""
    before = State(workload.state)
    check_transition(before, to)
    workload.state = to.value
    workload.phase = phase
    workload.unknown_since = None
    moment, again = now(), workload.started_at is not None
    if to is State.QUEUED:
        workload.queued_at = moment
    elif to is State.RUNNING:
        workload.started_at = workload.started_at or moment
    elif to in TERMINAL:
        workload.ended_at = moment
    if failure is not None:
        workload.failure = failure
    facts = {"state": to.value, **(detail or {}), **({"failure": failure} if failure else {})}
    record(
        session,
        actor,
        Action.WORKLOAD_STATE,
        "workload",
        workload.id,
        before={"state": before.value},
        after=facts,
    )
    event(session, workload, "portal", f"state_{to.value}", text=actor.name, data=facts)
    await telling.changed(session, actor, workload, before, again=again)
    if workload.kind == "test" and to in TERMINAL:
        await _close_test(session, workload, to)
    if workload.kind == "analysis" and to in TERMINAL:
        await _tell_analysed(session, actor, workload, to)


def begun_attempt(workload: Workload) -> Attempt | None:
    """The attempt that is being handed over or runs, if there is one."""
    attempt = workload.attempts[-1] if workload.attempts else None
    return attempt if attempt is not None and attempt.outcome == "" else None


def is_handed_over(workload: Workload) -> bool:
    """Whether Slurm has had every job of the attempt that is going on."""
    begun = begun_attempt(workload)
    return begun is not None and all(job.status != "intent" for job in begun.jobs)


async def judge_test(session: AsyncSession, test: LoopTest, *, passed: bool, results: dict[str, Any]) -> None:
    """Write a test's result, once; `results` has its reasons as why_ko and why_en."""
    test.status = "passed" if passed else "failed"
    test.results = results
    test.executed_at = now()
    why = results["why_en"]
    facts = {"run": test.run_id, "status": test.status, "why": why}
    record(session, DAEMON, Action.TEST_RESULT, "workload", test.requested_for_id, after=facts)
    requested_for = await session.get_one(Workload, test.requested_for_id)
    event(session, requested_for, "portal", f"test_{test.status}", text=why, data=facts)
    telling.tested(session, requested_for, test)


async def _close_test(session: AsyncSession, run: Workload, to: State) -> None:
    """A test whose run ended before there was anything to judge has failed: left running, it could never be repeated."""
    test = await session.scalar(select(LoopTest).where(LoopTest.run_id == run.id, LoopTest.status == "running"))
    if test is not None:
        korean, english = LABELS[to]
        why = {"why_ko": f"판정할 결과 없이 끝났습니다: {korean}", "why_en": f"ended without a result: {english}"}
        await judge_test(session, test, passed=False, results=why)


async def _tell_analysed(session: AsyncSession, actor: Actor, run: Workload, to: State) -> None:
    """Its owner, and the story of the workload that was looked at, whose state stays what it is, however the analysis ended."""
    analysis = await session.get(Analysis, run.id)
    if analysis is not None:
        kind = "analysis_completed" if to is State.COMPLETED else "analysis_failed"
        event(session, analysis.workload, "portal", kind, text=run.name, data={"run": run.id, "state": to.value})
    telling.analysed(session, actor, run, to)


def event(
    session: AsyncSession,
    workload: Workload,
    source: str,
    kind: str,
    *,
    text: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Add one line to the workload's story; `source` is portal, slurm or runner."""
    session.add(Event(workload_id=workload.id, source=source, kind=kind, text=text, data=data or {}))
