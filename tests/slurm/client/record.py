"""Records slurmrestd's answers on the lab, one file a Slurm version, REST version and situation, for the parser's tests.

    lab/lab exec svc -- env PYTHONPATH=/shared/lab-agent /opt/one/venv/bin/python -m tests.slurm.client.record OUT_DIR

`tests/lab/test_agent.py::test_quick_recordings_can_be_made_again` lays it out there and makes the quick ones; all of them
need a lab that nobody uses (docs/slurm-versions.md). Each file is one answer with its status and headers (the request's
headers, which hold a token, are not kept). A listing is cut down to the objects of the situation; nothing else is changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from slurm.agent.rest import REST_VERSIONS, Rest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.tokens import Signer
from slurm.errors import SlurmError
from slurm.submission import Component, Submission
from tests.slurm.client.scenes import (
    ACCOUNT,
    OWNER,
    PARTITION,
    RECORD,
    SCENES,
    TWO_GPUS,
    Scene,
    Shot,
    is_in,
    jobs,
    one,
    partition,
    run,
    sacctmgr,
    until,
)

SOCKET = Path("/run/slurmrestd/slurmrestd.sock")
KEY = Path("/etc/one/credentials/jwt_hs256.key")
OPERATOR = "one-operator"
ASKED = tuple(f"v0.0.{number}" for number in range(39, 48))
"""REST versions before and after ours: what slurmrestd says to one that it does not speak is recorded too."""
DEAF = '#!/bin/sh\ntrap "" TERM\nexec sleep 600\n'
RELEASING = '#!/bin/bash\nsrun --het-group=0 --mem=64 true\nscancel "$SLURM_JOB_ID+1"\nexit 0\n'


class Recorder(httpx2.BaseTransport):
    """Passes calls on and writes the answer of the next one to a file when told its name."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self._inner = httpx2.HTTPTransport(uds=str(socket))
        self._folder = folder
        self.situation = ""
        self.keep: frozenset[int | str] = frozenset()

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
        if isinstance(body, dict) and self.keep:
            for key in ("jobs", "nodes", "partitions"):
                body |= {key: [thing for thing in body[key] if self._kept(thing)]} if key in body else {}
        recording = {
            "request": {"method": request.method, "url": str(request.url)},
            "status": response.status_code,
            "headers": dict(response.headers),
            "body": body,
        }
        path = self._folder / f"{self.situation}.json"
        path.write_text(json.dumps(recording, indent=1, ensure_ascii=False) + "\n")
        self.situation, self.keep = "", frozenset()

    def _kept(self, thing: Any) -> bool:
        return not self.keep.isdisjoint((thing.get("job_id"), thing.get("name")))


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


class Version:
    """One REST version and what was asked of it."""

    def __init__(self, version: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = version
        self.folder = folder
        self.signer = Signer.from_file(KEY)
        self.recorder = Recorder(SOCKET, folder)
        self.calls = self._calls(self.signer)
        self.forged = self._calls(Signer(b"x" * 64))

    def _calls(self, signer: Signer) -> SlurmRest:
        rest = Rest(signer, socket=SOCKET, timeout_s=30, transport=self.recorder, versions=(self.name,))
        return SlurmRest(rest, OPERATOR)

    def shot(self, situation: str, call: Callable[[], Any], keep: frozenset[int | str] = frozenset()) -> Any:
        """The answer to the next call is kept under this name; a refusal is an answer."""
        self.calls.rest_version()
        self.recorder.situation, self.recorder.keep = situation, keep
        with suppress(SlurmError):
            return call()
        return None

    def take(self, shot: Shot) -> None:
        """What a scene wants asked."""
        self.shot(shot.situation, lambda: shot.ask(self.calls), shot.keep)


def record(version: Version) -> None:
    """The situations that each REST version makes for itself, for it is what writes there."""
    shot, calls = version.shot, version.calls
    shot("ping", calls.ping)
    shot("nodes", calls.nodes)
    shot("partitions", calls.partitions)
    shot("associations", lambda: calls.associations(OWNER))
    shot("associations-none", lambda: calls.associations("nobody-here"))
    shot("users-operator", lambda: calls.admin_level(OPERATOR))
    shot("bad-token", version.forged.nodes)
    shot("job-unknown", lambda: calls.components(4_000_000))
    shot("accounting-none", lambda: calls.accounting([4_000_000]))
    _record_hetjob(version)
    _record_refusals(version)
    _record_outage(version)


def paired(calls: SlurmRest) -> Iterator[Shot]:
    """A hetjob that runs, that gave its second group back, and one that lost its second component while it waited."""
    leader = calls.submit(job(DEAF, component(RECORD, "a100", "gpu:A100:1"), component(RECORD, PARTITION, "shard:2")))
    with jobs(leader):
        is_in(leader, "RUNNING")
        yield one("job-het-running", leader)
        run("scancel", f"{leader}+1")
        until(
            lambda: [part.state for part in calls.components(leader)] == ["RUNNING", "CANCELLED"], "one was given back"
        )
        yield one("job-given-back", leader)
    waiting = [component(RECORD, name, "gpu:1", hold=True) for name in ("a100", PARTITION)]
    leader = calls.submit(job(DEAF, *waiting))
    with jobs(leader):
        calls.cancel(OWNER, leader + 1)
        until(lambda: [part.state for part in calls.components(leader)] == ["PENDING", "CANCELLED"], "one is lost")
        yield one("job-headless", leader)
        calls.cancel(OWNER, leader)
        until(lambda: {part.state for part in calls.components(leader)} == {"CANCELLED"}, "both are gone")


def refused(_calls: SlurmRest) -> Iterator[Shot]:
    """Submissions that Slurm takes none of."""

    def submit(situation: str, **changes: Any) -> Shot:
        sent = job(DEAF, replace(component(RECORD, PARTITION, "shard:2"), **changes))
        return Shot(situation, lambda calls: calls.submit(sent))

    yield submit("submit-no-association", account="root")
    yield submit("submit-unknown-qos", qos="no-such-qos")
    yield submit("submit-unknown-partition", partition="no-such-partition")
    yield submit("submit-unknown-constraint", constraint="no-such-feature")
    yield submit("submit-unknown-dependency", dependency="afterok:4000000")
    with partition(PARTITION, "state=inactive", "state=up"):
        yield submit("submit-partition-inactive")
    sacctmgr("add", "qos", RECORD, "MaxTRESPerUser=gres/gpu=1", "Flags=DenyOnLimit")
    sacctmgr("modify", "user", OWNER, "where", f"account={ACCOUNT}", "set", f"qos+={RECORD}")
    try:
        yield submit("submit-beyond-limit", qos=RECORD, gres=TWO_GPUS.removeprefix("--gres="))
    finally:
        sacctmgr("modify", "user", OWNER, "where", f"account={ACCOUNT}", "set", f"qos-={RECORD}", check=False)
        sacctmgr("delete", "qos", RECORD)


def _record_hetjob(version: Version) -> None:
    shot, calls = version.shot, version.calls
    name = f"{RECORD}-{version.name}-{int(time.time())}"
    pair = component(name, "a100", "gpu:A100:1", hold=True), component(name, "v100", "shard:2", hold=True)
    leader = shot("submit", lambda: calls.submit(job(RELEASING, *pair)))
    shot("job-held", lambda: calls.components(leader))
    shot("update", lambda: calls.update(leader, {"nice": 399_999_000, "qos": "one-high"}))
    shot("jobs", calls.jobs, frozenset({leader, leader + 1}))
    calls.update(leader, {"hold": False})
    calls.update(leader + 1, {"hold": False})
    until(lambda: all(part.state == "COMPLETED" for part in calls.components(leader)[:1]), "the hetjob has ended")
    shot("job-ended", lambda: calls.components(leader))
    until(lambda: {row.state for row in calls.accounting([leader, leader + 1])} <= {"COMPLETED", "CANCELLED"}, "rows")
    shot("accounting-released", lambda: calls.accounting([leader, leader + 1]))
    shot("accounting-named", lambda: calls.accounting_named(user=OWNER, account=ACCOUNT, name=name))
    shot("cancel-ended", lambda: calls.cancel(OWNER, leader))


def _record_refusals(version: Version) -> None:
    shot, calls = version.shot, version.calls
    name = f"{RECORD}-{version.name}-{int(time.time())}-b"
    single = component(name, "a100", "gpu:A100:1")
    shot("submit-qos-refused", lambda: calls.submit(job(DEAF, replace(single, qos="one-high"))))
    shot("submit-too-large", lambda: calls.submit(job(DEAF, replace(single, gres="gpu:A100:9"))))
    leader, signalled = (calls.submit(job(DEAF, replace(single, name=f"{name}{end}"))) for end in ("", "c"))
    for started in (leader, signalled):
        is_in(started, "RUNNING")
    shot("job-running", lambda: calls.components(leader))
    shot("update-qos-running", lambda: calls.update(leader, {"qos": "one-low"}))
    # A signal may end a script that has only just begun, so that a cancel would find nothing: it goes to a job of its own.
    shot("signal", lambda: calls.signal_runner(OWNER, signalled))
    calls.cancel(OWNER, signalled)
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


def _record_outage(version: Version) -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        with deaf_slurmrestd(Path(name)) as socket:
            recorder = Recorder(socket, version.folder)
            rest = Rest(version.signer, socket=socket, timeout_s=60, transport=recorder, versions=(version.name,))
            calls = SlurmRest(rest, OPERATOR)
            for situation, call in (("controller-down", calls.jobs), ("database-down", lambda: calls.accounting([1]))):
                recorder.situation = situation
                with suppress(SlurmError):
                    call()


def discover(folder: Path) -> list[str]:
    """Ask for REST versions before, at and after ours; which of ours are spoken."""
    folder.mkdir(parents=True, exist_ok=True)
    headers = {"X-SLURM-USER-NAME": OPERATOR, "X-SLURM-USER-TOKEN": Signer.from_file(KEY).token(OPERATOR)}
    spoken = []
    for version in ASKED:
        recorder = Recorder(SOCKET, folder)
        recorder.situation = "ping"  # which alone is kept of such calls
        with httpx2.Client(transport=recorder, base_url="http://slurmrestd", timeout=30) as client:
            answer = client.get(f"/slurm/{version}/ping/", headers=headers)
        (folder / "ping.json").rename(folder / f"{version}.json")
        spoken += [version] if answer.is_success and version in REST_VERSIONS else []
    return spoken


def main(out: Path, wanted: Sequence[str]) -> None:
    """Record every version that the lab's slurmrestd speaks; `wanted` names scenes or "record", none for everything."""
    signer = Signer.from_file(KEY)
    slurm = SlurmRest(Rest(signer, socket=SOCKET, timeout_s=30), OPERATOR).ping()
    folder = out / ".".join(slurm.split(".")[:2])
    versions = [Version(name, folder / name) for name in discover(folder / "discovery")]
    if not wanted or record.__name__ in wanted:
        for version in versions:
            record(version)
            print(slurm, version.name, "recorded", flush=True)
    newest = versions[-1].calls
    scenes: dict[str, Scene] = {scene.__name__: scene for scene in SCENES}
    scenes |= {"paired": partial(paired, newest), "refused": partial(refused, newest)}
    for name, shots in scenes.items():
        if wanted and name not in wanted:
            continue
        for shot in shots():
            for version in versions:
                version.take(shot)
            print(slurm, name, shot.situation, "recorded", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
