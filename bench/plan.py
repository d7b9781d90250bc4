"""python -m bench.plan GRAPHS.jsonl INVENTORY.json --form together|staged|auto [--history]: one JSON line a graph."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cases import Case, read_cases, read_inventory
from bench.simulate import Run, simulate, unlimited_makespan
from slurm.errors import PlanError
from slurm.inventory import NodeClass
from slurm.plan import Form, Plan, make_plan


def main(argv: Sequence[str] | None = None) -> None:
    """Plan and simulate every graph of a file."""
    parser = argparse.ArgumentParser(prog="python -m bench.plan", description=__doc__)
    parser.add_argument("graphs", type=Path)
    parser.add_argument("inventory", type=Path)
    parser.add_argument("--form", choices=("together", "staged", "auto"), default="auto")
    parser.add_argument(
        "--history", action="store_true", help="the planner sees the runtimes as medians of earlier runs"
    )
    arguments = parser.parse_args(argv)
    inventory = read_inventory(arguments.inventory)
    for case in read_cases(arguments.graphs):
        print(json.dumps(run_case(case, inventory, arguments.form, history=arguments.history)), flush=True)


def run_case(case: Case, inventory: Sequence[NodeClass], form: Form, *, history: bool) -> dict[str, Any]:
    """Plan one graph, then run the plan with the true runtimes. The planner sees those only with `history`."""
    names = [step.id for step in case.graph.steps]
    expected = dict(zip(names, case.runtimes_s, strict=True)) if history else None
    try:
        plan = make_plan(case.graph, inventory, form=form, expected_s=expected)
    except PlanError as error:
        return _refused(case, form, error)
    run = simulate(case.graph, plan, case.runtimes_s)
    return _answer(case, plan, run)


def _refused(case: Case, form: Form, error: PlanError) -> dict[str, Any]:
    ids = {step.id: step_id for step, step_id in zip(case.graph.steps, case.ids, strict=True)}
    why = [{"step": ids.get(problem.step, problem.step), "why": problem.message_en} for problem in error.problems]
    unlimited = unlimited_makespan(case.graph, case.runtimes_s)
    return {
        "name": case.name,
        "infeasible": why,
        "form": form,
        "jobs": [],
        "start_s": {},
        "held_gpu_s": 0.0,
        "used_gpu_s": 0.0,
        "makespan_s": 0.0,
        "unlimited_makespan_s": unlimited,
    }


def _answer(case: Case, plan: Plan, run: Run) -> dict[str, Any]:
    ids = {step.id: step_id for step, step_id in zip(case.graph.steps, case.ids, strict=True)}
    held = sum(
        group.gpus * group.nodes * (run.held_until[j][k] - run.job_starts[j])
        for j, job in enumerate(plan.jobs)
        for k, group in enumerate(job.groups)
    )
    used = sum(step.gpus * step.nodes * (run.ends[step.id] - run.starts[step.id]) for step in case.graph.steps)
    return {
        "name": case.name,
        "infeasible": [],
        "form": plan.form,
        "jobs": [
            {
                "groups": [
                    {
                        "gpu_type": group.gpu_type,
                        "gpus": group.gpus,
                        "cpus": group.cpus,
                        "memory_mib": group.memory_mib,
                        "nodes": group.nodes,
                        "steps": [ids[name] for name in group.steps],
                        "released_after": [ids[name] for name in group.released_after],
                    }
                    for group in job.groups
                ],
                "after_jobs": list(job.after_jobs),
            }
            for job in plan.jobs
        ],
        "start_s": {str(ids[name]): start for name, start in run.starts.items()},
        "held_gpu_s": held,
        "used_gpu_s": used,
        "makespan_s": run.makespan,
        "unlimited_makespan_s": unlimited_makespan(case.graph, case.runtimes_s),
    }


if __name__ == "__main__":
    main()
