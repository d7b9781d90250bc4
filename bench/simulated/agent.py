"""python -m bench.simulated.agent COUNT: that many submits through the agent's verbs on a slurmrestd that only says yes."""

from __future__ import annotations

import json
import os
import pwd
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import httpx2
import structlog

from bench.simulated import resident_mib
from slurm.agent.config import AgentConfig
from slurm.agent.ledger import Ledger
from slurm.agent.reader import RestReader, Road
from slurm.agent.rest import Rest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.tokens import Signer
from slurm.agent.verbs import Verbs
from slurm.submission import Component, Submission

SAMPLES = 50
OWNER, GROUP = "nobody", "nogroup"
"""A Unix user and a group that every Debian has; nothing runs as them here."""


def main() -> None:
    """Submit, and print the samples as one JSON line."""
    count = int(sys.argv[1])
    structlog.configure(processors=[_dropped])
    made = _SaysYes()
    with tempfile.TemporaryDirectory() as folder:
        verbs = _verbs(Path(folder), made)
        samples = []
        for number in range(count):
            verbs.submit(_submission(number))
            if number % max(1, count // SAMPLES) == 0:
                samples.append(resident_mib())
    print(json.dumps(samples))


class _SaysYes(httpx2.BaseTransport):
    """Takes every job and remembers the last one."""

    def __init__(self) -> None:
        self.next_id = 1
        self.name = ""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """A submit gets the next ids, a look its two components."""
        if request.method == "POST":
            self.name = json.loads(request.read())["jobs"][0]["name"]
            self.next_id += 2
            return httpx2.Response(200, json={"job_id": self.next_id, "errors": []})
        if "/job/" in request.url.path:
            return httpx2.Response(200, json={"jobs": [_job(self.next_id, offset, self.name) for offset in (0, 1)]})
        return httpx2.Response(200, json={"errors": []})


def _job(leader: int, offset: int, name: str) -> dict[str, object]:
    unset = {"set": False, "infinite": False, "number": 0}

    def number(value: int) -> dict[str, object]:
        return {"set": True, "infinite": False, "number": value}

    return {
        "job_id": leader + offset,
        "job_state": ["PENDING"],
        "het_job_id": number(leader),
        "het_job_offset": number(offset),
        "start_time": unset,
        "node_count": number(1),
        "cpus": number(1),
        "priority": number(1),
        "name": name,
        "user_name": OWNER,
        "account": "lab",
        "partition": "a100",
        "qos": "one-normal",
        "nice": 0,
        "state_reason": "Priority",
        "comment": "",
        "submit_time": number(1),
        "eligible_time": number(1),
        "end_time": unset,
        "time_limit": number(60),
        "nodes": "",
        "memory_per_node": number(100),
        "memory_per_cpu": unset,
        "tres_per_node": "gres/gpu:A100:1",
        "dependency": "",
        "exit_code": {"return_code": unset, "signal": {"id": unset, "name": ""}},
    }


def _verbs(folder: Path, transport: httpx2.BaseTransport) -> Verbs:
    me = pwd.getpwuid(os.getuid()).pw_name
    config = AgentConfig(
        socket=folder / "agent.sock",
        allowed_peers=(me,),
        users_group=GROUP,
        partitions=frozenset({"a100"}),
        accounts=frozenset({"lab"}),
        qos=frozenset({"one-normal"}),
        operator="operator",
        rest_socket=folder / "rest.sock",
        jwt_key=folder / "key",
        ledger=folder / "ledger",
    )
    calls = SlurmRest(Rest(Signer(b"k" * 32), socket=config.rest_socket, timeout_s=5, transport=transport), "operator")
    return Verbs(config, calls, Road(RestReader(calls), "simulated"), Ledger(config.ledger))


def _submission(number: int) -> Submission:
    component = Component(
        name=f"one-APP-BENCH01-W-{number:06d}-a1-j0-{number:016x}",
        account="lab",
        partition="a100",
        qos="one-normal",
        nice=0,
        nodes=1,
        cpus=1,
        memory_mib=100,
        gres="gpu:A100:1",
        constraint="",
        time_limit_min=60,
        comment=f"one:W-{number:06d}:a1:j0:{number:016x}",
        wckey="one-app-bench01",
    )
    return Submission(OWNER, "#!/bin/sh\n", "/tmp", "/tmp/out", ("PATH=/bin",), (component, replace(component)))


def _dropped(*_: object) -> structlog.types.EventDict:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
