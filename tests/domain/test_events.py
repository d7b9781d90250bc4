"""The runners' events: the good road, every kind of end, and lines that contradict themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.events import MAX_FAULTS, read_run, succeeded
from portal.domain.runreport import RunReport, StepState

A, B, SERVICE = "TASK-001/A", "TASK-001/B", "TASK-001/SIM"


class Script:
    """Event lines with a clock that goes on by one second a line."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def add(self, event: str, **fields: Any) -> Script:
        self.lines.append({"t": 1000.0 + len(self.lines), "event": event, **fields})
        return self

    def started(self, step: str, number: int = 1, iteration: int = 1, hosts: Iterable[object] = ("gpu1",)) -> Script:
        return self.add("step_started", step=step, **{"try": number}, iteration=iteration, group=0, hosts=list(hosts))

    def ended(self, step: str, result: str, number: int = 1, iteration: int = 1, **how: Any) -> Script:
        fields = {"exit_code": None, "signal": None, "reason": "", **how}
        return self.add("step_ended", step=step, **{"try": number}, iteration=iteration, result=result, **fields)

    def over(self, ok: bool, failure: dict[str, Any] | None = None) -> Script:
        return self.add("runner_ended", ok=ok, first_failure=failure)


def script() -> Script:
    return Script().add("runner_started", het_size=1, host="gpu1")


def failure(step: str = A, **fields: Any) -> dict[str, Any]:
    base = {
        "step": step,
        "try": 1,
        "t": 1002.5,
        "exit_code": 1,
        "signal": None,
        "reason": "exit",
        "last_lines": ["boom"],
    }
    return {**base, **fields}


def bad_end(value: dict[str, Any]) -> dict[str, Any]:
    return {"event": "runner_ended", "ok": False, "first_failure": value, "t": 1}


def read(lines: list[Any], steps: tuple[str, ...] = (A, B)) -> RunReport:
    return read_run([steps], {0: lines}, no_later_than=2e9)


def whys(report: RunReport) -> list[tuple[int, str]]:
    return [(fault.line, fault.why) for fault in report.faults]


GOOD_END = ("COMPLETED", 0, 0)


def good() -> Script:
    return (
        script().started(A).ended(A, "completed", exit_code=0).started(B).ended(B, "completed", exit_code=0).over(True)
    )


def test_the_good_road() -> None:
    report = read(good().lines)
    assert report.faults == ()
    assert report.said_ok
    assert report.all_runners_ended
    assert report.steps[A].state is StepState.COMPLETED
    assert (report.steps[A].seconds, report.steps[A].hosts) == (1.0, ("gpu1",))
    assert succeeded(report, [GOOD_END])
    json.dumps(report.as_json())


@pytest.mark.parametrize(
    "leaders",
    [
        [],
        [("FAILED", 1, 0)],
        [("COMPLETED", 1, 0)],
        [("COMPLETED", 0, 9)],
        [("CANCELLED", 0, 0)],
        [("RUNNING", None, None)],
        [GOOD_END] * 2,
    ],
)
def test_success_needs_slurms_word_too(leaders: list[tuple[str, int | None, int | None]]) -> None:
    assert not succeeded(read(good().lines), leaders)


def test_success_needs_every_step_and_every_runner() -> None:
    assert not succeeded(read(good().lines, (A, B, SERVICE)), [GOOD_END])
    assert not succeeded(read(good().lines[:-1]), [GOOD_END])
    assert not succeeded(read_run([(A, B), (SERVICE,)], {0: good().lines}), [GOOD_END, GOOD_END])
    assert not succeeded(read([]), [GOOD_END])


def test_before_anything_is_written() -> None:
    report = read([])
    assert {step.state for step in report.steps.values()} == {StepState.WAITING}
    assert not report.all_runners_ended


def test_while_it_runs() -> None:
    report = read(script().started(A, hosts=("gpu1", "gpu2")).add("step_ready", step=A, iteration=1).lines)
    assert (report.steps[A].state, report.steps[A].ready, report.steps[A].seconds) == (StepState.RUNNING, True, None)
    assert report.steps[B].state is StepState.WAITING


def test_failure_stops_and_skips() -> None:
    lines = script().started(A).started(SERVICE).ended(A, "failed", exit_code=137, reason="out_of_memory")
    lines = lines.add("stopping", reason="step_failed").ended(B, "skipped", number=0, reason="dependency_failed")
    lines = lines.ended(SERVICE, "stopped", reason="stopped_after_failure").over(False, failure(exit_code=137))
    report = read(lines.lines, (A, B, SERVICE))
    assert report.faults == ()
    assert [step.state for step in report.steps.values()] == [StepState.FAILED, StepState.SKIPPED, StepState.CANCELLED]
    assert report.first_failure is not None
    assert (report.first_failure.step, report.first_failure.last_lines) == (A, ("boom",))
    assert report.stopping == "step_failed"
    assert not succeeded(report, [GOOD_END])


def test_retries() -> None:
    lines = script().started(A).ended(A, "failed", exit_code=1, reason="exit").started(A, 2)
    report = read(lines.lines)
    assert (report.faults, report.steps[A].state, report.steps[A].number) == ((), StepState.RUNNING, 2)
    report = read(lines.ended(A, "completed", 2, exit_code=0).lines)
    assert (report.steps[A].state, report.steps[A].seconds) == (StepState.COMPLETED, 1.0)


def test_a_retry_that_cannot_be_launched() -> None:
    lines = (
        script()
        .started(A)
        .ended(A, "failed", exit_code=1, reason="exit")
        .ended(A, "launch_failure", 2, reason="launch")
    )
    report = read(lines.lines)
    assert report.faults == ()
    assert (report.steps[A].state, report.steps[A].started) == (StepState.FAILED, None)


def test_the_first_failure_of_several_jobs_is_the_earliest() -> None:
    one = script().started(A).ended(A, "failed", reason="exit", exit_code=1).over(False, failure(A, t=1005.0)).lines
    two = script().started(B).ended(B, "failed", reason="exit", exit_code=1).over(False, failure(B, t=1004.0)).lines
    report = read_run([(A,), (B,)], {0: one, 1: two})
    assert report.first_failure is not None
    assert report.first_failure.step == B
    assert (report.steps[B].job, report.runners[1].ok) == (1, False)


def test_iterations_of_a_general_test() -> None:
    lines = script()
    for number in (1, 2, 3):
        result = "failed" if number == 2 else "completed"
        lines = lines.started(A, iteration=number).ended(A, result, iteration=number, exit_code=0)
        lines = lines.add("iteration_ended", iteration=number, ok=number != 2, seconds=0.5)
    report = read(lines.over(False, failure()).lines, (A,))
    assert report.faults == ()
    assert [(end.number, end.ok) for end in report.iterations] == [(1, True), (2, False), (3, True)]
    assert report.steps[A].state is StepState.COMPLETED


def test_groups_that_were_given_back() -> None:
    assert read(script().add("group_released", group=1).lines).runners[0].released == (1,)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({}, "not an event line"),
        ([], "not an event line"),
        ("step_started", "not an event line"),
        ({"event": 5, "t": 1}, "unknown event 5"),
        ({"event": "exploded", "t": 1}, "unknown event 'exploded'"),
        ({"event": "runner_started", "t": 1}, "runner_started twice"),
        ({"event": "group_released", "group": 1}, "t is not a number"),
        ({"event": "group_released", "group": 1, "t": float("nan")}, "t is not a number"),
        ({"event": "group_released", "group": 1, "t": 10**400}, "t is not a time"),
        ({"event": "group_released", "group": 1, "t": -1e308}, "t is not a time"),
        ({"event": "group_released", "group": 1, "t": 5e9}, "t is 3000000000 s too far in the future"),
        ({"event": "group_released", "group": 10**400, "t": 1}, "group is not a whole number"),
        ({"event": "iteration_ended", "iteration": 1, "ok": True, "seconds": 1e308, "t": 1}, "seconds is not a time"),
        ({"event": "group_released", "group": True, "t": 1}, "group is not a whole number"),
        ({"event": "group_released", "group": -1, "t": 1}, "group is not a whole number"),
        ({"event": "stopping", "reason": "bored", "t": 1}, "unknown reason to stop 'bored'"),
        ({"event": "step_ready", "step": A, "iteration": 1, "t": 1}, f"{A} ready while waiting"),
        ({"event": "iteration_ended", "iteration": 2, "ok": True, "seconds": 1, "t": 1}, "iteration 2 ended after 0"),
        ({"event": "iteration_ended", "iteration": 1, "ok": 1, "seconds": 1, "t": 1}, "ok is not true or false"),
        ({"event": "runner_ended", "ok": True, "first_failure": failure(), "t": 1}, "runner_ended with ok and a failure"),
        (bad_end(failure("X/Y")), "first_failure names no step of this job"),
        (bad_end(failure(last_lines=[1])), "last_lines is not a list of texts"),
    ],
)  # fmt: skip
def test_lines_that_cannot_be_used_are_named_and_left_out(line: Any, why: str) -> None:
    report = read([*script().lines, line])
    assert whys(report) == [(2, why)]
    assert not report.all_runners_ended
    assert {step.state for step in report.steps.values()} == {StepState.WAITING}


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        (script().ended(A, "completed"), 2, f"{A} completed without a start"),
        (script().started("X/Y"), 2, "unknown step 'X/Y'"),
        (script().started(A).started(A), 3, f"{A} started try 1 after try 1"),
        (script().started(A).started(A, 2), 3, f"{A} started while running"),
        (script().started(A).ended(A, "completed").started(A, 2), 4, f"{A} started while completed"),
        (script().started(A).ended(A, "completed").ended(A, "failed"), 4, f"{A} ended twice"),
        (script().started(A).ended(A, "failed").ended(A, "launch_failure"), 4, f"{A} ended twice"),
        (script().started(A).ended(A, "completed", 2), 3, f"{A} ended try 2 while try 1 runs"),
        (script().started(A).ended(A, "exploded"), 3, "unknown result 'exploded'"),
        (script().started(A).ended(A, "completed", exit_code="0"), 3, "exit_code is not a whole number"),
        (script().started(A).ended(A, "completed", t=1.0), 3, f"{A} ended before it started"),
        (script().started(A, hosts=[1]), 2, "hosts is not a list of names"),
        (Script().started(A), 1, "step_started before runner_started"),
        (good().started(A, 2), 7, "step_started after runner_ended"),
    ],
)
def test_contradictions_are_named_and_left_out(lines: Script, line: int, why: str) -> None:
    report = read(lines.lines)
    assert whys(report) == [(line, why)]


def test_a_lost_start_never_becomes_a_success() -> None:
    lines = [line for line in good().lines if line.get("event") != "step_started"]
    report = read(lines)
    assert len(report.faults) == 2
    assert not succeeded(report, [GOOD_END])


@given(
    st.lists(st.sampled_from([*good().lines, {}, *script().started(B, 2).ended(B, "stopped", 2).lines]), max_size=14)
)
def test_any_order_of_lines_is_read(lines: list[dict[str, Any]]) -> None:
    report = read(lines)
    assert len(report.faults) <= len(lines)
    if succeeded(report, [GOOD_END]):
        assert (
            lines[-1 - len([f for f in report.faults if f.why.endswith("after runner_ended")])]["event"]
            == "runner_ended"
        )
    json.dumps(report.as_json(), allow_nan=False)


@given(st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.floats() | st.text()) | st.none()))
def test_hostile_lines_are_counted(lines: list[Any]) -> None:
    assert len(read(lines).faults) == len(lines)


def test_many_bad_lines_are_counted_but_not_kept() -> None:
    report = read([{}] * 100_000)
    assert len(report.faults) == MAX_FAULTS + 1
    assert whys(report)[-1] == (100_000, "the last of 99950 more that cannot be used: not an event line")


def test_texts_that_no_database_takes_are_shown_as_such() -> None:
    said = failure(last_lines=["a\0b\ud800", "x" * 9000, *["more"] * 60], reason="\0")
    report = read(script().started(A, hosts=["\ud800"]).over(False, said).lines)
    assert report.first_failure is not None
    assert len(report.first_failure.last_lines) == 50
    assert report.first_failure.reason == "\N{REPLACEMENT CHARACTER}"
    text = json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False)
    assert "\\u0000" not in text
    text.encode()


def test_refused_files_are_part_of_the_report() -> None:
    report = read_run([(A,)], {}, refused=["events.0.jsonl: a symbolic link"])
    assert report.distrusted == ("events.0.jsonl: a symbolic link",)
    assert report.as_json()["refused"] == ["events.0.jsonl: a symbolic link"]
    assert not succeeded(report, [GOOD_END])
