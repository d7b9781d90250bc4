"""`one serve --shared` on the lab's svc as an ordinary user: own token, own slurmrestd, own Apptainer, to the stored model."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import SHARED, as_user, on, until
from tests.lab.road_harness import app, component

pytestmark = [pytest.mark.lab, pytest.mark.beside]
USER = "kim"
ONE = "/opt/one/venv/bin/one"
UNIT = "one-serve-test"
PORT = 8123
PATIENCE_S = 300.0
SETTINGS = """
[slurm]
gpu_labels = {tesla_v100 = "V100"}
fake_gpus = true
[images]
ca_file = "/etc/ssl/certs/ca-certificates.crt"
"""
MODEL = "import pathlib; pathlib.Path('/one/model/policy.txt').write_text('kim'); print('trained as', __import__('os').getuid())"


class Portal:
    """A portal of kim's own, as a transient unit of svc; `place` is the same folder here and there."""

    def __init__(self, name: str) -> None:
        self.folder = f"/shared/{name}"
        self.here = SHARED / name
        self.data = f"{self.folder}/data"

    def one(self, *words: str) -> str:
        """`one WORDS` on svc as kim, with this portal's token; its output."""
        token = on("svc", "cat", f"{self.data}/token").strip()
        login = (f"ONE_URL=http://127.0.0.1:{PORT}", f"ONE_TOKEN={token}", "ONE_LANG=en", f"HOME={self.folder}")
        return as_user("svc", USER, "env", *login, ONE, *words)

    def json(self, *words: str) -> Any:
        """The same as a document."""
        return json.loads(self.one(*words, "-o", "json"))

    def said(self) -> str:
        """What it wrote to its terminal."""
        return on("svc", "journalctl", "-u", UNIT, "--no-pager", "-o", "cat", check=False)


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    made = Portal(f"serve-{secrets.token_hex(4)}")
    on("svc", "install", "-d", "-o", USER, "-m", "0700", made.folder)
    settings = made.here / "more.toml"
    settings.write_text(SETTINGS)
    settings.chmod(0o644)
    options = ("--shared", f"{made.folder}/one", "--data", made.data, "--port", str(PORT))
    images = ("--registry", "registry.avatar.io", "--settings", f"{made.folder}/more.toml")
    how = ("--collect", "-p", f"User={USER}", "-p", f"Environment=HOME={made.folder}", "-p", "Environment=ONE_LANG=en")
    on("svc", "systemctl", "stop", UNIT, check=False)
    on("svc", "systemd-run", f"--unit={UNIT}", *how, ONE, "serve", *options, *images)
    try:
        until(f"it serves: {made.said()}", lambda: "Ctrl-C ends it" in made.said(), timeout_s=PATIENCE_S)
        yield made
    finally:
        on("svc", "systemctl", "stop", UNIT, check=False)
        on("svc", "rm", "-rf", made.folder)


def test_the_nodes_are_looked_at(portal: Portal) -> None:
    until("both partitions are told", lambda: portal.said().count(" sees ") == 2, timeout_s=PATIENCE_S)
    assert "apptainer version" in portal.said()


def test_an_app_runs_as_its_owner_and_its_model_is_stored(portal: Portal, tmp_path: Path) -> None:
    spec = app(component("TRAIN-1", MODEL, gpu_type="V100", gpu_count=1))
    (portal.here / "app.json").write_text(json.dumps(spec))
    (portal.here / "app.json").chmod(0o644)
    workload = portal.json("submit", f"{portal.folder}/app.json", "--time-limit", "10")["id"]

    def ended() -> dict[str, Any] | None:
        document: dict[str, Any] = portal.json("show", workload)
        return document if document["state"] in ("completed", "failed", "cancelled", "rejected") else None

    document = until(f"{workload} has ended", ended, timeout_s=PATIENCE_S)
    assert document["state"] == "completed", document["failure"]
    assert "trained as 2001" in portal.one("logs", workload)
    (job,) = document["slurmJobs"]
    rows = on("ctl", "sacct", "-n", "-P", "-X", "-j", str(job["jobId"]), "-o", "user,account,qos,state")
    assert rows.strip() == f"{USER}|lab|normal|COMPLETED"
    portal.one("models", "download", spec["app_id"], "1", "--to", f"{portal.folder}/model")
    assert on("svc", "cat", f"{portal.folder}/model/policy.txt") == "kim"


def test_a_run_is_cancelled(portal: Portal) -> None:
    spec = app(component("SLEEP-1", "import time; print('up', flush=True); time.sleep(600)"))
    (portal.here / "long.json").write_text(json.dumps(spec))
    (portal.here / "long.json").chmod(0o644)
    workload = portal.json("submit", f"{portal.folder}/long.json", "--time-limit", "10")["id"]
    until("it is running", lambda: portal.json("show", workload)["state"] == "running", timeout_s=PATIENCE_S)
    portal.one("cancel", workload, "--wait")
    assert portal.json("show", workload)["state"] == "cancelled"


def test_others_on_the_host_reach_the_sign_in_page_and_nothing_else(portal: Portal) -> None:
    token = on("svc", "cat", f"{portal.data}/token").strip()
    for secret in (token, on("svc", "cat", f"{portal.data}/s3_secret_key").strip()):
        assert secret not in on("svc", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "eyJ" not in on("svc", "sh", "-c", f"cat /proc/[0-9]*/cmdline {portal.data}/*.log | tr '\\0' ' '")
    pid = on("svc", "systemctl", "show", "-p", "MainPID", "--value", UNIT).strip()
    mine = on("svc", "sh", "-c", f"ss -Hltnp | grep -e 'pid={pid},' -e weed -e slurmrestd.*kim || true").splitlines()
    assert len(mine) == 1, mine
    assert f"127.0.0.1:{PORT} " in mine[0]
    refused = as_user(
        "svc", "park", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{PORT}/workloads"
    )
    assert refused in ("302", "303", "401")
