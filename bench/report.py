"""python -m bench.report [GRAPHS.jsonl INVENTORY.json]: the planner's figures beside those of one group a component."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any

from bench.cases import DATA, Case, case_of, inventory_of
from bench.plan import run_case
from bench.simulate import unlimited_makespan
from bench.validate import problems
from slurm.inventory import NodeClass
from slurm.plan import Form

RUNS: tuple[tuple[str, Form, bool], ...] = (
    ("together", "together", False),
    ("together, history", "together", True),
    ("staged", "staged", False),
    ("staged, history", "staged", True),
    ("auto", "auto", False),
    ("auto, history", "auto", True),
)
HEADER = "form                  processes   tasks  groups  jobs  makespan  (most)  plan s  (most)  wrong"


@dataclass(frozen=True)
class Row:
    """One graph under one form: held over used GPU time, makespan over unlimited, groups, jobs, planning and simulation time."""

    name: str
    held_over_used: float
    makespan: float
    groups: int
    jobs: int
    seconds: float
    wrong: int


def main(argv: Sequence[str] | None = None) -> None:
    """Print one line a form."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("graphs", type=Path, nargs="?", default=DATA / "graphs.jsonl")
    parser.add_argument("inventory", type=Path, nargs="?", default=DATA / "inventory.json")
    arguments = parser.parse_args(argv)
    raw_inventory = json.loads(arguments.inventory.read_text(encoding="utf-8"))
    raw_graphs = [
        json.loads(line) for line in arguments.graphs.read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    inventory = inventory_of(raw_inventory)
    print(HEADER)
    print(_line("one group a component", [_baseline(case_of(raw)) for raw in raw_graphs if _possible(raw, inventory)]))
    for label, form, history in RUNS:
        print(_line(label, list(_rows(raw_graphs, raw_inventory, inventory, form, history=history))), flush=True)


def _rows(
    raw_graphs: Sequence[Any],
    raw_inventory: Sequence[Any],
    inventory: Sequence[NodeClass],
    form: Form,
    *,
    history: bool,
) -> Iterator[Row]:
    for raw in raw_graphs:
        case = case_of(raw)
        began = time.process_time()
        answer = run_case(case, inventory, form, history=history)
        seconds = time.process_time() - began
        wrong = len(problems(raw, raw_inventory, json.loads(json.dumps(answer))))
        if answer["jobs"]:
            yield Row(
                case.name,
                answer["held_gpu_s"] / answer["used_gpu_s"] if answer["used_gpu_s"] else 1.0,
                answer["makespan_s"] / answer["unlimited_makespan_s"],
                sum(len(job["groups"]) for job in answer["jobs"]),
                len(answer["jobs"]),
                seconds,
                wrong,
            )


def _baseline(case: Case) -> Row:
    """One het group a component, all held from the first start to the last end: what a user would write by hand."""
    makespan = unlimited_makespan(case.graph, case.runtimes_s)
    held = sum(step.gpus * step.nodes for step in case.graph.steps) * makespan
    used = sum(s.gpus * s.nodes * runtime for s, runtime in zip(case.graph.steps, case.runtimes_s, strict=True))
    return Row(case.name, held / used if used else 1.0, 1.0, len(case.graph.steps), 1, 0.0, 0)


def _possible(raw: Any, inventory: Sequence[NodeClass]) -> bool:
    return not run_case(case_of(raw), inventory, "together", history=False)["infeasible"]


def _line(label: str, rows: Sequence[Row]) -> str:
    def mean(kind: str) -> str:
        values = [row.held_over_used for row in rows if row.name.endswith(kind)]
        return f"{_geometric_mean(values):.2f}" if values else "-"

    return (
        f"{label:21} {mean('processes'):>9} {mean('tasks'):>7} {sum(r.groups for r in rows):7} {sum(r.jobs for r in rows):5} "
        f"{_geometric_mean([r.makespan for r in rows]):9.3f} {max(r.makespan for r in rows):7.3f} "
        f"{sum(r.seconds for r in rows):7.2f} {max(r.seconds for r in rows):7.2f}  {sum(r.wrong for r in rows)}"
    )


def _geometric_mean(values: Sequence[float]) -> float:
    return exp(sum(log(value) for value in values) / len(values))


if __name__ == "__main__":
    main()
