"""Played runs: their story is the real runner's, their files are read by the portal's own readers without a fault."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from portal.domain.events import read_run, succeeded
from portal.domain.looptest import rewards_of
from portal.domain.runreport import RunReport
from portal.rundir import RunDir
from slurm.fake.cluster import FakeCluster, lab_cluster
from slurm.fake.keep import cluster_text, runners_text, take_up, take_up_runners
from slurm.fake.played import PlayedRunners, job_in
from slurm.fake.story import Cut, story
from slurm.runnerjob import Ready, RunnerGroup, RunnerJob, RunnerStep
from slurm.script import batch_script
from slurm.submission import Component, Submission
from tests.slurm.runner.harness import GROUP, step

GPU_GROUPS = (GROUP, RunnerGroup("tesla_v100", 2, 0, 8, 8000, 1, released_after=("T/first",)))
MakeJob = Callable[..., RunnerJob]


@pytest.fixture
def job_of(tmp_path: Path) -> MakeJob:
    """A job of the given steps below `tmp_path`."""

    def make(*steps: RunnerStep, groups: tuple[RunnerGroup, ...] = (GROUP,), **values: Any) -> RunnerJob:
        parts = [{"component_id": one.node_id, "resources": {"gpu_count": one.gpus}} for one in steps]
        app = {"tasks": [{"task_id": "T", "components": parts}]}
        return RunnerJob(
            workload="W-ABC234",
            attempt=1,
            job_index=0,
            app_id="APP-1",
            run_dir=str(tmp_path / "runs" / "kim" / "W-ABC234" / "a1"),
            checkpoint_dir=str(tmp_path / "runs" / "kim" / "W-ABC234" / "checkpoint"),
            scratch="/tmp",
            groups=groups,
            steps=steps,
            config={"app": app, "training": None},
            **values,
        )

    (tmp_path / "runs" / ".out").mkdir(parents=True)
    return make


def queued(cluster: FakeCluster, job: RunnerJob) -> int:
    """The job in the simulated queue; its leader's id."""
    runs = Path(job.run_dir).parents[2]
    components = tuple(
        Component(
            name="one-test",
            account="lab",
            partition="v100" if group.gres_type == "tesla_v100" else "a100",
            qos="one-normal",
            nice=0,
            nodes=group.nodes,
            cpus=group.cpus,
            memory_mib=group.memory_mib,
            gres="",
            constraint="",
            time_limit_min=60,
            comment="",
            wckey="",
        )
        for group in job.groups
    )
    output = str(runs / ".out" / "W-ABC234-a1-j0.log")
    submission = Submission("kim", batch_script(job), str(runs), output, ("PATH=/usr/bin",), components)
    return cluster.add(submission, components, owner="kim")[0].job_id


def played(job: RunnerJob, seconds: float = 600.0, speed: float = 10.0) -> tuple[FakeCluster, int]:
    """The cluster after the job's life, the clock turned by quarters of a second."""
    cluster = lab_cluster()
    runners = PlayedRunners(cluster, speed)
    leader = queued(cluster, job)
    begin = cluster.now
    while cluster.now < begin + seconds and cluster.jobs[leader].live:
        runners.advance(cluster.now + 0.25)
    return cluster, leader


def report_of(job: RunnerJob) -> RunReport:
    """What the portal reads out of the run directory."""
    lines = whole(job, "events.0.jsonl")
    return read_run([[one.id for one in job.steps]], {0: lines})


def whole(job: RunnerJob, path: str) -> list[dict[str, Any]]:
    """The lines of a file, none of which is broken."""
    lines = list(reader(job).json_lines(path))
    assert None not in lines
    return [line for line in lines if line is not None]


def reader(job: RunnerJob) -> RunDir:
    runs = Path(job.run_dir).parents[2]
    return RunDir(runs, str(Path(job.run_dir).relative_to(runs)), os.getuid())


def ended(job: RunnerJob, **asked: Any) -> dict[str, tuple[str, str]]:
    """Step -> how the story ends it."""
    moments = story(json.loads(job.to_json()), speed=10.0, **asked)
    return {
        moment.data["step"]: (moment.data["result"], moment.data["reason"])
        for moment in moments
        if moment.event == "step_ended"
    }


def test_the_job_comes_out_of_its_batch_script(job_of: MakeJob) -> None:
    job = job_of(step("first", params={"hostile": "\n)\n'\"$(id) 안녕"}))
    assert job_in(batch_script(job)) == json.loads(job.to_json())


def test_a_good_run_reads_as_one(job_of: MakeJob) -> None:
    job = job_of(
        step("first", gpus=1, gres_type="tesla_v100", group=1),
        step("second", gpus=2, gres_type="A100", after=("first",)),
        groups=GPU_GROUPS,
        env={"ONE_EPISODES": "30"},
    )
    cluster, leader = played(job)
    states = [component.state for component in cluster.components(leader)]
    assert states == ["COMPLETED", "CANCELLED"]  # group 1 was given back
    report = report_of(job)
    assert report.faults == ()
    assert succeeded(report, [("COMPLETED", 0, 0)])
    assert report.runners[0].released == (1,)
    assert report.steps["T/second"].hosts == cluster.jobs[leader].nodes
    assert (report.steps["T/first"].ended or 0) <= (report.steps["T/second"].started or 0)
    points = whole(job, "steps/T/second/metrics.jsonl")
    assert [episode for episode, _ in rewards_of(points)] == list(range(1, 31))
    assert b"simulated: episode 30/30" in reader(job).read("steps/T/second/t1/stdout.log")
    usage = whole(job, "steps/T/second/t1/usage.0.jsonl")
    assert {len(line["gpus"]) for line in usage} == {2}
    assert all(line["rss_mib"] < 100 for line in usage)
    assert load_file(Path(job.run_dir, "model", "policy.safetensors"))["weights"].shape == (1024,)
    assert f"job {leader} on gpu1, gpu3" in Path(cluster.jobs[leader].submission.output).read_text()


def test_steps_that_do_not_fit_together_wait_for_each_other(job_of: MakeJob) -> None:
    job = job_of(step("a", gpus=3), step("b", gpus=3))
    starts = [moment for moment in story(json.loads(job.to_json()), speed=10.0) if moment.event.startswith("step_")]
    assert [moment.event for moment in starts] == ["step_started", "step_ended"] * 2


def test_a_service_runs_until_nobody_needs_it(job_of: MakeJob) -> None:
    job = job_of(step("sim", service=True, ready=Ready(port="auto")), step("agent", beside=("sim",)))
    played(job)
    report = report_of(job)
    sim, agent = report.steps["T/sim"], report.steps["T/agent"]
    assert (sim.state, agent.state, sim.ready) == ("completed", "completed", True)
    assert (agent.started or 0) > (sim.started or 0)
    assert sim.ended == agent.ended


def test_a_step_asked_to_fail_fails_the_run_after_its_retries(job_of: MakeJob) -> None:
    job = job_of(step("bad", params={"simulate": "fail"}, retries=1), step("beside"), step("next", after=("bad",)))
    cluster, leader = played(job)
    assert (cluster.jobs[leader].state, cluster.jobs[leader].exit_code) == ("FAILED", 1)
    report = report_of(job)
    assert report.faults == ()
    assert (report.steps["T/bad"].state, report.steps["T/bad"].number) == ("failed", 2)
    assert (report.steps["T/next"].state, report.steps["T/next"].reason) == ("skipped", "dependency_failed")
    assert report.first_failure is not None
    assert report.first_failure.last_lines == ("simulated: this component was asked to fail (params.simulate)",)


def test_rewards_fall_where_asked(job_of: MakeJob) -> None:
    job = job_of(step("a", params={"simulate": "fall"}), env={"ONE_EPISODES": "10"})
    played(job)
    points = whole(job, "steps/T/a/metrics.jsonl")
    rewards = [reward for _, reward in rewards_of(points)]
    assert rewards[0] > rewards[-1] + 20


def test_a_general_test_runs_the_graph_several_times(job_of: MakeJob) -> None:
    job = job_of(step("a"), iterations=5, is_test=True)
    played(job)
    report = report_of(job)
    assert [end.ok for end in report.iterations] == [True] * 5
    assert report.runners[0].ok


@pytest.mark.parametrize(("signal", "reason"), [("USR1", "cancelled"), ("TERM", "time_limit")])
def test_a_signal_stops_what_runs_and_skips_the_rest(job_of: MakeJob, signal: str, reason: str) -> None:
    job = job_of(step("first"), step("second", after=("first",)))
    cluster = lab_cluster()
    runners = PlayedRunners(cluster, 10.0)
    leader = queued(cluster, job)
    runners.advance(cluster.now + 1.0)
    cluster.on_signal(cluster.jobs[leader], signal)
    runners.advance(cluster.now + 5.0)
    assert cluster.jobs[leader].state == "FAILED"
    report = report_of(job)
    assert report.faults == ()
    assert (report.steps["T/first"].state, report.steps["T/first"].reason) == ("cancelled", reason)
    assert (report.steps["T/second"].state, report.steps["T/second"].reason) == ("skipped", reason)
    assert report.runners[0].stopping == reason


def test_a_cut_changes_nothing_before_it(job_of: MakeJob) -> None:
    job = json.loads(job_of(step("first"), step("second", after=("first",))).to_json())
    whole, cut = story(job, speed=10.0), story(job, speed=10.0, cut=Cut(2.0, "cancelled"))
    assert [moment for moment in whole if moment.at < 2.0] == [moment for moment in cut if moment.at < 2.0]


def test_a_stopped_simulation_goes_on_where_it_was(job_of: MakeJob) -> None:
    job = job_of(step("first"), step("second", after=("first",)), env={"ONE_EPISODES": "10"})
    cluster = lab_cluster()
    runners = PlayedRunners(cluster, 10.0)
    leader = queued(cluster, job)
    runners.advance(cluster.now + 4.0)
    again = lab_cluster()
    take_up(again, cluster_text(cluster))
    others = PlayedRunners(again, 1.0)  # another speed: a story that has begun keeps its own
    take_up_runners(others, runners_text(runners))
    others.advance(again.now + 3600.0)  # it was away for an hour
    assert again.jobs[leader].state == "COMPLETED"
    assert (again.jobs[leader].ended_at or 0) < (again.jobs[leader].started_at or 0) + 60
    report = report_of(job)
    assert report.faults == ()
    assert succeeded(report, [("COMPLETED", 0, 0)])
    assert again.next_id == cluster.next_id
    assert "SLURM" not in cluster_text(again)  # scripts of ended jobs are not kept


def test_a_run_directory_that_was_used_is_refused(job_of: MakeJob) -> None:
    job = job_of(step("first"))
    played(job)
    cluster, leader = played(job)
    assert (cluster.jobs[leader].state, cluster.jobs[leader].exit_code) == ("FAILED", 3)
    assert "refused: " in Path(cluster.jobs[leader].submission.output).read_text()


def test_services_that_take_all_room_are_a_launch_failure(job_of: MakeJob) -> None:
    job = job_of(step("sim", service=True, gpus=4), step("agent", beside=("sim",), gpus=1))
    assert ended(job) == {
        "T/agent": ("launch_failure", "launch"),
        "T/sim": ("stopped", "stopped_after_failure"),
    }
