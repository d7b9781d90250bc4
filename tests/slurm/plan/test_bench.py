"""The benchmark's own tools: exactly the fields asked for, a validator that sees every kind of fault, and the figures reached."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import pytest

from bench import plan as bench_plan
from bench import report
from bench.cases import DATA, case_of, inventory_of
from bench.plan import run_case
from bench.validate import problems
from slurm.plan import Form

pytestmark = pytest.mark.whole

INVENTORY = json.loads((DATA / "inventory.json").read_text(encoding="utf-8"))
GRAPHS = [json.loads(line) for line in (DATA / "graphs.jsonl").read_text(encoding="utf-8").splitlines()]
SMALL = next(graph for graph in GRAPHS if graph["name"] == "methylseq/processes")


def test_one_line_a_graph_with_exactly_the_fields_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graphs = tmp_path / "graphs.jsonl"
    named = copy.deepcopy(SMALL)
    for step in named["steps"]:
        step["id"] = f"s {step['id']}"
    named["after"] = [[f"s {a}", f"s {b}"] for a, b in SMALL["after"]]
    graphs.write_text(f"{json.dumps(SMALL)}\n{json.dumps(named)}\n", encoding="utf-8")
    bench_plan.main([str(graphs), str(DATA / "inventory.json"), "--form", "staged", "--history"])
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert list(first) == [
        "name", "infeasible", "form", "jobs", "start_s", "held_gpu_s", "used_gpu_s", "makespan_s", "unlimited_makespan_s",
    ]  # fmt: skip
    assert list(first["jobs"][0]) == ["groups", "after_jobs"]
    assert list(first["jobs"][0]["groups"][0]) == [
        "gpu_type", "gpus", "cpus", "memory_mib", "nodes", "steps", "released_after",
    ]  # fmt: skip
    planned = {step for job in second["jobs"] for group in job["groups"] for step in group["steps"]}
    assert planned == {step["id"] for step in named["steps"]}
    assert problems(SMALL, INVENTORY, first) == problems(named, INVENTORY, second) == []


def _break_capacity(answer: Any) -> None:
    group = max((group for job in answer["jobs"] for group in job["groups"]), key=lambda group: len(group["steps"]))
    group["cpus"] = 1


def _break_order(answer: Any) -> None:
    answer["start_s"] = dict.fromkeys(answer["start_s"], 0.0)


def _break_sum(answer: Any) -> None:
    answer["held_gpu_s"] *= 0.9


def _break_release(answer: Any) -> None:
    group = max((g for job in answer["jobs"] for g in job["groups"][1:]), key=lambda g: len(g["steps"]))
    group["released_after"] = group["steps"][:1]


def _break_membership(answer: Any) -> None:
    answer["jobs"][0]["groups"][0]["steps"].pop()


def _break_hosting(answer: Any) -> None:
    answer["jobs"][0]["groups"][0] |= {"gpu_type": "A10", "gpus": 2}


def _break_silence(answer: Any) -> None:
    answer["infeasible"] = [{"step": 1, "why": "no"}]


FAULTS = [_break_capacity, _break_order, _break_sum, _break_release, _break_membership, _break_hosting, _break_silence]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_validator_sees(fault: Callable[[Any], None]) -> None:
    answer = json.loads(json.dumps(run_case(case_of(SMALL), inventory_of(INVENTORY), "together", history=False)))
    assert problems(SMALL, INVENTORY, answer) == []
    broken = copy.deepcopy(answer)
    fault(broken)
    assert problems(SMALL, INVENTORY, broken) != []


def test_the_validator_sees_jobs_that_wait_for_too_little() -> None:
    answer = json.loads(json.dumps(run_case(case_of(SMALL), inventory_of(INVENTORY), "staged", history=False)))
    assert any(job["after_jobs"] for job in answer["jobs"])
    for job in answer["jobs"]:
        job["after_jobs"] = []
    assert any("does not wait" in problem for problem in problems(SMALL, INVENTORY, answer))


@pytest.mark.parametrize(
    ("form", "history", "processes", "tasks"),
    [("together", False, 4.2, 4.2), ("together", True, 3.4, 2.6), ("staged", False, 1.5, 1.5)],
)
def test_the_figures_asked_for_are_reached(form: Form, history: bool, processes: float, tasks: float) -> None:
    answers = [run_case(case_of(graph), inventory_of(INVENTORY), form, history=history) for graph in GRAPHS]
    planned = [answer for answer in answers if answer["jobs"]]
    assert len(planned) == len(GRAPHS) - 1

    def mean(kind: str) -> float:
        return geometric_mean(a["held_gpu_s"] / a["used_gpu_s"] for a in planned if a["name"].endswith(kind))

    assert mean("/processes") <= processes
    assert mean("/tasks") <= tasks
    if form == "staged":
        assert sum(len(a["jobs"]) for a in planned) <= sum(len(a["start_s"]) for a in planned) / 3
    limit = 1.2 if form == "staged" else 1.0 if history else 1.15
    assert all(a["makespan_s"] <= limit * a["unlimited_makespan_s"] * (1 + 1e-9) for a in planned)


def test_the_report_prints_one_line_a_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graphs = tmp_path / "graphs.jsonl"
    graphs.write_text(json.dumps(SMALL) + "\n", encoding="utf-8")
    report.main([str(graphs), str(DATA / "inventory.json")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == report.HEADER
    assert [line[:21].strip() for line in lines[1:]] == [
        "one group a component",
        *(label for label, _, _ in report.RUNS),
    ]
    assert all(line.rsplit(maxsplit=1)[-1] == "0" for line in lines[1:]), "a plan is wrong"
