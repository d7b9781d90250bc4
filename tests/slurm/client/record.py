"""Records slurmrestd's answers on the lab, one file a REST version and situation, for the parser's tests.

    lab/lab exec svc -- env PYTHONPATH=/shared/lab-agent /opt/one/venv/bin/python /shared/lab-agent/record.py OUT_DIR

`tests/lab/test_agent.py::test_recordings_can_be_made_again` does this. A listing is cut down to the jobs of the recording;
nothing else is changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2

from slurm.agent.rest import REST_VERSIONS, Rest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.tokens import Signer
from slurm.errors import SlurmError
from slurm.submission import Component, Submission

SOCKET = Path("/run/slurmrestd/slurmrestd.sock")
KEY = Path("/etc/one/credentials/jwt_hs256.key")
OPERATOR, OWNER, ACCOUNT = "one-operator", "kim", "lab"
PATIENCE_S = 60
DEAF = '#!/bin/sh\ntrap "" TERM\nexec sleep 600\n'
RELEASING = '#!/bin/bash\nsrun --het-group=0 --mem=64 true\nscancel "$SLURM_JOB_ID+1"\nexit 0\n'


class Recorder(httpx2.BaseTransport):
    """Passes calls on and writes the answer of the next one to a file when told its name."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self._inner = httpx2.HTTPTransport(uds=str(socket))
        self._folder = folder
        self.situation = ""
        self.keep: set[int] = set()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self._inner.handle_request(request)
        text = response.read().decode()
        if self.situation and ("/ping/" not in request.url.path or self.situation == "ping"):
            self._write(request, response, text)
        return response

    def _write(self, request: httpx2.Request, response: httpx2.Response, text: str) -> None:
        try:
            body: Any = json.loads(text)
        except ValueError:
            body = text
        if isinstance(body, dict) and self.situation == "jobs":
            body["jobs"] = [job for job in body["jobs"] if job["job_id"] in self.keep]
        recording = {
            "request": {"method": request.method, "url": str(request.url)},
            "status": response.status_code,
            "headers": dict(response.headers),
            "body": body,
        }
        path = self._folder / f"{self.situation}.json"
        path.write_text(json.dumps(recording, indent=1, ensure_ascii=False) + "\n")
        self.situation = ""


def component(name: str, partition: str, gres: str, **changes: Any) -> Component:
    """A modest component."""
    modest = Component(
        name=name,
        account=ACCOUNT,
        partition=partition,
        qos="one-normal",
        nice=400_000_000,
        nodes=1,
        cpus=1,
        memory_mib=256,
        gres=gres,
        constraint="",
        time_limit_min=5,
        comment=f"one:{name}",
        wckey="one-record",
    )
    return replace(modest, **changes)


def job(script: str, *components: Component) -> Submission:
    """A submission of kim's."""
    return Submission(OWNER, script, "/tmp", "/dev/null", ("PATH=/usr/bin:/bin",), components)


def until(condition: Callable[[], bool], what: str) -> None:
    """Poll, for a recording needs a state that Slurm reaches in its own time."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.2)


def record(version: str, folder: Path) -> None:
    """All situations of one REST version."""
    folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(SOCKET, folder)
    signer = Signer.from_file(KEY)
    calls = SlurmRest(Rest(signer, socket=SOCKET, timeout_s=30, transport=recorder, versions=(version,)), OPERATOR)
    forged = Rest(Signer(b"x" * 64), socket=SOCKET, timeout_s=30, transport=recorder, versions=(version,))

    def shot(situation: str, call: Callable[[], Any]) -> Any:
        recorder.situation = situation
        with suppress(SlurmError):
            return call()
        return None

    shot("ping", calls.ping)
    shot("nodes", calls.nodes)
    shot("partitions", calls.partitions)
    shot("associations", lambda: calls.has_association(OWNER, ACCOUNT))
    shot("associations-none", lambda: calls.has_association("nobody-here", ACCOUNT))
    shot("users-operator", lambda: calls.admin_level(OPERATOR))
    shot("bad-token", lambda: SlurmRest(forged, OPERATOR).nodes())
    shot("job-unknown", lambda: calls.components(4_000_000))
    shot("accounting-none", lambda: calls.accounting([4_000_000]))
    _record_hetjob(version, calls, recorder, shot)
    _record_refusals(version, calls, shot)
    _record_outage(version, signer, folder)


def _record_hetjob(version: str, calls: SlurmRest, recorder: Recorder, shot: Callable[..., Any]) -> None:
    name = f"one-record-{version}-{int(time.time())}"
    pair = component(name, "a100", "gpu:A100:1", hold=True), component(name, "v100", "shard:2", hold=True)
    leader = shot("submit", lambda: calls.submit(job(RELEASING, *pair)))
    recorder.keep = {leader, leader + 1}
    shot("job-held", lambda: calls.components(leader))
    shot("update", lambda: calls.update(leader, {"nice": 399_999_000, "qos": "one-high"}))
    shot("jobs", calls.jobs)
    calls.update(leader, {"hold": False})
    calls.update(leader + 1, {"hold": False})
    until(lambda: all(one.state == "COMPLETED" for one in calls.components(leader)[:1]), "the hetjob has ended")
    shot("job-ended", lambda: calls.components(leader))
    until(lambda: {row.state for row in calls.accounting([leader, leader + 1])} <= {"COMPLETED", "CANCELLED"}, "rows")
    shot("accounting-released", lambda: calls.accounting([leader, leader + 1]))
    shot("accounting-named", lambda: calls.accounting_named(user=OWNER, account=ACCOUNT, name=name))
    shot("cancel-ended", lambda: calls.cancel(OWNER, leader))


def _record_refusals(version: str, calls: SlurmRest, shot: Callable[..., Any]) -> None:
    name = f"one-record-{version}-{int(time.time())}-b"
    one = component(name, "a100", "gpu:A100:1")
    shot("submit-qos-refused", lambda: calls.submit(job(DEAF, replace(one, qos="one-high"))))
    shot("submit-too-large", lambda: calls.submit(job(DEAF, replace(one, gres="gpu:A100:9"))))
    leader = calls.submit(job(DEAF, one))
    until(lambda: calls.components(leader)[0].state == "RUNNING", "a plain job runs")
    shot("job-running", lambda: calls.components(leader))
    shot("update-qos-running", lambda: calls.update(leader, {"qos": "one-low"}))
    shot("signal", lambda: calls.signal_runner(OWNER, leader))
    shot("cancel", lambda: calls.cancel(OWNER, leader))
    until(lambda: calls.accounting([leader])[0].state == "CANCELLED", "its row")
    shot("accounting-cancelled", lambda: calls.accounting([leader]))


@contextmanager
def deaf_slurmrestd(folder: Path) -> Iterator[Path]:
    """A slurmrestd of our own whose controller and database are ports where nobody listens."""
    conf = Path("/etc/slurm/slurm.conf").read_text()
    lines = [line for line in conf.splitlines() if not line.startswith(("SlurmctldPort", "AccountingStoragePort"))]
    (folder / "slurm.conf").write_text("\n".join([*lines, "SlurmctldPort=9", "AccountingStoragePort=9", ""]))
    for include in Path("/etc/slurm").glob("*.conf"):
        if include.name != "slurm.conf":
            (folder / include.name).write_text(include.read_text())
    socket = folder / "deaf.sock"
    command = ["/usr/sbin/slurmrestd", "-f", str(folder / "slurm.conf"), "-a", "rest_auth/jwt", f"unix:{socket}"]
    process = subprocess.Popen(
        command, env={"SLURM_JWT": "daemon"}, user="slurmrestd", group="slurmrestd", extra_groups=()
    )
    try:
        until(socket.exists, "our own slurmrestd listens")
        yield socket
    finally:
        process.terminate()
        process.wait(10)


def _record_outage(version: str, signer: Signer, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        with deaf_slurmrestd(Path(name)) as socket:
            recorder = Recorder(socket, folder)
            rest = Rest(signer, socket=socket, timeout_s=60, transport=recorder, versions=(version,))
            calls = SlurmRest(rest, OPERATOR)
            for situation, call in (("controller-down", calls.jobs), ("database-down", lambda: calls.accounting([1]))):
                recorder.situation = situation
                with suppress(SlurmError):
                    call()


def main() -> None:
    """Record every version into a folder."""
    for version in REST_VERSIONS:
        record(version, Path(sys.argv[1]) / version)
        print(version, "recorded")


if __name__ == "__main__":
    main()
