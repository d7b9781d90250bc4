"""The configured lab: a second run changes nothing, secrets stay where they belong, researchers cannot move portal jobs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.agent_harness import ROOT, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

APPLY_TIMEOUT_S = 840
RECAP = re.compile(r"^(\w+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)
HOSTS = {"ctl", "svc", "gpu1", "gpu2", "gpu3"}


def apply(*more: str) -> dict[str, tuple[int, int]]:
    """Run the playbook with further arguments; (changed, failed) of each host."""
    argv = [str(ROOT / "lab/lab"), "apply", *more]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=APPLY_TIMEOUT_S, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    return {host: (int(changed), int(failed)) for host, _, changed, _, failed in RECAP.findall(ran.stdout)}


def as_user(user: str, node: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody who may be refused."""
    argv = [str(ROOT / "lab/lab"), "exec", node, "--", "runuser", "-u", user, "--", *command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    unchanged = dict.fromkeys(HOSTS, (0, 0))
    if apply() == unchanged:
        return
    # That one brought this checkout's wheel, or mended what a test before left otherwise.
    (built,) = (ROOT / ".lab/dist").glob("*.whl")
    wheel = shutil.copy(built, tmp_path)  # the checkout may be edited meanwhile; the wheel is built anew each time
    assert apply("--", "-e", f"one_wheel={wheel}") == unchanged


@pytest.mark.parametrize(
    ("user", "node", "path"),
    [
        ("kim", "svc", "/etc/one/credentials/jwt_hs256.key"),
        ("one-daemon", "svc", "/etc/one/credentials/jwt_hs256.key"),
        ("one-web", "svc", "/etc/one/credentials/s3_secret_key.daemon"),
        ("one-agent", "svc", "/etc/one/credentials/database_password.daemon"),
        ("one-convert", "svc", "/etc/minio/minio.env"),
        ("kim", "ctl", "/etc/slurm/jwt_hs256.key"),
        ("kim", "ctl", "/etc/slurm/slurmdbd.conf"),
        ("kim", "gpu1", "/etc/munge/munge.key"),
        ("one-web", "svc", "/etc/ssl/one/minio.key"),
    ],
)
def test_secrets_are_readable_by_their_owner_alone(user: str, node: str, path: str) -> None:
    on(node, "test", "-s", path)
    assert "Permission denied" in as_user(user, node, "cat", path).stderr


@pytest.mark.parametrize("user", ["kim", "one-web", "one-convert"])
def test_only_the_daemon_reaches_the_agent(user: str) -> None:
    script = "import socket; socket.socket(socket.AF_UNIX).connect('/run/one-agent/agent.sock')"
    assert "PermissionError" in as_user(user, "svc", "python3", "-c", script).stderr


@pytest.mark.parametrize("user", ["kim", "one-web", "one-daemon"])
def test_only_the_agent_reaches_slurmrestd(user: str) -> None:
    script = "import socket; socket.socket(socket.AF_UNIX).connect('/run/slurmrestd/slurmrestd.sock')"
    assert "PermissionError" in as_user(user, "svc", "python3", "-c", script).stderr


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("SELECT count(*) FROM audit", True),
        ("DELETE FROM audit", False),
        ("UPDATE audit SET result = 'ok' WHERE false", False),
        ("UPDATE users SET role = role WHERE false", True),
        ("UPDATE users SET mapping_state = 'verified' WHERE false", False),
        ("UPDATE users SET username = 'root' WHERE false", False),
        ("DELETE FROM users WHERE false", False),
        ("UPDATE slurm_jobs SET status = 'done' WHERE false", False),
        ("UPDATE workloads SET note = note WHERE false", True),
        ("CREATE TABLE intruder ()", False),
        ("COPY (SELECT 1) TO PROGRAM 'id'", False),
    ],
)
def test_the_web_role_can_do_its_work_and_no_more(statement: str, allowed: bool) -> None:
    done = as_user("postgres", "svc", "psql", "-X", "-d", "one", "-c", f"SET ROLE one_web; {statement}")
    assert ("permission denied" not in done.stderr) is allowed, done.stderr


def test_researchers_cannot_move_portal_jobs_but_may_shorten_and_cancel_them() -> None:
    options = ("--parsable", "--hold", "--time=10", "--mem=100M", "--comment=one:W-TEST:a1:j0:0", "--output=/dev/null")
    job = as_user("kim", "svc", "sbatch", "--chdir=/", *options, "--wrap=true").stdout.strip()
    try:
        for change in ("nice=1", "qos=one-low", "priority=1", "comment=mine"):
            done = as_user("kim", "svc", "scontrol", "update", f"jobid={job}", change)
            assert "ask an administrator" in done.stderr, (change, done)
        assert as_user("kim", "svc", "scontrol", "release", job).returncode != 0
        assert as_user("kim", "svc", "scontrol", "update", f"jobid={job}", "timelimit=5").returncode == 0
        on("ctl", "scontrol", "update", f"jobid={job}", "nice=7", "qos=one-high")
        shown = on("ctl", "squeue", "--noheader", "--job", job, "--format=%q %l")
        assert shown.split() == ["one-high", "5:00"]
    finally:
        assert as_user("kim", "svc", "scancel", job).returncode == 0


def test_researchers_may_not_ask_for_the_high_level() -> None:
    done = as_user("kim", "svc", "sbatch", "--chdir=/", "--qos=one-high", "--time=1", "--wrap=true")
    assert done.returncode != 0
    assert "Invalid qos" in done.stderr


def test_a_service_hides_from_itself_what_it_does_not_need() -> None:
    for unit, hidden in {
        "one-web": {"/run/munge", "/run/slurmrestd", "/run/one-agent", "/etc/slurm"},
        "one-daemon": {"/run/munge", "/run/slurmrestd"},
        "one-agent": {"/shared", "/training-data"},
    }.items():
        pid = on("svc", "systemctl", "show", "--property=MainPID", "--value", unit).strip()
        for path in sorted(hidden):
            seen = on("svc", "nsenter", "-t", pid, "-m", "stat", "--format=%a", path).strip()
            assert seen == "0", f"{unit} sees {path} with mode {seen}"
