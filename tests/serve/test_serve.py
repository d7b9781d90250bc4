"""`one serve --simulate` as its users have it: a process, the real `one` beside it, Ctrl-C, and a second start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from portal.cli.words import _WORDS
from portal.serve.demo import examples
from portal.serve.errors import CODES

EXAMPLE = Path(__file__).parents[1] / "spec" / "data" / "app-spec-example.json"
CO_RUNNING = Path(__file__).parents[2] / "examples" / "co-running" / "app.json"
ONE = [str(Path(sys.executable).with_name("one"))]
PATIENCE_S = 300.0
WHOLE_TIMEOUT_S = 1800


class Person:
    """Somebody at a terminal with a login of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.url = ""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ONE_", "LC_"))}
        self.environment = {**kept, "XDG_CONFIG_HOME": str(folder / "config"), "LANG": "en_US.UTF-8"}

    def run(self, *args: str, code: int = 0, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """`one ARGS`; another exit code than `code` fails the test."""
        ran = subprocess.run(
            [*ONE, *args],
            env=self.environment,
            input=given,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert ran.returncode == code, (args, ran.returncode, ran.stdout, ran.stderr)
        return ran

    def submit(self, file: Path, *args: str) -> dict[str, Any]:
        """The workload that `one submit` made."""
        document: dict[str, Any] = json.loads(self.run("submit", str(file), *args, "-o", "json").stdout)
        return document

    def get(self, path: str) -> httpx2.Response:
        """What the API answers; asked again and again, a process each time would be slow."""
        token = (self.data / "token").read_text().strip()
        return httpx2.get(f"{self.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S)

    def until(self, workload: str, *states: str) -> dict[str, Any]:
        """The workload's document once it is in one of these states."""
        deadline = time.monotonic() + PATIENCE_S
        document: dict[str, Any] = {}
        while time.monotonic() < deadline and document.get("state") not in states:
            document = self.get(f"/workloads/{workload}").json()
            time.sleep(0.2)
        assert document["state"] in states, document
        return document

    @contextmanager
    def serving(self, *args: str, speed: str = "50") -> Iterator[str]:
        """The address of a portal that is ended by Ctrl-C when the block ends; it must leave nothing running."""
        argv = [*ONE, "serve", "--simulate", "--data", str(self.data), "--port", "0", "--speed", speed, *args]
        said = self.folder / "said"
        with said.open("w") as file:
            process = subprocess.Popen(argv, env=self.environment, stdout=subprocess.PIPE, stderr=file, text=True)
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url, said.read_text()
            children = children_of(process.pid)
            assert len(children) == 1
            self.url = url
            self.run("login", "--url", url, "--token-stdin", given=(self.data / "token").read_text())
            yield url
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0, said.read_text()
            assert not any(Path("/proc", str(child)).exists() for child in children)
            assert "Stopped." in said.read_text()
        finally:
            process.kill()
            process.wait(PATIENCE_S)
            process.stdout.close()


def children_of(pid: int) -> list[int]:
    """Process ids of the direct children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


@pytest.mark.whole
@pytest.mark.timeout(WHOLE_TIMEOUT_S)
def test_the_example_from_spec_file_to_model(person: Person) -> None:
    with person.serving():
        answer = person.get("/status")
        assert answer.json()["simulated"] is True
        assert answer.headers["one-simulated"] == "true"
        assert "Simulated cluster" in person.run("status").stderr
        submitted = person.submit(EXAMPLE)
        workload = submitted["id"]
        assert submitted["needsApproval"]
        person.until(workload, "awaiting_approval")
        person.run("approve", workload, code=6)  # not before its test has passed
        person.run("test", workload, "--wait")
        person.run("approve", workload)
        followed = person.run("logs", workload, "--follow").stdout
        assert "[CL-REF-002] simulated: episode 1000/1000 reward " in followed
        document = person.until(workload, "completed")
        assert document["loopTest"]["status"] == "passed"
        person.run("models", "download", "APP-A1B2C3", "1", "--to", "model")
        assert b"simulated" in (person.folder / "model" / "policy.safetensors").read_bytes()


@pytest.mark.whole
@pytest.mark.timeout(WHOLE_TIMEOUT_S)
def test_what_runs_when_it_is_stopped_goes_on_at_the_second_start(person: Person) -> None:
    with person.serving(speed="3"):
        workload = person.submit(CO_RUNNING)["id"]
        person.until(workload, "running", "completed")  # a slow machine may not see it run
        held = person.run("serve", "--simulate", "--data", str(person.data), code=8)
        assert "is used by another one serve" in held.stderr
    with person.serving():
        document = person.until(workload, "completed")
        assert [job["attempt"] for job in document["slurmJobs"]] == [1]
        assert [model["version"] for model in person.get("/models").json()["items"]] == [1]


@pytest.mark.whole
@pytest.mark.timeout(WHOLE_TIMEOUT_S)
def test_the_demo_has_something_to_see_and_a_cancel_stops_a_run(person: Person) -> None:
    with person.serving("--demo", speed="1"):
        apps = {item["appId"]: item["id"] for item in person.get("/workloads").json()["items"]}
        assert set(apps) == {"APP-A1B2C3", "APP-CORUN1", "APP-TWONODES"}
        running = apps["APP-CORUN1"]
        person.until(running, "running")
        assert person.get("/nodes").json()["gpus"]["A100"]["allocated"] > 0
        assert "(Cancelled)" in person.run("cancel", running, "--wait").stdout


@pytest.mark.whole
@pytest.mark.timeout(WHOLE_TIMEOUT_S)
def test_a_taken_port_is_named_before_anything_is_started(person: Person) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ran = person.run("serve", "--simulate", "--data", str(person.data), "--port", port, code=8)
    assert f"Port {port} cannot be opened" in ran.stderr
    assert not (person.data / "seaweedfs.log").exists()


@pytest.mark.whole
@pytest.mark.timeout(WHOLE_TIMEOUT_S)
def test_without_the_extra_its_name_is_told(person: Person, tmp_path: Path) -> None:
    code = "import sys; sys.executable = sys.argv.pop(1); sys.argv[0] = 'one'; from portal.cli.main import app; app()"
    person.environment["PATH"] = str(tmp_path)
    argv = [sys.executable, "-c", code, str(tmp_path / "python"), "serve", "--simulate", "--data", str(person.data)]
    ran = subprocess.run(argv, env=person.environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ran.returncode == 8
    assert "pip install 'avatar-one[serve]'" in ran.stderr


def test_the_wheel_brings_every_example() -> None:
    root = Path(__file__).parents[2]
    packed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {f"examples/{name}/app.json": f"portal/serve/examples/{name}.json" for name in examples()}
    assert wanted.items() <= packed["force-include"].items()
    assert len(wanted) == 3


def test_every_trouble_has_its_words() -> None:
    assert {f"serve_{code}" for code in CODES} <= set(_WORDS)
