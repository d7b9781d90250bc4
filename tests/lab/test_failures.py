"""What goes wrong names its place, and portal, Slurm's accounting and MinIO agree about it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.commandline import One
from tests.lab.convert_harness import Workshop, program, tar_of, workshop
from tests.lab.road_harness import (
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

pytestmark = [pytest.mark.lab, pytest.mark.beside]
FAILED, CANCELLED, INVALID = 1, 10, 7
FOREVER = "import time\nprint('going on', flush=True)\nwhile True: time.sleep(0.1)"
OBEDIENT = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (print('told to end', flush=True), sys.exit(0)))\n"
    "print('going on', flush=True)\nwhile True: time.sleep(0.1)"
)


@dataclass(frozen=True)
class Broken:
    """Workloads that all run side by side, each with a trouble of its own; `waited` is a `one submit --wait`."""

    exits: Run
    killed: Run
    step_limit: Run
    whole_limit: Run
    cancelled: Run
    no_image: Run
    no_command: Run
    waited: Background


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.fixture(scope="module")
def broken(kim: One, specs: Path, shop: Workshop) -> Iterator[Broken]:
    """Everything is submitted at once, so that the tests wait side by side."""
    die = "import sys\nprint('the design is infeasible: 온도 850', file=sys.stderr)\nsys.exit(3)"
    exits = app(
        component("BEFORE-001", "print('fine')"),
        component("DIES-001", die),
        component("AFTER-001", "print('never')"),
        edges=[("BEFORE-001", "DIES-001"), ("DIES-001", "AFTER-001")],
    )
    shop.push("nothing", tar_of(program("/bin/true")), {})
    nothing = component("EMPTY-001", "", image={"registry": "registry.avatar.io/lab-convert/nothing", "tag": "1"})
    del nothing["command"]
    missing = component("GONE-001", "", image={"registry": "registry.avatar.io/env-sim", "tag": "no-such-tag"})
    kill = "import os\nprint('about to die', flush=True)\nos.kill(os.getpid(), 9)"
    with in_background(kim, "submit", written(app(component("DIES-001", die)), specs), "--wait") as waited:
        yield Broken(
            exits=submitted(kim, exits, specs),
            killed=submitted(kim, app(component("KILLED-001", kill)), specs),
            step_limit=submitted(kim, app(component("SLOW-001", FOREVER, time_limit="5s")), specs),
            whole_limit=submitted(kim, app(component("LONG-001", FOREVER)), specs, "--time-limit", "1"),
            cancelled=submitted(kim, app(component("STOPPED-001", OBEDIENT)), specs),
            no_image=submitted(kim, app(missing), specs),
            no_command=submitted(kim, app(nothing), specs),
            waited=waited,
        )


def test_a_step_that_exits_non_zero(broken: Broken) -> None:
    run = broken.exits
    failure = run.reaches("failed")["failure"]
    assert (failure["cause"], failure["step"], failure["exit_code"]) == ("step", f"{TASK}/DIES-001", 3)
    assert "the design is infeasible: 온도 850" in failure["last_lines"]
    assert run.one.text("why", run.id).startswith(f"Died first: {TASK}/DIES-001 (exit 3)")
    assert "[DIES-001] the design is infeasible: 온도 850" in run.logs()
    steps = step_rows(agree(run, state="failed"))
    assert steps[f"{TASK}/BEFORE-001"].word == "COMPLETED"
    assert (steps[f"{TASK}/DIES-001"].word, steps[f"{TASK}/DIES-001"].exit_code) == ("FAILED", "3:0")
    assert f"{TASK}/AFTER-001" not in steps


def test_waiting_for_it_exits_with_its_result(broken: Broken) -> None:
    ran = broken.waited.ended()
    assert ran.code == FAILED
    assert f"Died first: {TASK}/DIES-001 (exit 3)\nthe design is infeasible" in ran.stderr


def test_a_step_that_is_killed(broken: Broken) -> None:
    failure = broken.killed.reaches("failed")["failure"]
    assert (failure["step"], failure["reason"], failure["signal"]) == (f"{TASK}/KILLED-001", "signal", 9)
    assert "signal 9" in broken.killed.one.text("why", broken.killed.id)
    agree(broken.killed, state="failed")


def test_a_step_that_passes_its_time_limit(broken: Broken) -> None:
    failure = broken.step_limit.reaches("failed")["failure"]
    assert (failure["step"], failure["reason"]) == (f"{TASK}/SLOW-001", "time_limit")
    assert "time limit" in broken.step_limit.one.text("why", broken.step_limit.id)
    agree(broken.step_limit, state="failed")


def test_a_running_workload_that_is_cancelled(broken: Broken) -> None:
    run = broken.cancelled
    run.reaches("running")
    run.says("going on")
    ran = run.one.run("cancel", run.id, "--wait", timeout_s=120)
    assert ran.code == 0, ran
    assert "told to end" in run.logs(), "the payload's own handler ran"
    agree(run, state="cancelled")
    again = run.one.run("cancel", run.id)
    assert (again.code, "ended already: cancelled" in again.stderr) == (6, True)


def test_an_image_that_does_not_exist(broken: Broken) -> None:
    failure = broken.no_image.reaches("failed")["failure"]
    assert (failure["cause"], failure["image"]) == ("image", "registry.avatar.io/env-sim:no-such-tag")
    assert "registry.avatar.io/env-sim:no-such-tag" in broken.no_image.one.text("why", broken.no_image.id)
    agree(broken.no_image, state="failed")


def test_an_image_that_cannot_run(broken: Broken) -> None:
    failure = broken.no_command.reaches("failed")["failure"]
    image = "registry.avatar.io/lab-convert/nothing:1"
    assert (failure["cause"], failure["step"], failure["image"]) == ("image", f"{TASK}/EMPTY-001", image)
    assert "names no command" in broken.no_command.one.text("why", broken.no_command.id)
    agree(broken.no_command, state="failed")


def changed(**resources: Any) -> dict[str, Any]:
    """The example with another size for its agent."""
    spec = example("rl-design-opt")
    spec["tasks"][0]["components"][1]["resources"].update(resources)
    return spec


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"gpu_count": 9}, ("$.tasks[0].components[1].resources", "A100 x 8")),
        ({"gpu_type": "V100", "gpu_count": 16}, ("$.tasks[0].components[1].resources", "V100 x 8")),
        ({"memory": "4096GB"}, ("$.tasks[0].components[1].resources", "194GB")),
        ({"gpu_type": "H100"}, ("$.tasks[0].components[1].resources", "H100")),
        ({"gpu_count": 1, "nodes": 3}, ("$.tasks[0].components[1].resources", "3")),
    ],
)
def test_a_size_that_the_cluster_lacks(kim: One, specs: Path, resources: dict[str, Any], said: tuple[str, ...]) -> None:
    ran = refused(kim, changed(**resources), specs)
    assert ran.code == INVALID
    for text in said:
        assert text in ran.stderr, ran


def cyclic() -> dict[str, Any]:
    spec = example("rl-design-opt")
    spec["tasks"][0]["workflow"].append({"from": "CL-REF-004", "to": "CL-REF-001"})
    return spec


def misspelt() -> dict[str, Any]:
    spec = example("rl-design-opt")
    resources = spec["tasks"][0]["components"][1]["resources"]
    resources["gpu_cuont"] = resources.pop("gpu_count")
    return spec


def outside() -> dict[str, Any]:
    return {**example("rl-design-opt"), "storage": {"type": "distributed", "path": "/etc"}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ('{"app_id": "APP-X",\n "name" "x"}', ("line 2", "JSON")),
        (cyclic(), ("$.tasks[0].workflow", "CL-REF-001 → CL-REF-002 → CL-REF-003 → CL-REF-004 → CL-REF-001")),
        (misspelt(), ("$.tasks[0].components[1].resources.gpu_cuont", "Did you mean gpu_count?")),
        (outside(), ("$.storage.path", "/etc", "/training-data")),
    ],
    ids=["broken", "cyclic", "misspelt", "outside"],
)
def test_a_spec_that_is_wrong(kim: One, specs: Path, spec: dict[str, Any] | str, said: tuple[str, ...]) -> None:
    ran = refused(kim, spec, specs)
    assert ran.code == INVALID
    for text in said:
        assert text.lower() in ran.stderr.lower(), ran
    assert kim.run("validate", written(spec, specs)).code == INVALID


def test_a_workload_that_passes_its_time_limit(broken: Broken) -> None:
    """Last here: its minute passes beside the other tests."""
    assert broken.whole_limit.reaches("failed")["failure"]["cause"] == "time_limit"
    assert "used up its time limit" in broken.whole_limit.one.text("why", broken.whole_limit.id)
    (leader,) = broken.whole_limit.leaders()
    row = leader_row(agree(broken.whole_limit, state="failed"), leader)
    assert row.elapsed >= "00:01:00", "the whole minute was its own"
