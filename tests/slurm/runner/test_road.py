"""The good road: steps in order and together, groups given back, passes, tries, what the payload finds."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from typing import Any

from slurm.runnerjob import After, Ready
from tests.slurm.runner.harness import FOREVER, GROUP, Cluster, step, wait_for_file

SERVER = """
listener = socket.create_server(("127.0.0.1", int(os.environ["ONE_PORT"])))
print("listening", flush=True)
while True:
    listener.accept()[0].sendall(b"hello")
"""
CLIENT = """
where = json.load(open(at["/one/config"] + "/hosts.json"))["sim-server"]
print(os.environ["ONE_HOST_SIM_SERVER"], where["hosts"])
print(socket.create_connection(("127.0.0.1", where["port"])).recv(5).decode())
"""
DUMP = "json.dump(dict(os.environ), open(at['/one/out'] + '/env.' + os.environ['ONE_NODE_RANK'], 'w'))"


def test_one_step_after_another_reads_what_the_first_wrote(cluster: Cluster) -> None:
    ran = cluster.run(
        cluster.job(
            step(
                "a", "open(at['/one/out'] + '/x', 'w').write('from a'); open(at['/one/model'] + '/m', 'w').write('m')"
            ),
            step("b", "print(open(at['/one/in/a'] + '/x').read())", after=("a",)),
        )
    )
    assert (ran.code, ran.output) == (0, "")
    assert ran.kinds() == ["runner_started", *["step_started", "step_ended"] * 2, "runner_ended"]
    started, ended, last = ran.events[1], ran.events[2], ran.events[-1]
    where = {"step": "T/a", "try": 1, "iteration": 1}
    assert started == {"t": started["t"], "event": "step_started", **where, "group": 0, "hosts": ["n0x0"]}
    how = {"result": "completed", "exit_code": 0, "signal": None, "reason": ""}
    assert ended == {"t": ended["t"], "event": "step_ended", **where, **how}
    assert last == {"t": last["t"], "event": "runner_ended", "ok": True, "first_failure": None}
    assert (ran.log("b"), ran.log("b", "stderr")) == ("from a\n", "")
    assert (ran.run_dir / "model/m").read_text() == "m"
    assert [event["event"] for event in ran.launcher("a")] == ["started", "ended"]


def test_nothing_is_open_to_others(cluster: Cluster) -> None:
    ran = cluster.run(cluster.job(step("a", "open(at['/one/out'] + '/x', 'w')")))
    paths = [cluster.runs / "kim", *(cluster.runs / "kim").rglob("*")]
    assert ran.code == 0
    assert [str(path) for path in paths if stat.S_IMODE(path.lstat().st_mode) & 0o027] == []
    assert stat.S_IMODE(cluster.containers[0]["mode"]) == 0o700


def test_a_service_runs_beside_its_client_and_ends_with_it(cluster: Cluster) -> None:
    server = step("sim-server", SERVER, service=True, ready=Ready(port="auto"))
    ran = cluster.run(cluster.job(server, step("client", CLIENT, beside=("sim-server",))))
    assert ran.code == 0, ran.output
    assert ran.log("client") == "n0x0 ['n0x0']\nhello\n"
    assert ran.when("step_ready", "sim-server") < ran.when("step_started", "client")
    assert ran.when("step_ended", "client") < ran.when("step_ended", "sim-server")
    assert ran.ends("sim-server") == [("completed", "")]
    events = ran.launcher("sim-server")
    assert [event["event"] for event in events] == ["started", "ready", "stopping", "ended"]
    assert events[2]["reason"] == "service_done"
    assert events[1]["port"] >= 1024


def test_a_part_without_ready_counts_as_soon_as_it_runs(cluster: Cluster) -> None:
    ran = cluster.run(cluster.job(step("server", FOREVER, service=True), step("client", beside=("server",))))
    assert ran.code == 0
    assert ran.when("step_started", "server") <= ran.when("step_started", "client")
    assert "step_ready" not in ran.kinds()


def test_a_ready_file_of_an_earlier_try_does_not_count(cluster: Cluster) -> None:
    out = cluster.run_dir / "steps/T/server/out"
    out.mkdir(parents=True)
    (out / "up").write_text("from before")
    code = "print(os.path.exists(at['/one/out'] + '/up'), flush=True); open(at['/one/out'] + '/up', 'w')\n"
    server = step("server", code + FOREVER, service=True, ready=Ready(file="/one/out/up"))
    ran = cluster.run(cluster.job(server, step("client", beside=("server",))))
    assert (ran.code, ran.log("server")) == (0, "False\n")
    assert "step_ready" in ran.kinds()


def test_a_group_is_given_back_when_nothing_of_it_is_left(cluster: Cluster) -> None:
    cluster.tell("scancel_refuses", "1")
    groups = (GROUP, replace(GROUP, gres_type="tesla_v100", released_after=("T/a",)))
    last = step("b", wait_for_file(cluster.home / "go"), after=("a",))
    process = cluster.start(cluster.job(step("a", group=1), last, groups=groups))
    cluster.wait_for_event("group_released", group=1)
    cluster.tell("go", "")
    ran = cluster.finish(process)
    assert ran.code == 0
    assert cluster.scancels == ["77+1", "77+1"]
    assert [call["options"]["het-group"] for call in cluster.sruns] == ["1", "0"]


def test_a_group_is_kept_while_no_other_has_work(cluster: Cluster) -> None:
    groups = (replace(GROUP, released_after=("T/a",)), replace(GROUP, released_after=("T/b",)))
    ran = cluster.run(cluster.job(step("a"), step("b", after=("a",), group=1), groups=groups))
    assert (ran.code, cluster.scancels) == (0, [])


def test_the_plans_order_keeps_a_step_from_starting_before_another(cluster: Cluster) -> None:
    """Launched one after the other, two steps may be up in either order: what is asked is that the second waits at all."""
    second = replace(step("second"), after=(After("T/first", "begun"),))
    gate = step("gate", wait_for_file(cluster.home / "go"))
    process = cluster.start(cluster.job(second, gate, step("first", after=("gate",))))
    cluster.wait_for_event("step_started", step="T/gate")
    cluster.tell("go", "")
    ran = cluster.finish(process)
    assert ran.code == 0
    told = [(event["event"], event.get("step")) for event in ran.events]
    assert told.index(("step_ended", "T/gate")) < told.index(("step_started", "T/second"))


def test_the_plans_order_is_no_dependency(cluster: Cluster) -> None:
    second = replace(step("second"), after=(After("T/first", "begun"), After("T/gate")))
    gate = step("gate", wait_for_file(cluster.home / "never"))
    ran = cluster.run(cluster.job(step("first", "sys.exit(3)"), second, gate))
    assert (ran.code, ran.first_failure["step"]) == (1, "T/first")
    assert ran.ends("second") == [("skipped", "stopped_after_failure")]


def test_steps_share_a_group_only_as_far_as_it_goes(cluster: Cluster) -> None:
    demand: dict[str, Any] = {"gpus": 2, "gres_type": "A100"}
    steps = [step(name, wait_for_file(cluster.home / "go"), **demand) for name in ("a", "b", "c")]
    process = cluster.start(cluster.job(*steps))
    cluster.wait_for_event("step_started", step="T/a")
    cluster.wait_for_event("step_started", step="T/b")
    assert sorted(call["options"]["job-name"] for call in cluster.sruns) == ["T/a", "T/b"]
    cluster.tell("go", "")
    ran = cluster.finish(process)
    assert ran.code == 0
    assert ran.when("step_started", "c") > min(ran.when("step_ended", "a"), ran.when("step_ended", "b"))


def test_one_step_on_two_nodes(cluster: Cluster) -> None:
    wide = step("wide", DUMP, nodes=2, gpus=2, gres_type="A100")
    ran = cluster.run(cluster.job(wide, groups=(replace(GROUP, nodes=2),)))
    assert ran.code == 0
    assert [event["hosts"] for event in ran.events if event["event"] == "step_started"] == [["n0x0", "n0x1"]]
    assert [ran.launcher("wide", rank)[0]["gpus"] for rank in (0, 1)] == [[0, 1], [0, 1]]
    envs = [json.loads((ran.run_dir / f"steps/T/wide/out/env.{rank}").read_text()) for rank in (0, 1)]
    names = ("ONE_NODES", "ONE_NODE_RANK", "ONE_MASTER_ADDR", "CUDA_VISIBLE_DEVICES")
    assert [[env[name] for name in names] for env in envs] == [["2", "0", "n0x0", "0,1"], ["2", "1", "n0x0", "0,1"]]
    assert envs[0]["ONE_MASTER_PORT"] == envs[1]["ONE_MASTER_PORT"]


def test_several_passes_count_each_for_itself(cluster: Cluster) -> None:
    flaky = step("a", "open(at['/one/out'] + '/x', 'x'); sys.exit(5 * (os.environ['ONE_ITERATION'] == '2'))")
    ran = cluster.run(cluster.job(flaky, step("b", after=("a",)), iterations=3, is_test=True))
    assert ran.code == 1
    passes = [event for event in ran.events if event["event"] == "iteration_ended"]
    assert [(event["iteration"], event["ok"]) for event in passes] == [(1, True), (2, False), (3, True)]
    assert all(event["seconds"] > 0 for event in passes)
    assert ran.ends("b") == [("completed", ""), ("skipped", "dependency_failed"), ("completed", "")]
    assert (ran.run_dir / "i3/steps/T/a/out/x").exists()
    assert (ran.first_failure["step"], ran.first_failure["exit_code"]) == ("T/a", 5)


def test_a_failed_try_is_followed_by_another(cluster: Cluster) -> None:
    code = "mark = at['/one/checkpoint'] + '/tried'\nif not os.path.exists(mark): open(mark, 'w'); sys.exit(9)"
    ran = cluster.run(cluster.job(step("a", code, retries=2), step("b", after=("a",))))
    assert ran.code == 0
    assert ran.ends("a") == [("failed", "exit"), ("completed", "")]
    assert [event["try"] for event in ran.events if event.get("step") == "T/a"] == [1, 1, 2, 2]
    assert ran.launcher("a", number=1)[-1]["exit_code"] == 9


def test_what_the_payload_finds(cluster: Cluster) -> None:
    config = {"app": {"app_id": "APP-1", "이름": "가"}, "training": {"episodes": 10}}
    one = step("a", DUMP, params={"lr": 0.1}, env={"ONE_PARAM_LR": "0.1", "CUDA_VISIBLE_DEVICES": "all"}, shards=1)
    group = replace(GROUP, gpus=0, shards=4)
    job = cluster.job(
        one, step("b"), groups=(group,), config=config, env={"ONE_EPISODES": "10", "A": "b"}, is_test=True
    )
    ran = cluster.run(job)
    env = json.loads((ran.run_dir / "steps/T/a/out/env.0").read_text())
    del env["STUB_AT"], env["ONE_MASTER_PORT"]
    env.pop("LC_CTYPE", None)
    assert env == {
        "A": "b",
        "CUDA_VISIBLE_DEVICES": "0",
        "ONE_APP_ID": "APP-1",
        "ONE_EPISODES": "10",
        "ONE_ITERATION": "1",
        "ONE_MASTER_ADDR": "n0x0",
        "ONE_NODES": "1",
        "ONE_NODE_ID": "a",
        "ONE_NODE_RANK": "0",
        "ONE_PARAM_LR": "0.1",
        "ONE_RUN_ID": "W-AAAAAA",
        "ONE_TASK_ID": "T",
        "ONE_TEST_RUN": "1",
        "PYTHONUNBUFFERED": "1",
    }
    read = {path.stem: json.loads(path.read_text()) for path in (ran.run_dir / "steps/T/a/config").iterdir()}
    assert read["hosts"] in ({}, {"b": {"hosts": ["n0x0"], "port": None}})
    assert {name: read[name] for name in ("app", "training", "params")} == {**config, "params": {"lr": 0.1}}
    assert sorted(call["options"]["gres"] for call in cluster.sruns) == ["none", "shard:1"]
    inside = {mount[0]: mount[2] for mount in cluster.containers[0]["mounts"]}
    writable = {"/one/out": False, "/one/model": False, "/one/checkpoint": False, "/one/metrics.jsonl": False}
    assert inside == {**writable, "/one/config": True}


def test_apptainer_gets_nothing_of_the_jobs_environment(cluster: Cluster) -> None:
    cluster.run(cluster.job(step("a")), SLURM_JWT="secret", APPTAINERENV_X="1", SINGULARITYENV_Y="2", LANG="C.UTF-8")
    kept = {name for name in cluster.containers[0]["env"] if not name.startswith("APPTAINERENV_")} - {"LC_CTYPE"}
    assert kept == {"PATH", "LANG", "HOME", "USER", "LOGNAME", "APPTAINER_TMPDIR", "APPTAINER_CACHEDIR"}
    assert "APPTAINERENV_X" not in cluster.containers[0]["env"]


def test_a_rerun_begins_with_a_copy_of_the_old_checkpoints(cluster: Cluster) -> None:
    code = "path = at['/one/checkpoint'] + '/c'; print(os.environ.get('ONE_RESUME'), open(path).read())"
    code += "; open(path, 'a').write('+')"
    old = cluster.runs / "kim" / "W-OLD234" / "checkpoint"
    (old / "T" / "a").mkdir(parents=True)
    (old / "T" / "a" / "c").write_text("old")
    (old / "T" / "a" / "link").symlink_to("/etc/hostname")
    job = cluster.job(step("a", code), resume=True, resume_from=str(old))
    first = cluster.run(job)
    assert (first.code, first.log("a")) == (0, "1 old\n"), first.output
    assert (old / "T" / "a" / "c").read_text() == "old", "the old run stays as it was"
    copied = cluster.run_dir.parent / "checkpoint" / "T" / "a"
    assert (copied / "link").is_symlink(), "a link is never followed"
    second = cluster.run(replace(job, run_dir=str(cluster.run_dir.parent / "a2")))
    assert (copied / "c").read_text() == "old++", "an attempt goes on with its own"
    assert second.code == 0


def test_a_rerun_without_its_old_run_does_not_begin_anew(cluster: Cluster) -> None:
    ran = cluster.run(cluster.job(step("a", "print(1)"), resume=True, resume_from=str(cluster.runs / "gone")))
    assert ran.code == 3
    assert "refused: it must be there" in ran.output


def test_resume_is_told_only_where_there_is_a_checkpoint(cluster: Cluster) -> None:
    code = "print(os.environ.get('ONE_RESUME')); open(at['/one/checkpoint'] + '/c', 'a')"
    job = cluster.job(step("a", code), step("b", "print(os.environ.get('ONE_RESUME'))"), resume=True)
    assert cluster.run(job).log("a") == "None\n"
    second = cluster.run(replace(job, run_dir=str(cluster.run_dir.parent / "a2")))
    second = replace(second, run_dir=cluster.run_dir.parent / "a2")
    assert (second.code, second.log("a"), second.log("b")) == (0, "1\n", "None\n")
    third = cluster.run(replace(job, run_dir=str(cluster.run_dir.parent / "a3"), resume=False))
    assert replace(third, run_dir=cluster.run_dir.parent / "a3").log("a") == "None\n"


def test_use_is_sampled(cluster: Cluster) -> None:
    ran = cluster.run(cluster.job(step("a", "time.sleep(0.3)")))
    lines = [json.loads(line) for line in (ran.run_dir / "steps/T/a/t1/usage.0.jsonl").read_text().splitlines()]
    assert ran.code == 0
    assert lines[0].keys() == {"t", "cpu_s", "rss_mib", "gpus"}
    assert lines[0]["gpus"] is None
    assert max(line["rss_mib"] for line in lines) > 1
    assert [line["cpu_s"] for line in lines] == sorted(line["cpu_s"] for line in lines)


def test_jobs_of_a_chain_share_the_attempts_folder(cluster: Cluster) -> None:
    first = step("a", "open(at['/one/out'] + '/x', 'w').write('1')")
    second = replace(step("b", "print(open(at['/one/in/a'] + '/x').read())", after=("a",)), after=())
    assert cluster.run(cluster.job(first)).code == 0
    ran = cluster.run(cluster.job(second, job_index=1))
    assert (ran.code, ran.log("b")) == (0, "1\n")
    assert sorted(name for name in os.listdir(ran.run_dir) if name.startswith("events")) == [
        "events.0.jsonl",
        "events.1.jsonl",
    ]
