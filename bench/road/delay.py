"""How old a line is when a follower sees it, and how old a state of Slurm is when the portal shows it."""

from __future__ import annotations

import json
import re
import secrets
import time
from statistics import median, quantiles
from typing import Any

from bench.figures import Figure, Part
from bench.road.followers import following
from bench.road.lab import client, number, sql, until
from lab.commandline import One

FOLLOWERS = 100
LINES = 80
PRINTS = f"import time\nfor n in range({LINES}):\n    print('at', time.time(), flush=True)\n    time.sleep(0.23)\n"
STATES = 5
_LINE = re.compile(r"at (\d+\.\d+)")


def measure() -> Part:
    """Lines at `one logs -f` beside 99 other followers; runs that start and end with nothing else going on."""
    delays = _lines()
    states = starts(STATES)
    return Part(
        "delay",
        f"From a line in a container to `one logs -f`, {FOLLOWERS} followers; from Slurm to the portal",
        (
            Figure("line, median", median(delays), "s", at_most=1.0, note=f"{len(delays)} lines"),
            Figure("line, p95", quantiles(delays, n=20)[-1], "s"),
            Figure("state, median", median(states), "s", note=f"{len(states)} runs, few jobs in Slurm"),
            Figure("state, longest", max(states), "s", at_most=3.0),
        ),
    )


def _lines() -> list[float]:
    kim = One.of("kim")
    workload = run(PRINTS)
    until("it runs", lambda: _state(workload) == "running")
    with following(workload, FOLLOWERS - 1):
        follower = kim.started("logs", workload, "--follow")
        assert follower.stdout is not None
        delays = []
        for line in follower.stdout:
            if found := _LINE.search(line):
                delays.append(time.time() - float(found[1]))
        follower.wait(60)
    # What was written before the follower came is old by itself.
    return delays[len(delays) // 4 :]


def starts(count: int) -> list[float]:
    """Seconds from the runner's first event (Slurm has started the job) to the portal's row that says running."""
    found = []
    for _ in range(count):
        workload = run("import time; time.sleep(6)")
        until(f"{workload} runs", lambda: _state(workload) in ("running", "saving", "completed"))  # noqa: B023
        changed = number(
            "select extract(epoch from at) from audit where action = 'workload.state'"
            f" and object_id = '{workload}' and after->>'state' = 'running'"
        )
        found.append(changed - _began(workload))
    return found


def _began(workload: str) -> float:
    from lab.hosts import SHARED

    events = SHARED / "runs" / "kim" / workload / "a1" / "events.0.jsonl"
    return float(json.loads(events.read_text().splitlines()[0])["t"])


def _state(workload: str) -> str:
    return sql(f"select state from workloads where id = '{workload}'")[0][0]


def run(code: str) -> str:
    """Submit an App of one small component that runs this Python code; its id."""
    component: dict[str, Any] = {
        "component_id": "CL-BENCH",
        "name": "bench",
        "image": {"registry": "registry.avatar.io/param-opt", "tag": "1.5"},
        "resources": {"memory": "512MB"},
        "command": ["python3", "-c", code],
    }
    task = {"task_id": "TASK-001", "name": "bench", "components": [component], "workflow": []}
    app = {"app_id": f"APP-B{secrets.token_hex(4).upper()}", "name": "bench", "version": "1.0.0", "tasks": [task]}
    with client("kim") as http:
        answer = http.post("/workloads", json={"spec": app})
        answer.raise_for_status()
        return str(answer.json()["id"])
