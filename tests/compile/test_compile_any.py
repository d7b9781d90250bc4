"""Any valid spec compiles into jobs that lose no step, no edge and no resource, or is refused by name."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from portal.compile import CompiledRun, compile_run, step_graph
from portal.spec.graph import components_of
from portal.spec.models import AppSpec
from slurm.errors import PlanError
from tests.compile.conftest import LAB, SITE, images_of, pinned, request_for
from tests.spec.build import app, component, task

RESOURCES = st.one_of(
    st.fixed_dictionaries({"memory": st.sampled_from(["1GB", "100GB"]), "cpus": st.sampled_from([1, 16])}),
    st.fixed_dictionaries(
        {
            "memory": st.sampled_from(["1GB", "100GB"]),
            "gpu_type": st.sampled_from(["A100", "V100"]),
            "gpu_count": st.sampled_from([1, 4, 8]),
        }
    ),
    st.fixed_dictionaries(
        {"memory": st.just("1GB"), "gpu_type": st.just("V100"), "gpu_shards": st.sampled_from([1, 4])}
    ),
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """An App of one to three Tasks; edges go forward only, some of them "started"."""
    tasks = []
    for number in range(draw(st.integers(1, 3))):
        nodes = [f"N{index}" for index in range(draw(st.integers(1, 4)))]
        edges = [
            (before, after, draw(st.sampled_from(["finished", "started"])))
            for index, before in enumerate(nodes)
            for after in nodes[index + 1 :]
            if draw(st.booleans())
        ]
        parts = [component(node, resources=draw(RESOURCES)) for node in nodes]
        tasks.append(task(f"T{number}", parts, edges))
    return app(*tasks, execution=draw(st.sampled_from(["sequential", "parallel"])))


@given(documents(), st.sampled_from(["auto", "together", "staged"]))
@settings(max_examples=30, deadline=None)
def test_nothing_is_lost(document: dict[str, Any], form: str) -> None:
    spec = pinned(document)
    try:
        run = compile_run(request_for(spec, form=form), LAB, images_of(spec), SITE)
    except PlanError:
        event("refused")
        return
    event(f"{len(run.jobs)} jobs")
    check_steps(spec, run)
    check_edges(spec, run)
    for job in run.jobs:
        parts = zip(job.submission.components, job.runner_job.groups, strict=True)
        extra = [part.memory_mib - group.memory_mib for part, group in parts]
        assert extra == [512, *[0] * (len(extra) - 1)]


def check_steps(spec: AppSpec, run: CompiledRun) -> None:
    """Every component is one step of one job, in a group with its GPU type and room for it (RunnerJob checks the room)."""
    names = [f"{part.task_id}/{one.id}" for _, part, one in components_of(spec)]
    steps = [step for job in run.jobs for step in job.runner_job.steps]
    assert sorted(step.id for step in steps) == sorted(names)
    gres = {"A100": "A100", "V100": "tesla_v100", None: None}
    wanted = {step.id: gres[step.gpu_type] for step in step_graph(spec, SITE.cpus).steps}
    assert {step.id: step.gres_type for step in steps} == wanted


def check_edges(spec: AppSpec, run: CompiledRun) -> None:
    """Every edge is the runner's where both ends are in one job, else Slurm's: the later job waits for the earlier one."""
    job_of = {step.id: job.index for job in run.jobs for step in job.runner_job.steps}
    after = {
        step.id: {(edge.step, edge.when) for edge in step.after} for job in run.jobs for step in job.runner_job.steps
    }
    before_job: dict[int, set[int]] = {}
    for job in run.jobs:
        direct = set(job.after_jobs)
        before_job[job.index] = direct.union(*(before_job[index] for index in direct))
    for edge in step_graph(spec, SITE.cpus).edges:
        if job_of[edge.before] == job_of[edge.after]:
            assert (edge.before, edge.when) in after[edge.after]
        else:
            assert edge.when == "finished"
            assert job_of[edge.before] in before_job[job_of[edge.after]]
