"""The whole road on the lab: the demo, the other examples, chains, models, and what an admin may do to what waits."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.commandline import One
from lab.hosts import ROOT, SHARED, as_user, on, until
from tests.lab.road_harness import (
    SOON_S,
    TASK,
    Background,
    Run,
    agree,
    app,
    component,
    example,
    in_background,
    leader_row,
    refused,
    step_rows,
    submitted,
    written,
)

pytestmark = pytest.mark.lab
NOT_PERMITTED, CANCELLED, REJECTED = 4, 10, 11
DEMO_TIMEOUT_S = 600
EPISODES = 60
LAST_LINE = re.compile(r"demo: ok workload=(W-[A-Z2-7]{6}) slurm_jobs=\d+(,\d+)* model=s3://models/APP-A1B2C3/v\d+/")


def test_the_demo() -> None:
    """`make demo` once the lab is up; it checks what accounting says by itself."""
    argv = [sys.executable, "-m", "lab.demo"]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=DEMO_TIMEOUT_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert LAST_LINE.fullmatch(ran.stdout.splitlines()[-1])
    for text in ("A100", "TASK-001/CL-REF-002", '"convergence": true', "[CL-REF-002] episode 1000", "CANCELLED by"):
        assert text in ran.stdout, text
    for name in ("admin", "kim"):
        assert (ROOT / ".lab/tokens" / name).read_text().strip() not in ran.stdout, "tokens are named, never shown"


@dataclass(frozen=True)
class Examples:
    """Workloads that run side by side; `waited` is the staged one's `one submit --wait`."""

    together: Run
    waited: Background
    co_running: Run
    two_nodes: Run


def small_example() -> dict[str, Any]:
    """The specification's example below the approval threshold."""
    spec = example("rl-design-opt")
    spec["tasks"][0]["components"][1]["resources"].update(gpu_count=2, memory="64GB")
    return spec


@pytest.fixture(scope="module")
def examples(kim: One, specs: Path) -> Iterator[Examples]:
    """Everything is submitted at once, so that the tests wait side by side."""
    shorter = ("--set", f"training_config.episodes={EPISODES}", "--time-limit", "10")
    staged = written(small_example(), specs)
    with in_background(kim, "submit", staged, *shorter, "--form", "staged", "--wait", "-o", "json") as waited:
        yield Examples(
            together=submitted(kim, small_example(), specs, *shorter, "--form", "together"),
            waited=waited,
            co_running=submitted(kim, example("co-running"), specs),
            two_nodes=submitted(kim, example("two-nodes"), specs),
        )


@pytest.fixture(scope="module")
def staged(kim: One, examples: Examples) -> Run:
    """The staged run, ended well: `--wait` came back with exit code 0."""
    ran = examples.waited.ended()
    assert ran.code == 0, ran
    return Run(kim, json.loads(ran.stdout)["id"])


def test_a_hetjob_gives_its_second_group_back(examples: Examples) -> None:
    examples.together.reaches("completed")
    rows = agree(examples.together, state="completed")
    assert {row.word for row in rows if not row.is_step} == {"COMPLETED", "CANCELLED"}
    assert set(step_rows(rows)) >= {f"{TASK}/CL-REF-00{number}" for number in (1, 2, 3, 4)} | {"TASK-002/CL-REF-010"}


def test_stages_are_chained_jobs(staged: Run) -> None:
    document = staged.now()
    jobs = document["slurmJobs"]
    assert len(jobs) > 1
    assert [job["afterJobs"] for job in jobs if job["afterJobs"]], "later jobs wait for earlier ones"
    rows = agree(staged, state="completed")
    for job in jobs:
        assert leader_row(rows, job["jobId"]).word == "COMPLETED"
    ends = {job["index"]: job["endedAt"] for job in jobs}
    for job in jobs:
        assert all(ends[before] <= job["startedAt"] for before in job["afterJobs"])


def test_equal_seeds_give_equal_models(kim: One, examples: Examples, staged: Run, tmp_path: Path) -> None:
    """`one models download` verifies every sha256; both runs made the same bytes, whatever the plan's form."""
    examples.together.reaches("completed")
    made = []
    for run in (examples.together, staged):
        folder = tmp_path / run.id
        found = kim.json("models", "download", run.now()["appId"], "1", "--to", str(folder))["items"]
        made.append({Path(item["path"]).name: (item["sha256"], Path(item["path"]).read_bytes()) for item in found})
    assert made[0]["policy.safetensors"] == made[1]["policy.safetensors"]
    assert made[0] == made[1]


def test_a_simulator_and_its_agent_run_together(examples: Examples) -> None:
    examples.co_running.reaches("completed")
    steps = step_rows(agree(examples.co_running, state="completed"))
    assert steps[f"{TASK}/SIM-001"].nodes == "gpu3"
    assert steps[f"{TASK}/AGENT-001"].nodes in ("gpu1", "gpu2")
    assert "from gpu3:" in examples.co_running.logs("--component", "AGENT-001")


def test_a_component_on_two_nodes(examples: Examples) -> None:
    examples.two_nodes.reaches("completed")
    steps = step_rows(agree(examples.two_nodes, state="completed"))
    assert steps[f"{TASK}/RING-001"].nodes == "gpu[1-2]"


def test_logs_come_from_s3_after_the_end(examples: Examples) -> None:
    """They stay the same when the run directory is gone."""
    run = examples.two_nodes
    run.reaches("completed")
    agree(run, state="completed")
    before = run.logs()
    assert before
    away = SHARED / "runs" / "kim" / f"{run.id}.away"
    run.run_dir().parent.rename(away)
    try:
        assert run.logs() == before
    finally:
        away.rename(run.run_dir().parent)


def test_a_rejected_request(kim: One, admin: One, specs: Path) -> None:
    spec = example("rl-design-opt")
    spec["training_config"]["env_config"]["simulation_seed"] = secrets.randbits(30)  # no test was ever passed for it
    with in_background(kim, "submit", written(spec, specs), "--wait", "-o", "json") as waiting:
        run = Run(kim, until("it waits for approval", lambda: newest(kim, "awaiting_approval"), timeout_s=SOON_S))
        early = admin.run("approve", run.id)
        assert early.code != 0, "not without a passed test"
        assert "test" in early.stderr.lower()
        admin.text("reject", run.id, "--reason", "Please use fewer GPUs for a first try.")
        ran = waiting.ended()
    assert (ran.code, json.loads(ran.stdout)["id"]) == (REJECTED, run.id)
    assert "Please use fewer GPUs" in kim.text("why", run.id)
    agree(run, state="rejected")


def newest(one: One, state: str) -> str | None:
    """The user's newest workload, if it is in this state."""
    items = one.json("list", "--mine", "--size", "1")["items"]
    return items[0]["id"] if items and items[0]["state"] == state else None


OUTSIDE = (
    "--account=lab",
    "--partition=v100",
    "--gres=gpu:tesla_v100:8",
    "--mem=100",
    "--time=15",
    "--output=/dev/null",
)


@dataclass(frozen=True)
class Queue:
    """Workloads of kim and an outside job of park, all waiting for V100s that another outside job (`holder`) holds.

    `first` and `second` are hetjobs; `waited` is the `one submit --wait` of a plain job.
    """

    first: Run
    second: Run
    holder: int
    outside: int
    waited: Background


def sbatch(name: str) -> int:
    """A job from outside the portal, park's."""
    words = ("sbatch", "--parsable", *OUTSIDE, f"--job-name={name}", "--wrap=sleep 600")
    return int(as_user("ctl", "park", *words).strip())


@pytest.fixture(scope="module")
def queue(kim: One, specs: Path, examples: Examples) -> Iterator[Queue]:
    """All V100s are taken until the tests of this fixture are done."""
    for run in (examples.together, examples.co_running):
        run.reaches("completed")
    with v100s_taken() as holder:
        first = submitted(kim, waiting_pair(), specs)
        first.leaders()
        second = submitted(kim, waiting_pair(), specs)
        second.leaders()
        outside = sbatch("outside-waiter")
        try:
            with in_background(kim, "submit", written(alone(), specs), "--wait", "--time-limit", "5") as waited:
                for run in (first, second):
                    run.is_pending()
                yield Queue(first, second, holder, outside, waited)
        finally:
            on("ctl", "scancel", str(outside))


@contextmanager
def v100s_taken() -> Iterator[int]:
    """An outside job that holds every V100; its id."""
    holder = sbatch("outside-holder")
    try:
        until("the V100s are taken", lambda: scontrol(holder)["JobState"] == "RUNNING", timeout_s=120)
        yield holder
    finally:
        on("ctl", "scancel", str(holder))


def alone() -> dict[str, Any]:
    """A plain job on a V100."""
    return app(component("ALONE-001", "print('alone')", gpu_type="V100", gpu_count=1))


def waiting_pair() -> dict[str, Any]:
    """Two components that run together, so that it is a hetjob: one on a V100, one on an A100."""
    return app(
        component("SERVER-001", "import time\nwhile True: time.sleep(0.1)", gpu_type="V100", gpu_count=1, service=True),
        component("CLIENT-001", "print('together')", gpu_type="A100", gpu_count=1),
        edges=[("SERVER-001", "CLIENT-001")],
        when="started",
    )


def scontrol(job: int) -> dict[str, str]:
    """What the controller says of one component."""
    words = on("ctl", "scontrol", "--oneliner", "show", "job", str(job)).splitlines()
    (line,) = [line for line in words if re.search(rf"\bJobId={job}\b", line)]
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def everywhere(run: Run, **wanted: str) -> None:
    """Wait until every component has these values in `scontrol show job`."""
    components = run.component_ids()
    assert len(components) == 2

    def look() -> bool:
        seen = [scontrol(job) for job in components]
        return all(job[name] == value for job in seen for name, value in wanted.items())

    until(f"every component of {run.id} has {wanted}", look, timeout_s=SOON_S)


def order(one: One) -> list[Any]:
    """Ids of workloads and of jobs from outside, in the queue's order."""
    return [line["id"] or line["slurmId"] for line in one.json("queue")["items"]]


def test_the_queue_shows_what_waits_and_jobs_from_outside(kim: One, queue: Queue) -> None:
    def look() -> bool:
        return {queue.first.id, queue.second.id, queue.outside} <= set(order(kim))

    until("the queue shows all three", look, timeout_s=SOON_S)
    (line,) = [line for line in kim.json("queue")["items"] if line["slurmId"] == queue.outside]
    assert (line["external"], line["name"], line["applicant"]) == (True, "outside-waiter", "park")
    assert line["resources"].startswith("V100 x 8")
    assert order(kim).index(queue.first.id) < order(kim).index(queue.second.id)


def test_why_it_waits_for_resources(kim: One, queue: Queue) -> None:
    def look() -> bool:
        return bool(kim.json("why", queue.first.id)["kind"] == "resources")

    until("Slurm says what it waits for", look, timeout_s=SOON_S)
    assert "Waiting for 1 V100 (0 idle now)" in kim.text("why", queue.first.id)


def test_a_priority_reaches_every_component(kim: One, admin: One, queue: Queue) -> None:
    admin.text("priority", queue.second.id, "high")
    everywhere(queue.second, QOS="one-high")
    until("it is first now", lambda: before(kim, queue.second, queue.first), timeout_s=SOON_S)
    admin.text("priority", queue.second.id, "normal")
    everywhere(queue.second, QOS="one-normal")


def test_a_move_reaches_every_component(kim: One, admin: One, queue: Queue) -> None:
    admin.text("move", queue.second.id, "--before", queue.first.id)
    until("it is first now", lambda: before(kim, queue.second, queue.first), timeout_s=SOON_S)
    nice = [{int(scontrol(job)["Nice"]) for job in run.component_ids()} for run in (queue.second, queue.first)]
    assert [len(values) for values in nice] == [1, 1], "all components of a job have the same nice"
    assert max(nice[0]) < min(nice[1])
    admin.text("move", queue.second.id, "--after", queue.first.id)
    until("it is behind again", lambda: before(kim, queue.first, queue.second), timeout_s=SOON_S)


def before(one: One, first: Run, second: Run) -> bool:
    """Whether Slurm will take `first` before `second`."""
    found = order(one)
    return found.index(first.id) < found.index(second.id)


def test_a_hold_reaches_every_component(kim: One, admin: One, queue: Queue) -> None:
    admin.text("hold", queue.second.id)
    everywhere(queue.second, Priority="0")
    until("it is shown", lambda: kim.json("why", queue.second.id)["kind"] == "hold", timeout_s=SOON_S)
    assert "Held by" in kim.text("why", queue.second.id)
    admin.text("release", queue.second.id)
    until("it is released", lambda: scontrol(queue.second.component_ids()[0])["Priority"] != "0", timeout_s=SOON_S)


def test_a_change_made_outside_is_seen_and_respected(kim: One, queue: Queue) -> None:
    for job in queue.second.component_ids():
        on("ctl", "scontrol", "update", f"jobid={job}", "nice=400777000")
    until("it is shown", lambda: queue.second.now()["slurmJobs"][0]["changedOutsideAt"], timeout_s=SOON_S)
    everywhere(queue.second, Nice="400777000")


def test_the_owner_may_not_reorder_with_scontrol(queue: Queue) -> None:
    (job, _) = queue.first.component_ids()
    nice = scontrol(job)["Nice"]
    as_user("ctl", "kim", "scontrol", "update", f"jobid={job}", "nice=1", check=False)
    as_user("ctl", "kim", "scontrol", "hold", str(job), check=False)
    found = scontrol(job)
    assert (found["Nice"], found["Priority"] != "0") == (nice, True)


def test_who_may_do_what(kim: One, park: One, viewer: One, queue: Queue, specs: Path) -> None:
    assert viewer.json("show", queue.first.id)["id"] == queue.first.id
    assert refused(viewer, waiting_pair(), specs).code == NOT_PERMITTED
    for who in (viewer, park):
        for words in (("cancel", queue.first.id), ("logs", queue.first.id)):
            assert who.run(*words).code == NOT_PERMITTED, words
    for verb, *more in (("priority", "high"), ("move", "--top"), ("hold",)):
        assert kim.run(verb, queue.first.id, *more).code == NOT_PERMITTED, verb


def plain_job(kim: One, queue: Queue) -> Run:
    """The workload of `waited`: the one of kim's that is no pair."""
    pairs = (queue.first.id, queue.second.id)
    (workload,) = [line["id"] for line in kim.json("queue", "--mine")["items"] if line["id"] not in pairs]
    return Run(kim, workload)


def test_a_waiting_workload_that_is_cancelled(kim: One, queue: Queue) -> None:
    run = plain_job(kim, queue)
    assert kim.run("cancel", run.id, "--wait").code == 0
    assert queue.waited.ended().code == CANCELLED
    agree(run, state="cancelled")
    kim.text("cancel", queue.second.id, "--wait")
    agree(queue.second, state="cancelled")


def test_a_pair_runs_when_its_turn_has_come(queue: Queue) -> None:
    """The last test of the queue: what held the V100s ends."""
    on("ctl", "scancel", str(queue.holder), str(queue.outside))
    queue.first.reaches("completed")
    assert "together" in queue.first.logs()
    steps = step_rows(agree(queue.first, state="completed"))
    assert {row.word for row in steps.values()} == {"COMPLETED"}


def test_why_it_will_never_start(kim: One, specs: Path) -> None:
    """The only node that it fits is excluded outside while it waits: no check of ours can foresee it."""
    with v100s_taken():
        run = submitted(kim, alone(), specs)
        (leader,) = run.leaders()
        on("ctl", "scontrol", "update", f"jobid={leader}", "excnodelist=gpu3")
        until("Slurm has noticed", lambda: kim.json("why", run.id)["kind"] == "never", timeout_s=SOON_S)
        assert "Will never start: no node has what it asks for" in kim.text("why", run.id)
        kim.text("cancel", run.id, "--wait")
    agree(run, state="cancelled")
