"""What somebody typed arrives as it was typed: no shell, no pattern, no separator on the way reads it."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace

import pytest

from slurm.inside.launcher_container import Mount, mount_option
from slurm.runnerjob import ContainerCommand
from tests.hostile import HOSTILE
from tests.slurm.runner.harness import PRELUDE, Cluster, step

ARGS = "json.dump(sys.argv[1:], open(at['/one/out'] + '/args', 'w'))\n"
ENV = "json.dump({k: v for k, v in os.environ.items() if k[:2] in ('X_', 'Y_')}, open(at['/one/out'] + '/env', 'w'))\n"


def test_arguments_environment_and_params_arrive_as_typed(cluster: Cluster) -> None:
    one = step("a", env={f"X_{number}": value for number, value in enumerate(HOSTILE.values())}, params=HOSTILE)
    command = (*one.container.command[:-1], PRELUDE + ARGS + ENV, *HOSTILE.values(), *HOSTILE)
    options = ("--containall", "--no-eval", "--pwd", HOSTILE["command"])
    one = replace(one, container=ContainerCommand(options, command))
    ran = cluster.run(cluster.job(one, env={f"Y_{number}": value for number, value in enumerate(HOSTILE.values())}))
    folder = ran.run_dir / "steps/T/a"
    assert ran.code == 0, ran.output
    assert json.loads((folder / "out/args").read_text()) == [*HOSTILE.values(), *HOSTILE]
    found = json.loads((folder / "out/env").read_text())
    assert found == {f"{letter}_{number}": value for letter in "XY" for number, value in enumerate(HOSTILE.values())}
    assert json.loads((folder / "config/params.json").read_text()) == HOSTILE
    assert cluster.containers[0]["argv"][2:6] == list(options)


def test_no_value_is_an_argument_of_srun_or_apptainer(cluster: Cluster) -> None:
    cluster.run(cluster.job(step("a", env={"X": "find-me-1"}, params={"p": "find-me-2"}), env={"Y": "find-me-3"}))
    assert "find-me" not in json.dumps([cluster.sruns[0]["argv"], cluster.containers[0]["argv"]])


def test_srun_gets_only_paths_and_ids(cluster: Cluster) -> None:
    """A lone colon among srun's arguments would begin another het group."""
    one = step("a")
    container = replace(one.container, command=(*one.container.command, ":", "--het-group=9"))
    ran = cluster.run(cluster.job(replace(one, container=container)))
    assert ran.code == 0
    assert cluster.sruns[0]["argv"][-6:] == [
        str(ran.run_dir / "launcher.0.py"), str(ran.run_dir / "job.0.json"), "T/a", "1", "1", "0"
    ]  # fmt: skip


def test_a_percent_sign_in_a_path_is_no_pattern(cluster: Cluster) -> None:
    run_dir = cluster.runs / "kim" / "W-%j" / "a1"
    ran = cluster.run(cluster.job(step("a", "print('here')"), run_dir=str(run_dir)))
    assert ran.code == 0
    assert (run_dir / "steps/T/a/t1/stdout.log").read_text() == "here\n"


@pytest.mark.parametrize("name", ["a,b", 'quo"ted', "with space", "설계", "a=b", "it's"])
def test_every_mount_is_read_back_whole(name: str) -> None:
    """Apptainer reads --mount as a line of CSV."""
    value = mount_option(Mount(f"/runs/{name}", f"/one/in/{name}", True))
    assert next(csv.reader([value])) == ["type=bind", f"src=/runs/{name}", f"dst=/one/in/{name}", "ro"]


def test_a_path_with_a_line_end_is_no_second_mount() -> None:
    with pytest.raises(ValueError, match="line end"):
        mount_option(Mount("/runs/a\ntype=bind,src=/etc,dst=/etc", "/one/out", False))


def test_a_runs_folder_with_commas_and_quotes(cluster: Cluster) -> None:
    run_dir = cluster.runs / "kim" / 'W,"x",ro' / "a1"
    ran = cluster.run(cluster.job(step("a", "open(at['/one/out'] + '/x', 'w')"), run_dir=str(run_dir)))
    assert ran.code == 0
    assert os.listdir(run_dir / "steps/T/a/out") == ["x"]
