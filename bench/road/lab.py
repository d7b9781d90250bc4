"""The lab as the benchmarks use it: SQL on its PostgreSQL, programs on its hosts, workloads by the hundred."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, time
from typing import Any

import httpx2

from lab.hosts import ROOT, SHARED, on, portal_url
from lab.hosts import until as wait
from lab.people import token

FOLDER = "bench"
PYTHON = "/opt/one/venv/bin/python"
GPU_NODES = "gpu[1-3]"
PATIENCE_S = 900.0
LIMITS = ("PENDING_WORKLOADS", "LOG_STREAMS", "API_CALLS_PER_MINUTE")
EXAMPLE = ROOT / "tests" / "spec" / "data" / "app-spec-example.json"


def sql(query: str) -> list[list[str]]:
    """Rows of a query on the portal's database, as text."""
    command = ("runuser", "-u", "postgres", "--", "psql", "-At", "-F", "\t", "-c", query, "one")
    return [line.split("\t") for line in on("svc", *command, timeout_s=PATIENCE_S).splitlines()]


def number(query: str) -> float:
    """The one number that a query answers."""
    return float(sql(query)[0][0])


def folder() -> Path:
    """A folder of ours that every host sees as /shared/bench."""
    path = SHARED / FOLDER
    path.mkdir(mode=0o755, exist_ok=True)
    return path


def program(name: str, *words: str, timeout_s: float = PATIENCE_S, python: str = PYTHON) -> dict[str, Any]:
    """Run `bench/inside/NAME.py` on svc as root; the JSON object of its last line."""
    shutil.copy(ROOT / "bench" / "inside" / f"{name}.py", folder() / f"{name}.py")
    said = on("svc", python, f"/shared/{FOLDER}/{name}.py", *words, timeout_s=timeout_s)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


@contextmanager
def without_limits() -> Iterator[None]:
    """One user may ask for as much as a benchmark does: web is started anew with other limits, and with its own afterwards."""
    folder = "/run/systemd/system/one-web.service.d"
    lines = ["[Service]", *(f"Environment=ONE_LIMITS__{name}=1000000" for name in LIMITS)]
    write = f"mkdir -p {folder} && printf '%s\\n' \"$@\" > {folder}/bench.conf"
    on("svc", "sh", "-c", write, "sh", *lines)
    _restart_web()
    try:
        yield
    finally:
        on("svc", "rm", "-r", folder)
        _restart_web()


def _restart_web() -> None:
    on("svc", "systemctl", "daemon-reload")
    on("svc", "systemctl", "restart", "one-web", timeout_s=PATIENCE_S)
    until("the portal answers", _is_up)


def _is_up() -> bool:
    try:
        return httpx2.get(f"{portal_url()}/healthz", timeout=10).is_success
    except httpx2.TransportError:
        return False


@contextmanager
def nothing_starts() -> Iterator[None]:
    """All nodes drained: jobs are taken and wait. Afterwards no job is left and the nodes serve again."""
    on("ctl", "scontrol", "update", f"nodename={GPU_NODES}", "state=drain", "reason=bench")
    try:
        yield
    finally:
        cancel_all()
        on("ctl", "scontrol", "update", f"nodename={GPU_NODES}", "state=resume")


def cancel_all() -> None:
    """Every job of the lab's people ends, whoever submitted it; the portal notices by itself."""
    for user in ("kim", "park", "lee"):
        on("ctl", "scancel", f"--user={user}", check=False)


def small_app(app_id: str) -> dict[str, Any]:
    """The specification's example below the approval threshold: two Tasks, five components, one hetjob of two groups."""
    spec: dict[str, Any] = json.loads(EXAMPLE.read_text())
    spec["app_id"] = app_id
    for component in spec["tasks"][0]["components"]:
        component["resources"].update(gpu_count=1, memory="16GB")
    return spec


def client(user: str) -> httpx2.Client:
    """The portal's API as one of the lab's people."""
    headers = {"Authorization": f"Bearer {token(user)}"}
    return httpx2.Client(base_url=f"{portal_url()}/api/v1", headers=headers, timeout=60)


@dataclass(frozen=True)
class Posted:
    """Workloads that were submitted, and how long each POST took."""

    ids: list[str]
    seconds: list[float]
    began: float
    """Epoch seconds of the first POST."""


def post(spec: dict[str, Any], count: int, *, connections: int, user: str = "kim") -> Posted:
    """Submit the same App `count` times over that many connections."""
    with client(user) as http:
        began = time()  # the hosts of the lab are this machine, so the clocks are one

        def one(_: int) -> tuple[str, float]:
            start = perf_counter()
            answer = http.post("/workloads", json={"spec": spec})
            took = perf_counter() - start
            answer.raise_for_status()
            return str(answer.json()["id"]), took

        with ThreadPoolExecutor(connections) as pool:
            done = list(pool.map(one, range(count)))
    return Posted([one for one, _ in done], [took for _, took in done], began)


def quoted(ids: Sequence[str]) -> str:
    """`'W-A','W-B'` for SQL."""
    return ",".join(f"'{one}'" for one in ids)


def until(what: str, look: Callable[[], bool], *, timeout_s: float = PATIENCE_S, interval_s: float = 1.0) -> None:
    """Look until it holds."""
    wait(what, look, timeout_s=timeout_s, interval_s=interval_s)
