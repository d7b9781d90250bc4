"""The runner and its launchers on real Slurm with real Apptainer, as Unix user kim."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import pytest

from slurm.runnerjob import Ready
from tests.hostile import HOSTILE
from tests.lab.runner_harness import (
    A100,
    FOLDER,
    SHARDS,
    SHARED,
    V100,
    LabJob,
    as_kim,
    lines_of,
    make_sif,
    on,
    python,
    step,
    submit,
    wait_for,
)

pytestmark = [pytest.mark.lab, pytest.mark.beside]

KIM = 2001
FOREVER = "print('here', flush=True)\nwhile True: time.sleep(1)"
END_WELL = (
    "signal.signal(signal.SIGTERM, lambda *_: (print('told to end', os.listdir('/'), flush=True), sys.exit(0)))\n"
)
SERVER = """
listener = socket.create_server(("", int(os.environ["ONE_PORT"])))
while True:
    listener.accept()[0].sendall(b"hello from " + socket.gethostname().encode())
"""
CLIENT = """
where = json.load(open("/one/config/hosts.json"))["server"]
assert where["hosts"] == [os.environ["ONE_HOST_SERVER"]]
print(socket.create_connection((os.environ["ONE_HOST_SERVER"], where["port"]), timeout=10).recv(99).decode())
"""
RENDEZVOUS = """
rank, size = int(os.environ["ONE_NODE_RANK"]), int(os.environ["ONE_NODES"])
master = (os.environ["ONE_MASTER_ADDR"], int(os.environ["ONE_MASTER_PORT"]))
if rank == 0:
    said = socket.create_server(("", master[1])).accept()[0].recv(99).decode()
else:
    while True:
        try:
            socket.create_connection(master).sendall(socket.gethostname().encode()); break
        except ConnectionRefusedError:
            time.sleep(0.05)
    said = "sent"
place = socket.gethostname() + ", GPUs " + os.environ["CUDA_VISIBLE_DEVICES"]
open("/one/out/rank%d" % rank, "w").write("%s of %s on %s" % (said, size, place))
"""


@pytest.fixture(scope="module", autouse=True)
def _image() -> None:
    make_sif()


def wait_until_it_says(job: LabJob, *names: str) -> None:
    """Until the steps' payloads have printed something."""
    wait_for(lambda: all(job.log(name) for name in names), f"output of {names}")


def test_a_hetjob_whose_second_group_is_given_back() -> None:
    one = step(
        "a",
        "open('/one/out/x', 'w').write('from a'); print(os.getuid(), os.environ['CUDA_VISIBLE_DEVICES'])",
        gpus=2,
        gres_type="A100",
    )
    two = step("b", "print(open('/one/in/a/x').read())", after=("a",), group=1, gpus=1, gres_type="tesla_v100")
    three = step(
        "c", "open('/one/model/m', 'w').write('m'); print(repr(os.environ['CUDA_VISIBLE_DEVICES']))", after=("b",)
    )
    job = submit(one, two, three, groups=(A100, replace(V100, released_after=("T/b",))))
    job.wait()
    assert job.output == ""
    assert job.ends() == dict.fromkeys("abc", ("completed", ""))
    assert [event["group"] for event in job.events if event["event"] == "group_released"] == [1]
    assert job.events[-1]["ok"] is True
    completed = dict.fromkeys(("+0", "batch", "T/a", "T/b", "T/c"), "COMPLETED")
    assert job.states() == {**completed, "+1": "CANCELLED"}
    assert [job.log(name) for name in "abc"] == [f"{KIM} 0,1\n", "from a\n", "''\n"]
    assert [job.log(name, "stderr") for name in "abc"] == ["", "", ""]
    assert job.launcher("b")[0]["host"] == "gpu3"
    tres = {row["name"]: row["tres"] for row in job.rows() if "." in row["id"]}
    assert "gres/gpu:a100=2" in tres["T/a"]
    assert "gres/gpu:tesla_v100=1" in tres["T/b"]
    assert "gres" not in tres["T/c"]


def test_the_run_directory_is_kims_and_the_portals_group_may_read_it() -> None:
    job = submit(step("a", "open('/one/out/x', 'w')"))
    job.wait()
    folder = job.run_dir.parent.parent
    portal = (SHARED / "runs").stat().st_gid
    found = {path: path.lstat() for path in [folder, job.run_dir.parent, *job.run_dir.parent.rglob("*")]}
    assert {(stat.st_uid, stat.st_gid) for stat in found.values()} == {(KIM, portal)}
    assert [path for path, stat in found.items() if stat.st_mode & 0o027] == []
    assert folder.stat().st_mode & 0o7777 == 0o2750


def test_a_service_on_another_kind_of_node() -> None:
    server = step(
        "server", END_WELL + SERVER, group=1, gpus=1, gres_type="tesla_v100", service=True, ready=Ready(port="auto")
    )
    client = step("client", CLIENT, beside=("server",), gpus=1, gres_type="A100")
    job = submit(server, client, groups=(A100, V100))
    job.wait()
    assert job.ends() == {"server": ("completed", ""), "client": ("completed", "")}
    assert job.log("client") == "hello from gpu3\n"
    assert job.log("server").startswith("told to end ['")
    assert [event["event"] for event in job.launcher("server")] == ["started", "ready", "stopping", "ended"]
    assert job.launcher("server")[-1]["exit_code"] == 0
    assert {job.states()[name] for name in ("T/server", "T/client", "+0")} == {"COMPLETED"}


def test_one_component_on_two_nodes() -> None:
    job = submit(step("wide", RENDEZVOUS, nodes=2, gpus=2, gres_type="A100"), groups=(replace(A100, nodes=2),))
    job.wait()
    assert job.ends() == {"wide": ("completed", "")}
    out = job.run_dir / "steps/T/wide/out"
    assert (out / "rank0").read_text() == "gpu2 of 2 on gpu1, GPUs 0,1"
    assert (out / "rank1").read_text() == "sent of 2 on gpu2, GPUs 0,1"
    assert [event["hosts"] for event in job.events if event["event"] == "step_started"] == [["gpu1", "gpu2"]]


def test_typed_text_arrives_as_typed() -> None:
    code = "json.dump(sys.argv[1:], open('/one/out/args', 'w'))\n"
    code += "json.dump({k: v for k, v in os.environ.items() if k[:2] == 'X_'}, open('/one/out/env', 'w'))"
    one = step("a", code, env={f"X_{number}": value for number, value in enumerate(HOSTILE.values())}, params=HOSTILE)
    job = submit(replace(one, container=python(code.rstrip(), *HOSTILE.values())))
    job.wait()
    assert job.ends() == {"a": ("completed", "")}, job.log("a", "stderr")
    folder = job.run_dir / "steps/T/a"
    assert json.loads((folder / "out/args").read_text()) == list(HOSTILE.values())
    found = json.loads((folder / "out/env").read_text())
    assert found == {f"X_{number}": value for number, value in enumerate(HOSTILE.values())}
    assert json.loads((folder / "config/params.json").read_text()) == HOSTILE


def test_steps_beside_each_other_have_gpus_of_their_own() -> None:
    code = "print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True)\nopen('/one/out/me', 'w')\ntime.sleep(2)"
    job = submit(*(step(name, code, gpus=2, gres_type="A100") for name in ("a", "b")))
    job.wait()
    assert sorted(job.log(name) for name in ("a", "b")) == ["0,1\n", "2,3\n"]
    gpus = sorted(job.launcher(name)[0]["gpus"] for name in ("a", "b"))
    assert gpus == [[0, 1], [2, 3]]
    usage = lines_of(job.run_dir / "steps/T/a/t1/usage.0.jsonl")
    assert usage[0]["rss_mib"] > 1
    assert usage[0]["gpus"] is None


def test_shares_of_one_gpu() -> None:
    job = submit(
        *(step(name, "print(os.environ['CUDA_VISIBLE_DEVICES'])", shards=2) for name in ("a", "b")), groups=(SHARDS,)
    )
    job.wait()
    assert job.ends() == {"a": ("completed", ""), "b": ("completed", "")}
    assert job.log("a") == job.log("b") == "0\n"


def test_inputs_and_configuration_are_read_only_and_tmp_is_large() -> None:
    code = """
for path in ("/one/in/a/x", "/one/config/app.json"):
    try:
        open(path, "a")
    except OSError as exc:
        print(path, exc.strerror)
with open("/tmp/large", "wb") as file:
    for _ in range(200): file.write(bytes(1048576))
seen = [os.path.exists(path) for path in ("/shared", "/home/kim/.config")]
print(os.path.getsize("/tmp/large") >> 20, sorted(os.listdir("/one")), seen)
"""
    writes = "open('/one/out/x', 'w'); open('/one/metrics.jsonl', 'a').write('{\"episode\": 1}\\n')"
    job = submit(step("a", writes), step("b", code, after=("a",)))
    job.wait()
    assert lines_of(job.run_dir / "steps/T/a/metrics.jsonl") == [{"episode": 1}]
    one = "['checkpoint', 'config', 'in', 'metrics.jsonl', 'model', 'out']"
    told = "/one/in/a/x Read-only file system\n/one/config/app.json Read-only file system\n"
    assert job.log("b") == told + f"200 {one} [False, False]\n"
    assert on(job.launcher("b")[0]["host"], "find", "/tmp", "-maxdepth", "1", "-name", f"one-{job.job_id}.*") == ""


def test_a_users_own_secrets_are_shown_to_his_jobs_alone() -> None:
    folder = "/home/kim/.config/one/secrets"
    for node in ("gpu1", "gpu2"):
        on(node, "install", "-d", "-m", "700", "-o", "kim", folder)
        on(node, "install", "-m", "600", "-o", "kim", "/dev/null", f"{folder}/token")
    try:
        job = submit(step("a", "print(os.listdir('/one/secrets'))"))
        job.wait()
    finally:
        for node in ("gpu1", "gpu2"):
            on(node, "rm", "-r", folder)
    assert job.log("a") == "['token']\n"


@pytest.mark.parametrize(
    ("code", "reason", "exit_code", "signal"),
    [
        ("print('no good', file=sys.stderr); sys.exit(7)", "exit", 7, None),
        ("os.kill(os.getpid(), 9)", "signal", 137, 9),
        ("os.abort()", "signal", 134, 6),
    ],
)
def test_a_failing_step(code: str, reason: str, exit_code: int, signal: int | None) -> None:
    job = submit(
        step("bad", "time.sleep(1)\n" + code), step("other", END_WELL + FOREVER), step("behind", "pass", after=("bad",))
    )
    job.wait()
    expected = {
        "bad": ("failed", reason),
        "behind": ("skipped", "dependency_failed"),
        "other": ("stopped", "stopped_after_failure"),
    }
    assert job.ends() == expected
    cause = job.events[-1]["first_failure"]
    assert (cause["step"], cause["exit_code"], cause["signal"]) == ("T/bad", exit_code, signal)
    assert job.log("other").startswith("here\ntold to end ['")
    assert job.states()[""] == "FAILED"
    assert ("no good" in cause["last_lines"]) == (exit_code == 7)


def test_an_image_that_is_not_there() -> None:
    one = step("a", "pass")
    container = replace(one.container, command=("/shared/images/missing.sif", *one.container.command[1:]))
    job = submit(replace(one, container=container))
    job.wait()
    assert job.ends() == {"a": ("failed", "exit")}
    assert "missing.sif" in " ".join(job.events[-1]["first_failure"]["last_lines"])


def test_a_components_own_time_limit() -> None:
    job = submit(step("a", END_WELL + FOREVER, time_limit_s=2))
    job.wait()
    assert job.ends() == {"a": ("failed", "time_limit")}
    assert job.log("a").startswith("here\ntold to end ['")


def test_a_payload_that_will_not_end_is_killed() -> None:
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nif os.fork() == 0: os.setsid()\n" + FOREVER
    job = submit(step("a", code, time_limit_s=1), stop_grace_s=1.0)
    job.wait()
    assert job.ends() == {"a": ("failed", "time_limit")}
    host = job.launcher("a")[0]["host"]
    assert on(host, "pgrep", "-u", "kim", "-f", "SIG_IGN", check=False) == ""


def test_a_fixed_port_that_is_taken_is_named() -> None:
    code = "s = socket.create_server(('', 18080))\n" + FOREVER
    first = step("first", code, service=True, ready=Ready(port=18080))
    second = step("second", code, service=True, ready=Ready(port=18080), beside=("first",))
    job = submit(first, second, step("client", "pass", beside=("second",)))
    job.wait()
    assert job.ends()["second"] == ("failed", "port_taken")
    assert "port 18080 is taken on gpu" in job.events[-1]["first_failure"]["last_lines"][-1]


def test_a_cancel_while_running_is_clean() -> None:
    one = step("a", END_WELL + FOREVER, gpus=1, gres_type="A100")
    job = submit(one, step("b", END_WELL + FOREVER, group=1), groups=(A100, V100))
    wait_until_it_says(job, "a", "b")
    began = time.monotonic()
    job.cancel_gracefully()
    job.wait()
    assert time.monotonic() - began < 15
    assert job.ends() == {"a": ("stopped", "cancelled"), "b": ("stopped", "cancelled")}
    assert [job.log(name)[:16] for name in ("a", "b")] == ["here\ntold to end"] * 2
    assert job.events[-1] | {"t": 0} == {"t": 0, "event": "runner_ended", "ok": False, "first_failure": None}
    assert job.states()["+0"] == "FAILED"


def test_a_plain_scancel_is_still_reported() -> None:
    """Slurm signals every process: the payload loses its file system, but launchers and runner say what happened."""
    job = submit(step("a", FOREVER), step("b", FOREVER, group=1), groups=(A100, V100))
    wait_until_it_says(job, "a", "b")
    as_kim("scancel", str(job.job_id))
    job.wait()
    assert job.ends() == {"a": ("stopped", "cancelled"), "b": ("stopped", "cancelled")}
    assert job.events[-1]["ok"] is False
    assert {job.states()[name] for name in ("+0", "+1")} == {"CANCELLED"}


def test_a_step_that_somebody_kills_is_a_failure() -> None:
    job = submit(step("a", FOREVER), step("b", END_WELL + FOREVER))
    wait_until_it_says(job, "a", "b")
    numbers = {row["name"]: row["id"] for row in job.rows()}
    as_kim("scancel", numbers["T/a"])
    job.wait()
    host = job.launcher("a")[0]["host"]
    on(host, "find", "/tmp", "-maxdepth", "1", "-name", f"one-{job.job_id}.*", "-exec", "rm", "-r", "{}", "+")
    assert job.ends() == {"a": ("failed", "signal"), "b": ("stopped", "stopped_after_failure")}
    assert job.events[-1]["first_failure"]["signal"] == 9


def test_the_jobs_time_limit_stops_the_steps_before_slurm_does() -> None:
    job = submit(step("a", END_WELL + FOREVER), time_min=2)
    job.wait()
    assert job.ends() == {"a": ("stopped", "time_limit")}
    assert job.log("a").startswith("here\ntold to end ['")
    assert [event["reason"] for event in job.events if event["event"] == "stopping"] == ["time_limit"]
    assert job.states()[""] == "FAILED"


def test_a_component_left_behind_by_a_refused_submission_does_nothing() -> None:
    whole = submit(step("a", "pass"), step("b", "pass", group=1), groups=(A100, V100))
    whole.wait()
    script = next((SHARED / FOLDER).glob(f"{whole.run_dir.parent.name}.py"))
    argv = [
        "--parsable",
        "--output=/shared/runs/.out/%j.log",
        "--chdir=/shared",
        "--mem=100",
        "--time=1",
        "--account=lab",
    ]
    job_id = int(as_kim("sbatch", *argv, f"/shared/{FOLDER}/{script.name}"))
    alone = LabJob(job_id, whole.run_dir, SHARED / f"runs/.out/{job_id}.log")
    alone.wait()
    assert alone.states()[""] == "FAILED"
    assert alone.output == "refused: the plan has 2 het groups, SLURM_HET_SIZE is not set\n"


def test_several_passes() -> None:
    job = submit(
        step("a", "sys.exit(3 * (os.environ['ONE_ITERATION'] == '2'))"), step("b", "pass", after=("a",)), iterations=3
    )
    job.wait()
    passes = [(event["iteration"], event["ok"]) for event in job.events if event["event"] == "iteration_ended"]
    assert passes == [(1, True), (2, False), (3, True)]
    assert sorted(name for name in os.listdir(job.run_dir) if name.startswith("i")) == ["i1", "i2", "i3"]
