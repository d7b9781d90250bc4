"""Every other way a step, a pass or the job can end, and what is said about it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slurm.inside.launcher_container import SECRETS, own_secrets
from slurm.runnerjob import Ready
from tests.slurm.runner.harness import FOREVER, GROUP, Cluster, step, wait_for, wait_for_file, wait_for_text

SAY_AND_STAY = "print('here', flush=True)\n" + FOREVER
END_WELL = "signal.signal(signal.SIGTERM, lambda *_: (print('told to end', flush=True), os._exit(0)))\n"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


def test_a_failure_ends_the_run_and_is_reported_with_its_last_lines(cluster: Cluster) -> None:
    code = "for n in range(30): print('line', n, file=sys.stderr)\nsys.exit(7)"
    wait = wait_for_file(cluster.home / "go")
    process = cluster.start(
        cluster.job(
            step("bad", wait + code),
            step("other", END_WELL + SAY_AND_STAY),
            step("behind", after=("bad",)),
            step("far-behind", after=("behind",)),
            step("elsewhere", after=("other",)),
        )
    )
    cluster.wait_until_running("other")
    cluster.tell("go", "")
    ran = cluster.finish(process)
    assert ran.code == 1
    assert ran.end("bad")["exit_code"] == 7
    assert ran.ends("bad") == [("failed", "exit")]
    assert ran.ends("other") == [("stopped", "stopped_after_failure")]
    assert ran.log("other") == "here\ntold to end\n"
    assert ran.ends("behind") == ran.ends("far-behind") == [("skipped", "dependency_failed")]
    assert ran.ends("elsewhere") == [("skipped", "stopped_after_failure")]
    assert ran.end("elsewhere")["try"] == 0
    assert [event["reason"] for event in ran.events if event["event"] == "stopping"] == ["step_failed"]
    cause = ran.first_failure
    assert cause.pop("t") == ran.launcher("bad")[-1]["t"]
    lines = [f"line {number}" for number in range(10, 30)]
    how = {"exit_code": 7, "signal": None, "reason": "exit"}
    assert cause == {"step": "T/bad", "try": 1, **how, "last_lines": lines}
    assert ran.events[-1]["ok"] is False


def test_last_lines_are_from_stdout_when_stderr_is_silent(cluster: Cluster) -> None:
    ran = cluster.run(cluster.job(step("a", "sys.stdout.buffer.write(b'\\xff bye\\n'); sys.exit(1)")))
    assert ran.first_failure["last_lines"] == ["� bye"]


@pytest.mark.parametrize(("how", "exit_code"), [("os.kill(os.getpid(), 9)", 137), ("sys.exit(139)", 139)])
def test_a_payload_killed_by_a_signal(cluster: Cluster, how: str, exit_code: int) -> None:
    """Apptainer ends by the payload's signal itself, or with 128 + n: both were seen."""
    ran = cluster.run(cluster.job(step("a", how)))
    end = ran.end("a")
    expected = ("failed", "signal", exit_code, exit_code - 128)
    assert (end["result"], end["reason"], end["exit_code"], end["signal"]) == expected


def test_a_container_that_cannot_start(cluster: Cluster) -> None:
    missing = step("a")
    missing = replace(missing, container=replace(missing.container, command=("/images/x.sif", "/no/such/program")))
    ran = cluster.run(cluster.job(missing))
    assert ran.ends("a") == [("failed", "exit")]
    assert ran.first_failure["last_lines"] == ["FATAL: exec /no/such/program failed: no such file or directory"]


def test_a_node_without_apptainer(cluster: Cluster) -> None:
    ran = cluster.run(cluster.job(step("a"), apptainer="no-such-apptainer"))
    assert (ran.end("a")["exit_code"], ran.end("a")["reason"]) == (127, "exit")
    assert "no-such-apptainer" in ran.first_failure["last_lines"][0]


def test_a_node_without_scratch(cluster: Cluster) -> None:
    ran = cluster.run(cluster.job(step("a"), scratch=str(cluster.home / "missing")))
    assert ran.ends("a") == [("failed", "exit")]
    assert ran.first_failure["last_lines"][0].startswith("one: no scratch folder on n0x0")


def test_a_components_time_limit(cluster: Cluster) -> None:
    ran = cluster.run(cluster.job(step("a", END_WELL + SAY_AND_STAY, time_limit_s=0.4)))
    assert ran.ends("a") == [("failed", "time_limit")]
    assert ran.log("a") == "here\ntold to end\n"
    assert [event["event"] for event in ran.launcher("a")] == ["started", "stopping", "ended"]


def test_a_payload_that_ignores_its_stop_is_killed_with_its_children(cluster: Cluster) -> None:
    code = DEAF + "if os.fork(): print(os.getpid(), flush=True)\n" + FOREVER
    ran = cluster.run(cluster.job(step("a", code, time_limit_s=0.3), stop_grace_s=0.2))
    assert ran.ends("a") == [("failed", "time_limit")]
    assert ran.end("a")["signal"] == signal.SIGKILL
    assert "is killed" in ran.log("a", "stderr")
    group = int(ran.log("a"))
    wait_for(
        lambda: (
            subprocess.run(["ps", "-o", "pid=", "-s", str(group)], stdout=subprocess.PIPE, check=False).stdout == b""
        ),
        "death",
    )


def test_a_service_that_is_never_ready(cluster: Cluster) -> None:
    server = step("server", SAY_AND_STAY, service=True, ready=Ready(port="auto"), ready_timeout_s=0.4)
    ran = cluster.run(cluster.job(server, step("client", beside=("server",))))
    assert ran.ends("server") == [("failed", "not_ready")]
    assert ran.ends("client") == [("skipped", "dependency_failed")]
    assert ran.first_failure["last_lines"][-1].startswith("one: not ready (port ")


def test_a_fixed_port_that_is_taken(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ran = cluster.run(cluster.job(step("server", service=True, ready=Ready(port=port))))
    assert ran.ends("server") == [("failed", "port_taken")]
    assert f"port {port} is taken on n0x0" in ran.first_failure["last_lines"][-1]


def test_a_listener_of_somebody_else_is_not_readiness(cluster: Cluster) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        server = step("server", SAY_AND_STAY, service=True, ready=Ready(port=port))
        process = cluster.start(cluster.job(server, step("client", beside=("server",))))
        cluster.wait_until_running("server")
        reserved.listen()
        ran = cluster.finish(process)
    assert ran.ends("server") == [("failed", "port_taken")]
    assert ran.ends("client") == [("skipped", "dependency_failed")]


@pytest.mark.parametrize("code", [0, 3])
def test_a_service_that_dies_before_its_client(cluster: Cluster, code: int) -> None:
    server = step(
        "server",
        wait_for_file(cluster.home / "go") + f"sys.exit({code})",
        service=True,
    )
    process = cluster.start(cluster.job(server, step("client", SAY_AND_STAY, beside=("server",))))
    cluster.wait_until_running("client")
    cluster.tell("go", "")
    ran = cluster.finish(process)
    assert ran.ends("server") == [("failed", "exit")]
    assert ran.end("server")["exit_code"] == code
    assert ran.ends("client") == [("stopped", "stopped_after_failure")]
    assert ran.first_failure["step"] == "T/server"


def test_a_service_may_end_by_itself_once_its_client_has(cluster: Cluster) -> None:
    """The client's srun is still on its way when the server ends: the launchers' words count."""
    cluster.tell("srun_late.T_client", "0.5")
    code = wait_for_text(cluster.run_dir / "steps/T/client/t1/events.0.jsonl", "ended") + "sys.exit(1)"
    ran = cluster.run(cluster.job(step("server", code, service=True), step("client", beside=("server",))))
    assert (ran.code, ran.ends("server")) == (0, [("completed", "")])


def test_a_service_is_not_tried_again_under_a_running_client(cluster: Cluster) -> None:
    code = wait_for_file(cluster.home / "go") + "sys.exit(3)"
    process = cluster.start(
        cluster.job(step("server", code, service=True, retries=3), step("client", SAY_AND_STAY, beside=("server",)))
    )
    cluster.wait_until_running("client")
    cluster.tell("go", "")
    assert cluster.finish(process).ends("server") == [("failed", "exit")]


def test_who_died_first_is_told_by_the_launchers(cluster: Cluster) -> None:
    """The culprit's srun comes home after that of its victim."""
    cluster.tell("srun_late.T_culprit", "0.6")
    dead = wait_for_text(cluster.run_dir / "steps/T/culprit/t1/events.0.jsonl", "ended")
    victim = "print('up', flush=True)\n" + dead + "sys.exit(2)"
    go = wait_for_file(cluster.home / "go") + "sys.exit(1)"
    process = cluster.start(cluster.job(step("culprit", go), step("victim", victim)))
    cluster.wait_until_running("victim")
    cluster.tell("go", "")
    ran = cluster.finish(process)
    assert ran.when("step_ended", "victim") < ran.when("step_ended", "culprit")
    assert (ran.first_failure["step"], ran.first_failure["exit_code"]) == ("T/culprit", 1)


def test_one_rank_takes_the_others_with_it(cluster: Cluster) -> None:
    code = "if os.environ['ONE_NODE_RANK'] == '1': time.sleep(0.2); os._exit(9)\n" + FOREVER
    ran = cluster.run(cluster.job(step("wide", code, nodes=2), groups=(replace(GROUP, nodes=2),)))
    assert (ran.end("wide")["result"], ran.end("wide")["exit_code"]) == ("failed", 9)
    assert ran.launcher("wide", rank=0)[-1]["reason"] == "terminated"


def test_slurm_failing_to_launch_is_not_the_components_failure(cluster: Cluster) -> None:
    cluster.tell("srun_fails", "2")
    ran = cluster.run(cluster.job(step("a")))
    assert (ran.code, ran.ends("a")) == (0, [("completed", "")])
    assert [event["try"] for event in ran.events if event["event"] == "step_started"] == [1]
    assert len(cluster.sruns) == 3
    assert ran.output.count("Unable to contact slurm controller") == 2


def test_slurm_never_launching_ends_the_run(cluster: Cluster) -> None:
    cluster.tell("srun_fails", "99")
    ran = cluster.run(cluster.job(step("a"), step("b", after=("a",))))
    assert ran.code == 1
    assert (ran.ends("a"), ran.ends("b")) == ([("launch_failure", "launch")], [("skipped", "dependency_failed")])
    assert len(cluster.sruns) == 3
    assert "Unable to contact slurm controller" in ran.first_failure["last_lines"][-1]


def test_a_missing_srun_is_a_launch_failure(cluster: Cluster) -> None:
    (cluster.home / "bin/srun").unlink()
    assert cluster.run(cluster.job(step("a"))).ends("a") == [("launch_failure", "launch")]


def test_memory_that_ran_out_is_named(cluster: Cluster) -> None:
    own, root = cluster.home / "own_cgroup", cluster.home / "cgroup"
    own.write_text("0::/slurm/step\n")
    (root / "slurm/step").mkdir(parents=True)
    events = root / "slurm/step/memory.events"
    events.write_text("low 0\noom 0\noom_kill 0\n")
    places = {'"/proc/self/cgroup"': f'"{own}"', '"/sys/fs/cgroup"': f'"{root}"'}
    code = f"open({str(events)!r}, 'w').write('oom_kill 1\\n'); os.kill(os.getpid(), 9)"
    ran = cluster.run(cluster.job(step("a", code)), replace=places)
    assert ran.ends("a") == [("failed", "out_of_memory")]


NEAR, FAR = 60, 3600


@pytest.mark.parametrize(
    ("number", "ends_in_s", "reason"),
    [
        (signal.SIGUSR1, NEAR, "cancelled"),
        (signal.SIGTERM, FAR, "cancelled"),
        (signal.SIGTERM, NEAR, "time_limit"),
        (signal.SIGTERM, None, "cancelled"),
    ],
)
def test_the_jobs_end_stops_every_step_cleanly(
    cluster: Cluster, number: signal.Signals, ends_in_s: int | None, reason: str
) -> None:
    env: dict[str, Any] = {} if ends_in_s is None else {"SLURM_JOB_END_TIME": str(int(time.time()) + ends_in_s)}
    job = cluster.job(step("a", END_WELL + SAY_AND_STAY), step("b", after=("a",)), step("c", SAY_AND_STAY))
    process = cluster.start(job, **env)
    cluster.wait_until_running("a", "c")
    process.send_signal(number)
    ran = cluster.finish(process)
    assert ran.code == 1
    assert ran.ends("a") == ran.ends("c") == [("stopped", reason)]
    assert ran.ends("b") == [("skipped", reason)]
    assert ran.log("a") == "here\ntold to end\n"
    assert [event["reason"] for event in ran.events if event["event"] == "stopping"] == [reason]
    last = ran.events[-1]
    assert last == {"t": last["t"], "event": "runner_ended", "ok": False, "first_failure": None}


def test_a_cancel_ends_later_passes_too(cluster: Cluster) -> None:
    job = cluster.job(step("a", SAY_AND_STAY), iterations=3)
    process = cluster.start(job)
    log = cluster.run_dir / "i1/steps/T/a/t1/stdout.log"
    wait_for(lambda: log.exists() and log.read_text(), "output")
    process.send_signal(signal.SIGUSR1)
    ran = cluster.finish(process)
    assert [event["iteration"] for event in ran.events if event["event"] == "iteration_ended"] == [1]
    assert (ran.code, ran.events[-1]["ok"]) == (1, False)


def test_a_cancel_ends_a_step_that_slurm_has_not_started_yet(cluster: Cluster) -> None:
    cluster.tell("srun_waits", "yes")
    process = cluster.start(cluster.job(step("a")))
    wait_for(lambda: cluster.sruns, "srun")
    process.send_signal(signal.SIGUSR1)
    ran = cluster.finish(process)
    assert ran.ends("a") == [("stopped", "cancelled")]
    assert "its srun is killed" in ran.output


def test_graph_that_cannot_go_on_is_ended_and_not_waited_for(cluster: Cluster) -> None:
    """A planner's mistake: the client has no room beside its server."""
    whole: dict[str, Any] = {"gpus": 4, "gres_type": "A100"}
    server = step("server", SAY_AND_STAY, service=True, **whole)
    ran = cluster.run(cluster.job(server, step("client", beside=("server",), **whole)))
    assert ran.ends("client") == [("launch_failure", "launch")]
    assert ran.ends("server") == [("stopped", "stopped_after_failure")]
    assert "T/client can never start" in ran.output


@pytest.mark.parametrize(("groups", "het_size"), [(2, None), (2, "3"), (1, "2")])
def test_the_wrong_number_of_groups_is_refused(cluster: Cluster, groups: int, het_size: str | None) -> None:
    job = cluster.job(step("a"), groups=(GROUP,) * groups)
    process = cluster.start(job, SLURM_HET_SIZE=het_size or "")
    ran = cluster.finish(process)
    assert ran.code == 3
    assert ran.output.startswith("refused: the plan has ")
    assert os.listdir(cluster.runs) == []


def test_an_attempt_runs_once(cluster: Cluster) -> None:
    job = cluster.job(step("a", "print('first')"))
    assert cluster.run(job).code == 0
    again = cluster.run(job)
    assert (again.code, len(cluster.sruns)) == (3, 1)
    assert again.output.endswith("this attempt has run already\n")


@pytest.mark.parametrize("level", ["kim", "kim/W-AAAAAA", "kim/W-AAAAAA/a1"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_that_is_not_ones_own_is_refused(cluster: Cluster, level: str, kind: str) -> None:
    place = cluster.runs / level
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        place.symlink_to(cluster.home)
    else:
        place.write_text("")
    ran = cluster.run(cluster.job(step("a")))
    assert (ran.code, cluster.sruns) == (3, [])
    assert str(place) in ran.output


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder of somebody else")
def test_a_foreign_users_folder_is_refused(cluster: Cluster) -> None:
    (cluster.runs / "kim").mkdir()
    os.chown(cluster.runs / "kim", 4321, 4321)
    ran = cluster.run(cluster.job(step("a")))
    assert (ran.code, ran.output) == (3, f"refused: {cluster.runs / 'kim'} is not a folder of uid 0\n")


def test_secrets_are_shown_only_when_they_are_private(tmp_path: Path) -> None:
    folder = os.path.join(tmp_path, SECRETS)
    assert own_secrets(str(tmp_path)) is None
    os.makedirs(folder)
    os.chmod(folder, 0o700)
    assert own_secrets(str(tmp_path)) == folder
    os.chmod(folder, 0o750)
    assert own_secrets(str(tmp_path)) is None
