"""The report on a run that has ended: measured once from its samples, kept with the attempt, read with sacct's figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portal.compile import CpuPolicy, reduced, step_graph, test_run_of
from portal.db.models import Attempt, Workload
from portal.domain.efficiency import Asked, Report, as_json, note, report_of, used_of
from portal.rundir import RunDir
from portal.services import usage
from portal.services.planning import plan_of
from portal.spec.load import load_resolved

TEST = "test"


def measure(folder: RunDir, workload: Workload, attempt: Attempt, cpus: CpuPolicy) -> dict[str, Any]:
    """Step id -> what it asked for and used, for every step that began; blocking."""
    asked = _asked(workload, cpus)
    return {
        step: as_json(asked[step], used_of(meters))
        for step, meters in usage.whole_run(folder, workload, attempt).items()
        if step in asked
    }


def _asked(workload: Workload, cpus: CpuPolicy) -> Mapping[str, Asked]:
    """As it ran: a test with its own sizes."""
    spec = load_resolved(workload.resolved or workload.spec)
    if workload.kind == TEST:
        spec = reduced(spec, test_run_of(workload.options))
    return {
        step.id: Asked(step.nodes, step.cpus, step.memory_mib, step.gpus, step.shards)
        for step in step_graph(spec, cpus).steps
    }


def reports(attempt: Attempt) -> tuple[Report, ...]:
    """One a step that began, by their ids; () before the run was measured."""
    sacct = dict(_max_rss(attempt))
    return tuple(report_of(step, kept, sacct.get(step)) for step, kept in sorted((attempt.usage or {}).items()))


def _max_rss(attempt: Attempt) -> Iterator[tuple[str, int]]:
    """Step id -> sacct's MaxRSS in MiB; of a step that ran several times the largest."""
    found: dict[str, int] = {}
    for job in attempt.jobs:
        for row in (job.accounting or {}).get("rows", ()):
            for step in row.get("steps", ()):
                if step.get("max_rss_mib") is not None:
                    found[step["name"]] = max(found.get(step["name"], 0), step["max_rss_mib"])
    yield from found.items()


def peaks(workload: Workload) -> dict[str, float]:
    """Step id -> peak memory in MiB of the last attempt, where it is known."""
    if not workload.attempts:
        return {}
    found = {report.step: report.peak_memory_mib for report in reports(workload.attempts[-1])}
    return {step: peak for step, peak in found.items() if peak is not None}


def notes(workload: Workload, attempt: Attempt) -> dict[int, str]:
    """Component id -> what sacct is to show of it: the steps of its het group; those that never began say nothing."""
    measured = {report.step: report for report in reports(attempt)}
    plan = plan_of(attempt.plan)
    found: dict[int, str] = {}
    for job in attempt.jobs:
        for component, group in zip(job.component_ids, plan.jobs[job.job_index].groups, strict=False):
            ran = [measured[step] for step in group.steps if step in measured]
            if ran:
                found[component] = note(workload.id, ran)
    return found
