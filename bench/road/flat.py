"""Flat cost: what reading Slurm costs with more and more jobs in it, and with more and more people who watch."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.figures import Figure, Part
from bench.road.delay import run, starts
from bench.road.followers import following
from bench.road.lab import PYTHON, cancel_all, folder, number, program, sql, until
from lab.hosts import ROOT, on

WINDOW_S = 20.0
FOLLOWERS = 200
FOLLOWED_WITH = 1_000
STATES_WITH = 10_000
LOOKS = 3
FEW = 100
FORGOTTEN_S = 600.0
_USER = re.compile(r"^\s+(one-[a-z]+)\s+\(\s*\d+\)\s+count:(\d+)", re.MULTILINE)
Who = tuple[str, str, dict[str, str]]
"""A Unix user of svc, the groups that it gets besides its own, and its credentials with their files."""
AGENT: Who = ("one-agent", "slurmrestd", {"jwt_hs256.key": "jwt_hs256.key"})
DAEMON: Who = (
    "one-daemon",
    "one one-agent",
    {"s3_secret_key": "s3_secret_key.daemon", "database_password": "database_password.daemon"},
)


def measure(levels: Sequence[int]) -> Part:
    """At each level of held jobs from outside: RPCs a minute, the agent's two roads, the daemon's cycle."""
    figures: list[Figure] = []
    cancel_all()
    until("Slurm has forgotten what was there before", lambda: _known_jobs() < FEW, timeout_s=FORGOTTEN_S)
    try:
        before = 0
        for level in levels:
            _crowd(level - before)
            before = level
            figures += _at(level)
    finally:
        cancel_all()
    return Part("flat", "Reading Slurm with more and more jobs and watchers", tuple(figures))


def _at(level: int) -> list[Figure]:
    jobs = f"{level:,} jobs"
    figures = [Figure(f"{jobs}: slurmctld RPCs a minute of ours", _rpcs_a_minute(), "")]
    if level == FOLLOWED_WITH:
        workload = run("import time; time.sleep(120)")
        until("it runs", lambda: sql(f"select state from workloads where id = '{workload}'")[0][0] == "running")
        with following(workload, 1):
            one = _rpcs_a_minute()
        with following(workload, FOLLOWERS):
            many = _rpcs_a_minute()
        figures.append(Figure(f"{jobs}, 1 follower: RPCs a minute", one, ""))
        figures.append(Figure(f"{jobs}, {FOLLOWERS} followers: RPCs a minute", many, "", at_most=one * 1.1))
    if level == STATES_WITH:
        figures.append(
            Figure(f"{jobs}: from Slurm's state to the portal's, longest of 3", max(starts(3)), "s", at_most=3)
        )
    figures += _cycles(level)
    return figures


def _cycles(level: int) -> list[Figure]:
    jobs = f"{level:,} jobs"
    on("svc", "systemctl", "stop", "one-daemon")
    try:
        looks = [float(seconds) for seconds in _as(DAEMON, "cycle", str(LOOKS))["seconds"]]
        roads = _as(AGENT, "reading", str(LOOKS))
    finally:
        on("svc", "systemctl", "start", "one-daemon")
    at_most = 2.0 if level >= 50_000 else None
    figures = [Figure(f"{jobs}: daemon's cycle through PySlurm", median(looks), "s", at_most=at_most)]
    share = median(looks) / max(5 * median(looks), median(looks) + 2.0)
    figures.append(Figure(f"{jobs}: share of the time spent on it", share * 100, "%", at_most=20.01))
    for name, words in (
        ("native", "agent reads by PySlurm"),
        ("rest", "by slurmrestd"),
        ("squeue", "formatted squeue"),
    ):
        if isinstance(roads[name], str):
            figures.append(Figure(f"{jobs}: {words}", float("nan"), "s", note=roads[name]))
        else:
            figures.append(Figure(f"{jobs}: {words}", median(roads[name]), "s"))
    return figures


def _as(who: Who, name: str, *words: str) -> dict[str, Any]:
    """Run `bench/inside/NAME.py` on svc as one of the portal's users, with its credentials."""
    user, group, credentials = who
    shutil.copy(ROOT / "bench" / "inside" / f"{name}.py", folder() / f"{name}.py")
    properties = [f"User={user}", f"SupplementaryGroups={group}", "WorkingDirectory=/"]
    properties += [f"LoadCredential={key}:/etc/one/credentials/{file}" for key, file in credentials.items()]
    options = [word for value in properties for word in ("-p", value)]
    command = ("systemd-run", "--quiet", "--collect", "--wait", "--pipe", *options)
    said = on("svc", *command, PYTHON, f"/shared/bench/{name}.py", *words, timeout_s=600)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def _known_jobs() -> int:
    """Jobs in slurmctld's memory; ended ones stay there for MinJobAge."""
    return len(on("ctl", "squeue", "--noheader", "--states=all", "--format=%i").split())


def _crowd(count: int) -> None:
    if count > 0:
        program("crowd", str(count))


def _rpcs_a_minute() -> float:
    """Calls that slurmctld got from the portal's users (PySlurm's reads, the agent's operator), without anybody's watching."""
    before, began = _rpcs(), time.monotonic()
    looked = number("select extract(epoch from at) from cluster_state")
    time.sleep(WINDOW_S)
    until("a new snapshot", lambda: number("select extract(epoch from at) from cluster_state") > looked)
    return (_rpcs() - before) / (time.monotonic() - began) * 60


def _rpcs() -> int:
    return sum(int(count) for _, count in _USER.findall(on("ctl", "sdiag")))
