"""What an attempt's end means: saving, a failure with its cause, a cancel, or one more attempt after a lost node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.daemon.context import Context
from portal.daemon.logcopy import METRICS
from portal.db.models import Attempt, LoopTest, SlurmJob, Workload, now
from portal.domain.events import succeeded
from portal.domain.failure import step_failure
from portal.domain.lifecycle import Phase, State
from portal.domain.looptest import (
    Iteration,
    TestResult,
    general_result,
    rewards_of,
    rl_result,
)
from portal.domain.runreport import RunReport
from portal.rundir import RunDirError
from portal.services import state
from portal.services.audit import DAEMON
from slurm.states import CANCELLED, COMPLETED, NODE_FAIL, OUT_OF_MEMORY, TIMEOUT

EXIT_REFUSED = 3
"""The runner's, when it starts nothing (slurm/inside/runner.py); a payload's own never becomes the job's."""
NAMED = 3
"""Refusals that a failure names; its event has them all."""
_BY_SLURM_STATE = {TIMEOUT: "time_limit", NODE_FAIL: "node_failure", OUT_OF_MEMORY: "out_of_memory"}


async def conclude(
    session: AsyncSession, context: Context, workload: Workload, attempt: Attempt, report: RunReport
) -> None:
    """Every job of the attempt has ended: write its outcome and move the workload on."""
    attempt.ended_at = now()
    attempt.outcome = _outcome(workload, attempt, report)
    if report.distrusted:
        state.event(session, workload, "runner", "report_refused", data={"refused": list(report.distrusted)})
    if workload.state == State.QUEUED and any(job.started_at for job in attempt.jobs):
        await state.write(session, workload, State.RUNNING, DAEMON)
    again = attempt.outcome == "node_failure" and attempt.number <= context.settings.policy.node_failure_attempts
    if workload.kind == "test" and not again:
        await _judge_test(session, context, workload, attempt, report)
    if attempt.outcome == "completed":
        await state.write(session, workload, State.SAVING, DAEMON)
    elif attempt.outcome == "cancelled":
        detail = {"reason": workload.cancel_reason, "outside": workload.cancel_requested_at is None}
        await state.write(session, workload, State.CANCELLED, DAEMON, detail=detail)
    elif again:
        detail = {"attempt_lost": attempt.number, "node": _failed_node(attempt)}
        await state.write(session, workload, State.QUEUED, DAEMON, phase=Phase.PREPARING, detail=detail)
    else:
        await state.write(session, workload, State.FAILED, DAEMON, failure=_failure(workload, attempt, report))


def _outcome(workload: Workload, attempt: Attempt, report: RunReport) -> str:
    """completed, cancelled, node_failure or failed: from the events and Slurm's states together."""
    if workload.failure is not None:
        return "failed"
    if succeeded(report, _leaders(attempt)):
        return "completed"
    if workload.cancel_requested_at is not None:
        return "cancelled"
    states = {job.state for job in attempt.jobs}
    if NODE_FAIL in states:
        return "node_failure"
    if CANCELLED in states and report.first_failure is None and states <= {CANCELLED, COMPLETED}:
        return "cancelled"
    return "failed"


def _leaders(attempt: Attempt) -> Iterator[tuple[str, int | None, int | None]]:
    for job in attempt.jobs:
        row = _leader_row(job)
        yield job.state, row.get("exit_code"), row.get("signal")


def _leader_row(job: SlurmJob) -> dict[str, Any]:
    rows = (job.accounting or {}).get("rows", [])
    return min(rows, key=lambda row: row["het_offset"] or 0, default={})


def _failed_node(attempt: Attempt) -> str:
    rows = [row for job in attempt.jobs for row in (job.accounting or {}).get("rows", [])]
    return next((row["failed_node"] for row in rows if row["failed_node"]), "?")


def _failure(workload: Workload, attempt: Attempt, report: RunReport) -> dict[str, Any]:
    """The failure document: the step that died first where the runner named it, else what Slurm says."""
    if workload.failure is not None:
        return workload.failure
    if report.stopping == "time_limit":
        return {"cause": "time_limit"}
    if report.first_failure is not None:
        return step_failure(report.first_failure.as_json())
    bad = next((job for job in attempt.jobs if job.state in _BY_SLURM_STATE), None)
    if bad is not None:
        return {"cause": _BY_SLURM_STATE[bad.state], "node": _failed_node(attempt)}
    codes = {_leader_row(job).get("exit_code") for job in attempt.jobs}
    if EXIT_REFUSED in codes and not any(runner.started for runner in report.runners.values()):
        return {"cause": "not_begun"}
    states = ", ".join(job.state or job.status for job in attempt.jobs)
    if report.distrusted:
        return {"cause": "report_refused", "slurm_state": states, "what": "; ".join(report.distrusted[:NAMED])}
    return {"cause": "contradicted" if report.said_ok else "no_report", "slurm_state": states}


async def _judge_test(
    session: AsyncSession, context: Context, run: Workload, attempt: Attempt, report: RunReport
) -> None:
    """Write the loopTest's result; it is judged by rewards or runs, and a run that did not end well never passes."""
    test = await session.scalar(select(LoopTest).where(LoopTest.run_id == run.id))
    if test is None:
        raise AssertionError(f"test run {run.id} has no test row")
    result = _result(context, run, attempt, report)
    passed = result.passed and attempt.outcome == "completed"
    await state.judge_test(session, test, passed=passed, results={**result.results, **result.details})


def _result(context: Context, run: Workload, attempt: Attempt, report: RunReport) -> TestResult:
    if run.options["tested_kind"] != "rl":
        runs = [Iteration(end.ok, end.seconds) for end in report.iterations]
        return general_result(runs, asked=run.options["iterations"])
    steps = [step for step, _ in sorted(report.steps.items(), key=lambda item: item[1].started or 0.0)]
    rewards = next(filter(None, (_rewards(context, run, attempt, step) for step in reversed(steps))), ())
    must_rise = context.settings.policy.test_must_rise
    return rl_result(rewards, episodes=run.options["episodes"], must_rise=must_rise)


def _rewards(context: Context, run: Workload, attempt: Attempt, step: str) -> tuple[tuple[int, float], ...]:
    """The rewards that a step reports; a file that is refused reports none."""
    try:
        rundir = context.rundir(attempt.run_dir, run.owner.unix_user or "")
        return rewards_of(rundir.json_lines(f"steps/{step}/{METRICS}"), episodes=run.options["episodes"])
    except RunDirError:
        return ()
