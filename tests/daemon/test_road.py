"""The road from a submitted spec to a stored model, on the fake Slurm."""

from __future__ import annotations

import json
from typing import Any

import pytest
import time_machine

from portal.db.models import Event, Workload
from portal.domain.failure import words_of
from portal.services.errors import Conflict, Forbidden, Invalid
from slurm.inside.runner import EXIT_REFUSED
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
RISING = [10.0, 12.0, 15.0, 14.0, 20.0, 25.0, 26.0, 30.0, 33.0, 40.0]


async def finished(world: World, workload_id: str, **played: Any) -> None:
    """Rounds until the workload has ended, playing its runner as soon as it runs."""
    for _ in range(8):
        await world.round()
        state = (await world.workload(workload_id)).state
        if state == "running":
            await world.play(workload_id, **played)
        elif state not in ("submitted", "queued", "saving"):
            return
    raise AssertionError(f"{workload_id} is still {state}: {await world.events(workload_id)}")


async def test_a_small_workload_runs_at_once_and_its_model_is_stored(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small)
    await finished(world, workload_id, rewards=RISING)
    workload = await world.workload(workload_id)
    assert (workload.state, workload.decision, workload.needs_approval) == ("completed", "not_required", False)
    (model,) = await world.models()
    assert (model.state, model.version, model.name) == ("stored", 1, "RL-DesignOpt-v1-final")
    manifest = await world.store.get_json("models", "APP-SMALL1/v1/manifest.json")
    assert [file["path"] for file in manifest["files"]] == ["policy.safetensors"]
    lineage = manifest["lineage"]
    assert lineage["spec_hash"] == workload.spec_hash
    assert lineage["training_config"]["episodes"] == 1000
    assert set(lineage["images"]) == {f"TASK-001/CL-REF-00{n}" for n in (1, 2, 3, 4)} | {"TASK-002/CL-REF-010"}
    assert [metrics["metrics"]["reward"]["final"] for metrics in lineage["metrics"].values()] == [40.0]
    logs = [info.key for info in await world.store.list_keys("logs", f"{workload_id}/a1/")]
    assert f"{workload_id}/a1/steps/TASK-001/CL-REF-002/t1/stdout.log" in logs
    assert f"{workload_id}/a1/events.0.jsonl" in logs
    assert (await world.actions(workload_id))[0] == "workload.submit"
    assert await world.events(workload_id) == [
        "state_submitted",
        "images_resolved",
        "state_queued",
        "job_submitted",
        "state_running",
        "state_saving",
        "logs_saved",
        "model_saved",
        "state_completed",
    ]


async def test_the_gate_opens_only_for_a_passed_test_of_the_same_hash(world: World, example: dict[str, Any]) -> None:
    workload_id = await world.submit(example)
    await world.round()
    workload = await world.workload(workload_id)
    assert workload.state == "awaiting_approval"
    assert [(reason["textEn"], reason["textKo"]) for reason in workload.approval_reasons] == [
        ("rl-agent GPU 4", "rl-agent GPU 4"),
        ("rl-agent memory 128GB", "rl-agent 메모리 128GB"),
    ]
    with pytest.raises(Conflict, match="Test required"):
        await world.approve(workload_id)
    run_id = await world.start_test(workload_id)
    with pytest.raises(Conflict, match="Test running"):
        await world.start_test(workload_id)
    await finished(world, run_id, rewards=RISING)
    test = (await world.workload(workload_id)).test
    assert test is not None
    assert (test.status, test.episodes) == ("passed", 10)
    assert test.results is not None
    assert (test.results["convergence"], test.results["avgReward"], test.results["finalReward"]) == (True, 22.5, 40.0)
    assert await world.models() == []
    with pytest.raises(Conflict, match="changed"):
        await world.approve(workload_id, spec_hash="0" * 64)
    with pytest.raises(Forbidden):
        await world.approve(workload_id, who="kim")
    await world.approve(workload_id)
    await finished(world, workload_id, rewards=RISING)
    assert (await world.workload(workload_id)).state == "completed"
    sizes = {component.gres for component in world.slurm.submissions[0].components}
    assert sizes <= {"gpu:A100:1", "gpu:tesla_v100:1"}
    assert {component.gres for component in world.slurm.submissions[1].components} == {"gpu:tesla_v100:1", "gpu:A100:4"}
    again = await world.submit(example)
    await world.round()
    assert (await world.workload(again)).test is not None, "a passed test of the same hash is attached by itself (D14)"


@pytest.mark.parametrize(
    ("rewards", "why"),
    [(RISING[:9], "1 of 10 episodes"), (RISING[::-1], "fell significantly"), ([float("nan")] * 10, "not finite")],
)
async def test_a_test_that_does_not_converge_fails(
    world: World, example: dict[str, Any], rewards: list[float], why: str
) -> None:
    workload_id = await world.submit(example, run_test=True)
    await world.round()
    test = (await world.workload(workload_id)).test
    assert test is not None
    await finished(world, test.run_id, rewards=rewards)
    test = (await world.workload(workload_id)).test
    assert test is not None
    assert test.status == "failed"
    assert why in (test.results or {})["why_en"]
    with pytest.raises(Conflict, match="Test failed"):
        await world.approve(workload_id)


async def test_a_general_test_runs_five_times(world: World, example: dict[str, Any]) -> None:
    del example["training_config"]
    workload_id = await world.submit(example, run_test=True)
    await world.round()
    test = (await world.workload(workload_id)).test
    assert test is not None
    await finished(world, test.run_id, model=False)
    test = (await world.workload(workload_id)).test
    assert test is not None
    assert test.status == "passed"
    results = test.results or {}
    assert (results["successRate"], results["avgDuration"]) == ("100%", "0.30s")
    assert results["log"].splitlines()[0] == "Run 1: SUCCESS (0.30s)"


async def test_a_failing_step_is_named_and_makes_no_model(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small)
    await finished(world, workload_id, fail="TASK-001/CL-REF-002")
    workload = await world.workload(workload_id)
    assert workload.state == "failed"
    assert workload.failure is not None
    assert (workload.failure["cause"], workload.failure["step"], workload.failure["exit_code"]) == (
        "step",
        "TASK-001/CL-REF-002",
        9,
    )
    assert await world.models() == []
    await world.round()
    assert await world.store.list_keys("logs", f"{workload_id}/a1/"), "logs of failed runs are kept too"


async def test_a_job_that_refuses_to_begin_says_so(world: World, small: dict[str, Any]) -> None:
    """As the runner does in a run directory that it cannot write: exit code 3, no event."""
    workload_id = await world.submit(small)
    for _ in range(3):
        await world.round()
    (job,) = (await world.workload(workload_id)).attempts[0].jobs
    world.cluster.end(job.leader_id or 0, EXIT_REFUSED)
    for _ in range(3):
        await world.round()
    workload = await world.workload(workload_id)
    assert (workload.state, workload.failure) == ("failed", {"cause": "not_begun"})
    assert "system log" in words_of(workload.failure or {})[1]


async def test_a_lost_node_starts_one_new_attempt(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small)
    await world.round()
    await world.round()
    node = world.cluster.jobs[(await world.workload(workload_id)).attempts[0].jobs[0].leader_id or 0].nodes[0]
    world.cluster.kill_node(node)
    await world.round()
    world.cluster.restore_node(node)
    await finished(world, workload_id)
    workload = await world.workload(workload_id)
    assert [attempt.outcome for attempt in workload.attempts] == ["node_failure", "completed"]
    assert workload.state == "completed"


async def test_cancel_before_slurm_while_pending_and_while_running(world: World, small: dict[str, Any]) -> None:
    before = await world.submit(small)
    await world.cancel(before)
    assert (await world.workload(before)).state == "cancelled"

    world.cluster.drained.update(gpu1="x", gpu2="x", gpu3="x")
    pending = await world.submit(small)
    await world.round()
    assert (await world.workload(pending)).phase == "slurm_pending"
    await world.cancel(pending)
    await world.round()
    await world.round()
    assert (await world.workload(pending)).state == "cancelled"
    world.cluster.drained.clear()

    running = await world.submit(small)
    await world.round()
    await world.round()
    signals: list[str] = []

    def stop(job: Any, signal: str) -> None:
        signals.append(signal)
        world.cluster.end(job.job_id, 1)

    world.cluster.on_signal = stop
    await world.cancel(running)
    for _ in range(3):
        await world.round()
    assert signals == ["USR1"], "a running job is asked to stop, so that its payload can"
    assert (await world.workload(running)).state == "cancelled"
    with pytest.raises(Conflict, match="ended already"):
        await world.cancel(running)


async def test_scancel_outside_is_a_cancel_made_outside(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small)
    await world.round()
    world.cluster.cancel((await world.workload(workload_id)).attempts[0].jobs[0].leader_id or 0)
    await world.round()
    assert (await world.workload(workload_id)).state == "cancelled"
    (last,) = [event for event in await world.rows(Event) if event.kind == "state_cancelled"]
    assert last.data["outside"] is True


async def test_slurm_unreachable_is_unknown_never_failed(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small)
    await world.round()
    await world.round()
    world.slurm.outage = "slurmctld is down"
    for _ in range(3):
        await world.round(600)
    away = await world.workload(workload_id)
    assert (away.state, away.unknown_since is not None) == ("running", True)
    world.slurm.outage = ""
    await world.round()
    back = await world.workload(workload_id)
    assert (back.state, back.unknown_since) == ("running", None)
    world.slurm.accounting_outage = "slurmdbd is down"
    await world.play(workload_id)
    await world.round(1000)
    workload = await world.workload(workload_id)
    assert workload.state == "running"
    assert workload.unknown_since is not None
    world.slurm.accounting_outage = ""
    await world.round()
    await world.round()
    assert (await world.workload(workload_id)).state == "completed"


async def test_a_lost_answer_does_not_submit_twice(world: World, small: dict[str, Any]) -> None:
    world.slurm.lose_next_answer = True
    workload_id = await world.submit(small)
    await world.round()
    await finished(world, workload_id)
    assert len(world.slurm.submissions) == 1
    assert (await world.workload(workload_id)).state == "completed"


async def test_the_same_key_is_the_same_workload(world: World, small: dict[str, Any]) -> None:
    first = await world.submit(small, idempotency_key="k1")
    assert await world.submit(small, idempotency_key="k1") == first
    other = json.loads(json.dumps(small))
    other["app_id"] = "APP-PARK01"
    assert await world.submit(other, who="park", idempotency_key="k1") != first


async def test_a_size_that_no_node_has_is_refused_by_name(world: World, small: dict[str, Any]) -> None:
    small["tasks"][0]["components"][1]["resources"].update(gpu_count=9)
    with pytest.raises(Invalid) as refusal:
        await world.submit(small)
    (problem,) = refusal.value.problems
    assert problem.path == "$.tasks[0].components[1].resources"
    assert "A100 x 8" in problem.message_en
    assert await world.rows(Workload) == []


async def test_a_staged_run_is_a_chain_in_slurm(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small, form="staged")
    await world.round()
    jobs = (await world.workload(workload_id)).attempts[0].jobs
    assert len(jobs) > 1
    by_index = {job.job_index: job.leader_id for job in jobs}
    for job, submission in zip(jobs, world.slurm.submissions, strict=True):
        wanted = "".join(["afterok", *(f":{by_index[index]}" for index in job.after_jobs)]) if job.after_jobs else ""
        assert {component.dependency for component in submission.components} == {wanted}
    for _ in range(3 * len(jobs)):
        await world.round()
        if (await world.workload(workload_id)).state == "running":
            await world.play(workload_id)
    workload = await world.workload(workload_id)
    assert workload.state == "completed"
    assert {job.state for job in workload.attempts[0].jobs} == {"COMPLETED"}


async def test_a_failure_in_a_chain_ends_it(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small, form="staged")
    await world.round()
    first = (await world.workload(workload_id)).attempts[0].plan["jobs"][0]["groups"][0]["steps"][0]
    await world.play(workload_id, fail=first)
    for _ in range(3):
        await world.round()
    workload = await world.workload(workload_id)
    assert (workload.state, (workload.failure or {})["step"]) == ("failed", first)
    assert all(not job.live for job in world.cluster.jobs.values())


async def test_the_limit_counts_all_jobs_of_a_chain(world: World, small: dict[str, Any]) -> None:
    with time_machine.travel(world.cluster.now, tick=False) as clock:
        workload_id = await world.submit(small, form="staged", time_limit_min=10)
        await world.round()
        for seconds in (400, 300):
            clock.shift(seconds)
            await world.round(seconds)
            await world.play(workload_id)
            await world.round()
        for _ in range(4):
            await world.round()
        workload = await world.workload(workload_id)
        assert (workload.state, workload.failure) == ("failed", {"cause": "time_limit"})
