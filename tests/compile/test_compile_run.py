"""From a resolved spec to what Slurm and the runner get."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from containers.image import ImageConfig
from portal.compile import (
    CompiledRun,
    ImageMissing,
    ImageUnusable,
    JobMark,
    RunnableImage,
    ScriptTooLarge,
    SharePolicy,
    TestRun,
    compile_run,
    dependency,
    for_hand_over,
    shards_per_gpu,
)
from portal.domain.approval import StepSize
from portal.domain.priority import Place
from portal.spec.models import AppSpec
from slurm.errors import PlanError
from slurm.inventory import NodeClass
from slurm.plan import Plan, make_plan
from slurm.runnerjob import After, RunnerStep
from slurm.script import batch_script
from tests.compile.conftest import LAB, SITE, images_of, pinned, request_for
from tests.hostile import HOSTILE
from tests.spec.build import app, component, task

GOLDEN = Path(__file__).parent / "golden" / "example.json"
MARK = JobMark("APP-A1B2C3", "W-ABC234", 1, 0, "0123456789abcdef")


def compiled(spec: AppSpec, inventory: tuple[NodeClass, ...] = LAB, **fields: Any) -> CompiledRun:
    return compile_run(request_for(spec, **fields), inventory, images_of(spec), SITE)


def a100(count: int, **fields: Any) -> dict[str, Any]:
    return {"gpu_type": "A100", "gpu_count": count, "memory": "1GB", **fields}


def as_document(run: CompiledRun) -> dict[str, Any]:
    jobs = []
    for job in run.jobs:
        submission = asdict(for_hand_over(job.submission, MARK))
        del submission["script"]
        jobs.append(
            {"runner_job": json.loads(job.runner_job.to_json()), "submission": submission, "after": job.after_jobs}
        )
    plan = {name: value for name, value in asdict(run.plan).items() if not name.startswith("reason")}
    document: dict[str, Any] = json.loads(json.dumps({"run_dir": run.run_dir, "plan": plan, "jobs": jobs}))
    return document


def test_the_example_on_the_lab_is_the_golden_file(example: AppSpec) -> None:
    """Look at every line of a difference: it is what researchers' jobs get. `python -m tests.compile.golden` writes it."""
    assert as_document(compiled(example)) == json.loads(GOLDEN.read_text("utf-8"))


def test_the_example_is_one_hetjob_of_two_groups(example: AppSpec) -> None:
    run = compiled(example)
    assert len(run.jobs) == 1
    assert [part.gres for part in run.jobs[0].submission.components] == ["gpu:tesla_v100:1", "gpu:A100:4"]
    assert [part.partition for part in run.jobs[0].submission.components] == ["v100", "a100"]
    assert run.plan.expected_held_over_used == pytest.approx(2.1)


def test_the_script_is_the_runner_jobs(example: AppSpec) -> None:
    (job,) = compiled(example).jobs
    assert job.script == job.submission.script == batch_script(job.runner_job)


def test_the_runner_has_its_memory_in_group_0_only(example: AppSpec) -> None:
    (job,) = compiled(example).jobs
    parts = zip(job.submission.components, job.runner_job.groups, strict=True)
    assert [part.memory_mib - group.memory_mib for part, group in parts] == [512, 0]


def test_training_defaults_are_written_out_for_the_container() -> None:
    spec = pinned(app(task("T", ["A"]), training_config={"episodes": 7}))
    job = compiled(spec).jobs[0].runner_job
    assert job.config["training"]["gamma"] == 0.99
    assert job.env == {"ONE_EPISODES": "7"}


def test_a_general_run_has_no_episodes() -> None:
    job = compiled(pinned(app(task("T", ["A"]), env_vars={"X": "1"}))).jobs[0].runner_job
    assert (job.config["training"], job.env) == (None, {"X": "1"})


def test_all_gpus_is_not_passed_on_as_a_word(example: AppSpec) -> None:
    assert compiled(example).jobs[0].runner_job.env == {"NCCL_DEBUG": "INFO", "ONE_EPISODES": "1000"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_arrive_as_they_were_typed(text: str) -> None:
    part = component("A", params={"x": text, "n": {"y": [text]}}, args=[text], command=["/bin/x", text])
    job = compiled(pinned(app(task("T", [part]), env_vars={"X": text}))).jobs[0]
    step = json.loads(job.runner_job.to_json())["steps"][0]
    assert step["container"]["command"][1:] == ["/bin/x", text, text]
    assert step["params"] == {"x": text, "n": {"y": [text]}}
    assert step["env"]["ONE_PARAM_X"] == text
    assert json.loads(step["env"]["ONE_PARAM_N"]) == {"y": [text]}
    assert job.runner_job.env["X"] == text
    compile(job.script, "batch script", "exec")


def test_no_value_of_a_spec_reaches_slurms_options() -> None:
    spec = pinned(app(task("T", [component("A", params={"x": "$(id)"})]), name="$(id)", env_vars={"X": "$(id)"}))
    submission = for_hand_over(compiled(spec).jobs[0].submission, MARK)
    assert "$(id)" not in repr(submission.components)
    assert submission.environment == ("PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8")


def test_services_start_together_and_end_last() -> None:
    service = component("SIM", service=True, ready={"port": "auto", "timeout_s": 30}, resources=a100(1))
    watched = component("W", ready={"file": "up"})
    edges = [("SIM", "A", "started"), ("W", "A", "started")]
    job = compiled(pinned(app(task("T", [service, watched, "A"], edges)))).jobs[0].runner_job
    steps = {step.node_id: step for step in job.steps}
    assert {(after.step, after.when) for after in steps["A"].after} == {("T/SIM", "started"), ("T/W", "started")}
    assert steps["SIM"].service
    assert steps["SIM"].ready is not None
    assert (steps["SIM"].ready.port, steps["SIM"].ready_timeout_s) == ("auto", 30)
    assert steps["W"].ready is not None
    assert steps["W"].ready.file == "/one/out/up"
    assert {given.at for given in steps["A"].inputs} == {"SIM", "W"}


def test_shares_retries_nodes_and_limits() -> None:
    part = component("A", retries=2, resources=a100(1, nodes=2, cpus=3, time_limit="10m"))
    share = component("B", resources={"gpu_type": "V100", "gpu_shards": 2, "memory": "1GB"})
    run = compiled(pinned(app(task("T", [part, share], [("A", "B")]))))
    steps = {step.node_id: step for job in run.jobs for step in job.runner_job.steps}
    assert (steps["A"].nodes, steps["A"].cpus, steps["A"].retries, steps["A"].time_limit_s) == (2, 3, 2, 600)
    assert (steps["B"].shards, steps["B"].gpus, steps["B"].cpus) == (2, 0, 2)
    assert "--nv" in steps["B"].container.options
    gres = {part.gres for job in run.jobs for part in job.submission.components}
    assert gres == {"gpu:A100:1", "shard:2"}


def test_a_step_without_gpu_names_no_gres() -> None:
    spec = pinned(app(task("T", ["A", component("B", resources=a100(1))], [("A", "B")])))
    steps = {step.node_id: step for step in compiled(spec).jobs[0].runner_job.steps}
    assert (steps["A"].gres_type, steps["A"].gpus) == (None, 0)
    assert "--nv" not in steps["A"].container.options


def test_storage_is_mounted_read_only_at_its_own_path(example: AppSpec) -> None:
    options = compiled(example).jobs[0].runner_job.steps[0].container.options
    path = "/training-data/rl-design-opt-v1"
    assert options[options.index("--mount") + 1] == f'"type=bind","src={path}","dst={path}","ro"'


def test_the_images_own_command_is_the_default() -> None:
    spec = pinned(app(task("T", ["A", component("B", args=["x"]), component("C", command=["/c"])])))
    commands = {step.node_id: step.container.command[1:] for step in compiled(spec).jobs[0].runner_job.steps}
    assert commands == {"A": ("/usr/bin/run", "--default"), "B": ("/usr/bin/run", "x"), "C": ("/c",)}


def test_the_plans_own_order_reaches_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group may be sized for a step that waits in its slack: the runner must know, or it delays the other one."""
    edges = [("A", "D"), ("B", "D"), ("C", "D")]
    spec = pinned(app(task("T", ["A", "B", "C", "D"], edges)))

    def with_waits(*args: Any, **kwargs: Any) -> Plan:
        plan = make_plan(*args, **kwargs)
        return replace(plan, jobs=(replace(plan.jobs[0], waits=(("T/A", "T/B"), ("T/A", "T/D"))),))

    monkeypatch.setattr("portal.compile.run.make_plan", with_waits)
    steps = {step.node_id: step for step in compiled(spec).jobs[0].runner_job.steps}
    assert steps["B"].after == (After("T/A", "begun"),)
    assert {after.when for after in steps["D"].after} == {"finished"}
    assert [given.step for given in steps["B"].inputs] == []


# Several jobs


def test_staged_jobs_know_their_predecessors(example: AppSpec) -> None:
    run = compiled(example, form="staged")
    assert len(run.jobs) > 1
    for job in run.jobs:
        own = {step.id for step in job.runner_job.steps}
        assert all(after.step in own for step in job.runner_job.steps for after in step.after)
        assert all(index < job.index for index in job.after_jobs)
    inputs = {step.id: [given.step for given in step.inputs] for job in run.jobs for step in job.runner_job.steps}
    assert inputs["TASK-002/CL-REF-010"] == ["TASK-001/CL-REF-004"]
    assert {step for job in run.jobs for step in (s.id for s in job.runner_job.steps)} == set(inputs)
    assert {job.runner_job.run_dir for job in run.jobs} == {"/shared/runs/kim/W-ABC234/a1"}


def test_every_component_carries_the_same_marks(example: AppSpec) -> None:
    submission = compiled(example).jobs[0].submission
    ready = for_hand_over(submission, MARK, predecessors=(120, 124), time_limit_min=90)
    for part in ready.components:
        assert part.name == "one-APP-A1B2C3-W-ABC234-a1-j0-0123456789abcdef"
        assert part.comment == "one:W-ABC234:a1:j0:0123456789abcdef"
        assert part.wckey == "one-app-a1b2c3"
        assert part.dependency == "afterok:120:124"
        assert part.time_limit_min == 90
    assert {part.time_limit_min for part in for_hand_over(submission, MARK).components} == {1440}
    assert dependency(()) == ""


def test_held_requests_are_submitted_held(example: AppSpec) -> None:
    assert all(part.hold for part in compiled(example, held=True).jobs[0].submission.components)
    assert not any(part.hold for part in compiled(example).jobs[0].submission.components)


# Tests and resumed runs


def test_a_test_is_smaller_and_says_so(example: AppSpec) -> None:
    sizes = {f"TASK-001/CL-REF-00{n}": StepSize(1, 0, 16_384) for n in (1, 2, 3, 4)}
    sizes["TASK-002/CL-REF-010"] = StepSize(1, 0, 8_192)
    test = TestRun(sizes, episodes=10, params={"TASK-001/CL-REF-002": {"episodes": 10}})
    run = compiled(example, test=test, place=Place("one-test", 1), time_limit_min=30)
    job = run.jobs[0]
    assert (job.runner_job.is_test, job.runner_job.iterations) == (True, 1)
    assert job.runner_job.env["ONE_EPISODES"] == "10"
    agent = next(step for step in job.runner_job.steps if step.node_id == "CL-REF-002")
    assert (agent.gpus, agent.memory_mib, agent.cpus) == (1, 16_384, 2)
    assert agent.params == {"lr": 0.001, "episodes": 10}
    assert job.runner_job.config["app"]["tasks"][0]["components"][1]["resources"]["gpu_count"] == 4
    assert {part.qos for part in job.submission.components} == {"one-test"}
    assert {part.gres for part in job.submission.components} == {"gpu:A100:1", "gpu:tesla_v100:1"}


def test_a_general_test_is_one_job_that_runs_the_graph_again(example: AppSpec) -> None:
    sizes = {step.id: StepSize(1, 0, 1024) for step in compiled(example).jobs[0].runner_job.steps}
    run = compiled(example, test=TestRun(sizes, iterations=5), form="staged")
    assert [job.runner_job.iterations for job in run.jobs] == [5]
    assert "ONE_EPISODES" not in run.jobs[0].runner_job.env


def test_resume(example: AppSpec) -> None:
    job = compiled(example, resume=True, attempt=2).jobs[0]
    assert job.runner_job.resume
    assert job.runner_job.run_dir.endswith("/W-ABC234/a2")
    assert job.runner_job.checkpoint_dir == "/shared/runs/kim/W-ABC234/checkpoint"
    assert job.submission.output == "/shared/runs/.out/W-ABC234-a2-j0.log"


# Refusals


def test_no_node_is_large_enough() -> None:
    with pytest.raises(PlanError) as caught:
        compiled(pinned(app(task("T", [component("A", resources=a100(9))]))))
    assert [found.step for found in caught.value.problems] == ["T/A"]


def test_nodes_that_account_qos_or_time_may_not_use_do_not_count(example: AppSpec) -> None:
    closed = tuple(NodeClass(**{**asdict(one), "accounts": frozenset({"other"})}) for one in LAB)
    short = tuple(NodeClass(**{**asdict(one), "max_time_min": 60}) for one in LAB)
    for inventory in (closed, short):
        with pytest.raises(PlanError):
            compiled(example, inventory)
    assert compiled(example, short, time_limit_min=60).jobs


def test_an_image_that_is_not_converted_is_named(example: AppSpec) -> None:
    images = images_of(example)
    del images[example.tasks[0].components[1].image.digest or ""]
    with pytest.raises(ImageMissing) as caught:
        compile_run(request_for(example), LAB, images, SITE)
    assert caught.value.step == "TASK-001/CL-REF-002"


def test_an_image_without_a_command_is_refused(example: AppSpec) -> None:
    images = {digest: RunnableImage(image.sif, ImageConfig()) for digest, image in images_of(example).items()}
    with pytest.raises(ImageUnusable, match=r"TASK-001/CL-REF-003: .* names no command") as caught:
        compile_run(request_for(example), LAB, images, SITE)
    assert (caught.value.step, caught.value.image) == ("TASK-001/CL-REF-003", "registry.avatar.io/reward-calc:1.0")


def test_a_script_that_slurm_would_not_take_is_named() -> None:
    params = {f"p{n}": "가" * 10_000 for n in range(30)}
    spec = pinned(app(task("T", [component("A", params=params)])))
    with pytest.raises(ScriptTooLarge) as caught:
        compiled(spec)
    assert caught.value.job == 0
    assert caught.value.size > 3_500_000


def shared(shards: int, library: str | None = "/opt/hami/libvgpu.so", **memory: int) -> RunnerStep:
    part = component("A", resources={"gpu_type": "V100", "gpu_shards": shards, "memory": "1GB"})
    spec = pinned(app(task("T", [part]), env_vars={"CUDA_DEVICE_SM_LIMIT": "100"}))
    policy = SharePolicy(PurePosixPath(library) if library else None, memory)
    run = compile_run(request_for(spec), LAB, images_of(spec), replace(SITE, shares=policy))
    (step,) = run.jobs[0].runner_job.steps
    return step


def test_a_share_gets_the_library_and_its_part_of_cores_and_memory() -> None:
    step = shared(2, V100=32 * 1024)
    assert step.env == {
        "LD_PRELOAD": "/one/lib/libvgpu.so",
        "CUDA_DEVICE_SM_LIMIT": "50",
        "CUDA_DEVICE_MEMORY_LIMIT": "16384m",
        "CUDA_DEVICE_MEMORY_SHARED_CACHE": "/tmp/one-gpu-share.cache",
    }
    words = step.container.options
    assert words[words.index("--mount") + 1] == '"type=bind","src=/opt/hami/libvgpu.so","dst=/one/lib/libvgpu.so","ro"'
    assert words[words.index("--scratch") + 1] == "/tmp/vgpulock"


def test_without_a_known_memory_only_cores_are_limited_and_without_a_library_nothing() -> None:
    assert "CUDA_DEVICE_MEMORY_LIMIT" not in shared(1, A100=1).env
    assert shared(1).env["CUDA_DEVICE_SM_LIMIT"] == "25"
    free = shared(1, None, V100=32 * 1024)
    assert (free.env, "--scratch" in free.container.options) == ({}, False)


def test_whole_gpus_are_never_limited() -> None:
    spec = pinned(app(task("T", [component("A", resources=a100(1))])))
    policy = SharePolicy(PurePosixPath("/opt/hami/libvgpu.so"), {"A100": 1024})
    (step,) = (
        compile_run(request_for(spec), LAB, images_of(spec), replace(SITE, shares=policy)).jobs[0].runner_job.steps
    )
    assert step.env == {}


def test_where_nodes_cut_their_gpus_differently_the_smaller_share_counts() -> None:
    finer = replace(LAB[1], shards=64, count=1)
    part = component("A", resources={"gpu_type": "V100", "gpu_shards": 2, "memory": "1GB"})
    spec = pinned(app(task("T", [part])))
    policy = SharePolicy(PurePosixPath("/opt/hami/libvgpu.so"), {"V100": 1000})
    run = compile_run(request_for(spec), (*LAB, finer), images_of(spec), replace(SITE, shares=policy))
    assert run.jobs[0].runner_job.steps[0].env["CUDA_DEVICE_MEMORY_LIMIT"] == "250m"
    assert shards_per_gpu((*LAB, finer)) == {"V100": 4}
