"""Every disagreement between portal, Slurm and accounting is found, and what agrees is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from portal.domain.findings import Code, Finding, seen_twice, words_of
from portal.domain.lifecycle import State
from portal.domain.reconcile import JobFacts, compare_jobs, running_without_job
from portal.domain.reconcile_store import LogFacts, ModelFacts, compare_logs, compare_models, models_missing
from slurm.records import AccountingRow, JobRecord

PLACE = ("one-normal", 400_000_000, False)


def job(job_id: int = 10, leader: int = 10, **more: Any) -> JobRecord:
    """A component that waits; of a hetjob unless it is alone."""
    values: dict[str, Any] = {
        "job_id": job_id, "leader_id": leader, "het_offset": job_id - leader, "name": "one-a", "user": "kim",
        "account": "lab", "partition": "a100", "qos": PLACE[0], "nice": PLACE[1], "priority": 1, "state": "PENDING",
        "flags": frozenset(), "reason": "Priority", "comment": "one:W-AAAAAA:a1:j0:00", "held": False, "submitted_at": 1,
        "eligible_at": 1, "started_at": None, "estimated_start": None, "ended_at": None, "time_limit_min": 5, "nodes": (),
        "node_count": 1, "cpus": 1, "memory_mib": 1, "gres": {}, "dependency": "", "exit_code": None, "signal": None,
    }  # fmt: skip
    return JobRecord(**(values | more))


def row(job_id: int = 10, leader: int = 10, state: str = "COMPLETED", name: str = "one-a") -> AccountingRow:
    """An accounting row."""
    return AccountingRow(
        job_id, leader, job_id - leader, name, "kim", "lab", "one-normal", "", state, 0, None, "", 1, 1, 2, 1, {}, ()
    )


WAITS = JobFacts("W-AAAAAA", State.QUEUED, "one-a", "submitted", 10, "PENDING", PLACE)
RUNS = replace(WAITS, state=State.RUNNING, seen="RUNNING", place=None)
ENDED = replace(WAITS, state=State.COMPLETED, status="ended", seen="COMPLETED", place=None, over=True)
INTENT = replace(WAITS, status="intent", leader_id=None, seen="")


def codes(*findings: Finding) -> list[Code]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("fact", "jobs", "rows"),
    [
        (WAITS, [job(), job(11)], []),
        (replace(WAITS, seen=""), [job()], []),
        (replace(WAITS, place=None), [job(nice=1)], []),
        (RUNS, [job(state="RUNNING"), job(11, state="RUNNING")], []),
        (RUNS, [job(state="RUNNING"), job(11, state="CANCELLED")], []),  # given back
        (ENDED, [], [row(), row(11, state="CANCELLED")]),
        (ENDED, [job(state="COMPLETED")], None),
        (INTENT, [], []),
        (replace(INTENT, status="never_submitted", over=True), [], []),
    ],
)
def test_agreement(fact: JobFacts, jobs: list[JobRecord], rows: list[AccountingRow] | None) -> None:
    assert compare_jobs([fact], jobs, rows) == ()


@pytest.mark.parametrize(
    ("fact", "jobs", "rows", "code"),
    [
        (WAITS, [job(), job(11, nice=5)], [], Code.WRONG_PLACE),
        (WAITS, [job(held=True)], [], Code.WRONG_PLACE),
        (WAITS, [job(state="RUNNING")], [], Code.STATE_DIFFERS),
        (WAITS, [], [], Code.LOST_JOB),
        (RUNS, [job(name="one-of-another-cluster", comment="")], [], Code.LOST_JOB),
        (RUNS, [], [row()], Code.END_NOT_NOTICED),
        (RUNS, [job(state="COMPLETED")], [row(state="RUNNING")], Code.GHOST_JOB),
        (replace(RUNS, state=State.FAILED), [job(state="RUNNING")], [], Code.LIVE_AFTER_END),
        (replace(RUNS, over=True), [job(state="RUNNING")], [], Code.LIVE_AFTER_END),
        (ENDED, [job(state="RUNNING")], [], Code.LIVE_AFTER_END),
        (ENDED, [], [row(state="FAILED")], Code.STATE_DIFFERS),
        (ENDED, [], [], Code.LOST_JOB),
        (replace(INTENT, state=State.CANCELLED), [], [], Code.INTENT_LEFT),
        (replace(INTENT, over=True), [], [], Code.INTENT_LEFT),
        (replace(INTENT, age_s=301), [], [], Code.INTENT_LEFT),
        (replace(INTENT, status="never_submitted"), [job()], [], Code.LIVE_AFTER_END),
        (replace(INTENT, status="mismatch"), [], [], Code.SECOND_JOB),
        (replace(ENDED, leader_id=9), [job()], [row(9, 9)], Code.SECOND_JOB),
    ],
)
def test_disagreement(fact: JobFacts, jobs: list[JobRecord], rows: list[AccountingRow], code: Code) -> None:
    (finding,) = compare_jobs([fact], jobs, rows)
    assert finding.code is code
    assert finding.about == "W-AAAAAA"


def test_accounting_that_does_not_answer_tells_nothing() -> None:
    assert compare_jobs([RUNS, ENDED], [], None) == ()


def test_a_portal_job_without_a_row() -> None:
    (finding,) = compare_jobs([], [job(), job(11), job(20, 20, comment="", name="x")], [])
    assert (finding.code, finding.id) == (Code.JOB_WITHOUT_ROW, "10")


@pytest.mark.parametrize(
    "jobs", [[job(state="COMPLETED"), job(11)], [job(state="CANCELLED"), job(11, state="RUNNING")], [job(11)]]
)
def test_a_headless_component(jobs: list[JobRecord]) -> None:
    found = [one for one in compare_jobs([replace(ENDED, leader_id=None)], jobs, None) if one.code is Code.HEADLESS]
    (finding,) = found
    assert (finding.id, finding.about) == ("10+1", "W-AAAAAA")
    assert "scancel 10 " in words_of(finding, "en")[1], "only the dead leader's id removes it"


def test_anybodys_headless_component_holds_others_back() -> None:
    others = [job(10, state="CANCELLED", comment="", name="x"), job(11, comment="", name="x")]
    assert codes(*compare_jobs([], others, [])) == [Code.HEADLESS]


def test_running_without_a_job() -> None:
    lost = {"W-AAAAAA": State.RUNNING, "W-BBBBBB": State.RUNNING, "W-CCCCCC": State.QUEUED}
    (finding,) = running_without_job(lost, [RUNS])
    assert finding.id == "W-BBBBBB"
    assert codes(*running_without_job({"W-AAAAAA": State.RUNNING}, [replace(RUNS, over=True)])) == [
        Code.RUNNING_WITHOUT_JOB
    ]


# --- models and logs -------------------------------------------------------------------------------------------------------

MANIFEST = {"files": [{"path": "p.safetensors", "size": 7, "sha256": "ab"}]}
MODEL = ModelFacts("APP-A v1", "W-AAAAAA", State.COMPLETED, True, "APP-A/v1/", MANIFEST)
OBJECTS = {"APP-A/v1/manifest.json": 90, "APP-A/v1/files/p.safetensors": 7}
FILE = "APP-A/v1/files/p.safetensors"


def test_a_model_that_is_as_it_was_stored() -> None:
    assert compare_models([MODEL], OBJECTS, {"APP-A/v1/": MANIFEST}, {FILE: "ab"}) == ()
    saving = replace(MODEL, stored=False, manifest=None, workload_state=State.SAVING)
    assert compare_models([saving], OBJECTS, {}, {}) == ()


@pytest.mark.parametrize(
    ("model", "objects", "manifests", "hashes", "code"),
    [
        (MODEL, OBJECTS, {}, {}, Code.MANIFEST_MISSING),
        (MODEL, OBJECTS, {"APP-A/v1/": {"files": []}}, {}, Code.MANIFEST_DIFFERS),
        (MODEL, {"APP-A/v1/manifest.json": 90}, {"APP-A/v1/": MANIFEST}, {}, Code.OBJECT_MISSING),
        (MODEL, OBJECTS | {FILE: 8}, {"APP-A/v1/": MANIFEST}, {}, Code.OBJECT_DIFFERS),
        (MODEL, OBJECTS, {"APP-A/v1/": MANIFEST}, {FILE: "cd"}, Code.OBJECT_DIFFERS),
        (MODEL, OBJECTS | {"APP-B/v1/files/x": 1}, {"APP-A/v1/": MANIFEST}, {}, Code.OBJECT_WITHOUT_ROW),
        (replace(MODEL, stored=False), OBJECTS, {}, {}, Code.MODEL_UNFINISHED),
    ],
)
def test_a_model_that_is_not(
    model: ModelFacts, objects: dict[str, int], manifests: dict[str, Any], hashes: dict[str, str], code: Code
) -> None:
    assert codes(*compare_models([model], objects, manifests, hashes)) == [code]


def test_a_model_that_was_written_and_never_stored() -> None:
    (finding,) = models_missing({"W-AAAAAA": 1, "W-BBBBBB": 2, "W-CCCCCC": 0}, [MODEL])
    assert (finding.code, finding.id) == (Code.MODEL_MISSING, "W-BBBBBB")


def test_logs() -> None:
    saved = LogFacts("W-AAAAAA", 1, True, True, 100, 3)
    late = replace(saved, saved=False, objects=0)
    assert compare_logs([saved, replace(saved, began=False, objects=0), replace(late, ended_s=5)]) == ()
    assert codes(*compare_logs([replace(saved, objects=0), late])) == [Code.LOGS_MISSING, Code.LOGS_NOT_SAVED]


# --- findings --------------------------------------------------------------------------------------------------------------


def test_what_only_one_look_saw_is_no_disagreement() -> None:
    first = Finding(Code.STATE_DIFFERS, "job", "10", "PENDING", "RUNNING")
    moved = replace(first, portal="RUNNING", other="COMPLETED")
    passing = Finding(Code.HEADLESS, "job", "12+1")
    assert seen_twice([first, passing], [moved]) == (moved,)
    assert seen_twice([], [moved]) == ()


@pytest.mark.parametrize("code", Code)
def test_every_finding_has_words_and_a_cure_in_both_languages(code: Code) -> None:
    finding = Finding(code, "job", "10+1", about="W-AAAAAA")
    for language in ("ko", "en"):
        says, cure = words_of(finding, language)
        assert says
        assert cure
        assert "{" not in says + cure
    assert Finding.from_json(finding.as_json()) == finding
