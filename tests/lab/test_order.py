"""The order of the queue page is the order in which runs start, by Slurm's own accounting; and what backfill does to it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from lab.hosts import as_user, on, portal_url, until
from lab.people import token
from portal.cli.api import Api
from portal.cli.credentials import Credentials
from portal.cli.words import Words
from tests.lab.road_harness import LIMIT_MIN, app, component

pytestmark = pytest.mark.lab
RUNS, MOVES, MIXED_MOVES = 40, 20, 5
AT_ONCE = 4
QUEUE_ROWS = 200
SEED = 20261129
NODE_CPUS = 32
"""All of a lab node: one such run fills it, whatever it asks for beside."""
START_S, END_S = 60.0, 300.0


@contextmanager
def taken(*nodes: str) -> Iterator[None]:
    """These nodes are held by jobs from outside the portal, until the test lets go of them all at once."""
    asked = ("--exclusive", "--account=lab", "--chdir=/tmp", "--output=/dev/null", "--wrap=sleep 900")
    held = {node: "v100" if node == "gpu3" else "a100" for node in nodes}
    jobs = [
        as_user("ctl", "kim", "sbatch", "--parsable", f"--partition={partition}", f"--nodelist={node}", *asked).strip()
        for node, partition in held.items()
    ]
    states = ("squeue", "--noheader", f"--jobs={','.join(jobs)}", "--format=%T")
    try:
        until("the nodes are held", lambda: set(on("ctl", *states).split()) == {"RUNNING"}, timeout_s=START_S)
        yield
    finally:
        _let_go(",".join(nodes), jobs)


def _let_go(nodes: str, jobs: Sequence[str]) -> None:
    """Of all at one moment: the jobs end one after the other, and what needs two nodes would see one of them free first."""
    on("ctl", "scontrol", "update", f"nodename={nodes}", "state=drain", "reason=a test lets go of them")
    on("ctl", "scancel", *jobs)
    left = ("squeue", "--noheader", f"--jobs={','.join(jobs)}", "--format=%T")
    try:
        until("the nodes are free", lambda: not on("ctl", *left, check=False).strip(), timeout_s=START_S)
    finally:
        on("ctl", "scontrol", "update", f"nodename={nodes}", "state=resume")


def one_shape(gpu_type: str) -> dict[str, Any]:
    """A run of a moment that fills a node."""
    resources = {"gpu_count": 1, "gpu_type": gpu_type, "cpus": NODE_CPUS}
    return component("TINY-001", "pass", memory="512MB", **resources)


def hetjob() -> dict[str, Any]:
    """A hetjob: two parts that run together, each filling a node of its kind."""
    first = {**one_shape("A100"), "component_id": "A-001"}
    second = {**one_shape("V100"), "component_id": "V-001"}
    return app(first, second, edges=[("A-001", "V-001")], when="started")


def asked(username: str) -> Api:
    """The portal's API as this person, in this process: a hundred `one` commands would take longer than the runs."""
    return Api(Credentials(portal_url(), token(username)), Words("en"))


def hand_in(people: Sequence[Api], specs: Sequence[dict[str, Any]]) -> list[str]:
    """The specs in turn by these people, several at once; the workloads' ids."""

    def one(number: int) -> str:
        body = {"spec": specs[number], "timeLimitMin": LIMIT_MIN}
        return str(people[number % len(people)].post("/workloads", body)["id"])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(len(specs))))


def queue(admin: Api) -> list[dict[str, Any]]:
    """The lines of the queue page, in its order."""
    lines: list[dict[str, Any]] = admin.get("/queue", size=QUEUE_ROWS)["items"]
    return lines


def page(admin: Api, runs: Sequence[str]) -> list[str]:
    """These runs in the order of the queue page."""
    return [line["id"] for line in queue(admin) if line["id"] in runs]


def all_wait(admin: Api, runs: Sequence[str]) -> dict[str, int]:
    """Workload -> its Slurm job, once every run waits in Slurm."""

    def settled() -> dict[str, int] | None:
        found = {line["id"]: line["slurmId"] for line in queue(admin) if line["slurmPriority"] and line["id"] in runs}
        return found if len(found) == len(runs) else None

    return until("all runs wait in Slurm", settled, timeout_s=END_S)


def shuffle(admin: Api, runs: Sequence[str], moves: int, dice: random.Random) -> None:
    """Random moves, as an admin makes them: before or after another one, or to the top."""
    for _ in range(moves):
        moved, other = dice.sample(list(runs), 2)
        admin.post(f"/queue/{moved}/move", dice.choice([{"before": other}, {"after": other}, {"toTop": True}]))


def in_slurms_order(admin: Api, jobs: dict[str, int]) -> list[str]:
    """The page's order, once every move has reached Slurm and `squeue` has the same."""
    squeue = ("squeue", "--noheader", "--states=PENDING", "--sort=-p,i", "--format=%A")

    def same() -> list[str] | None:
        leaders = set(jobs.values())
        listed = [int(job) for job in on("ctl", *squeue).split() if int(job) in leaders]
        if any(line["applying"] for line in queue(admin) if line["id"] in jobs):
            return None
        order = page(admin, list(jobs))
        return order if [jobs[run] for run in order] == listed else None

    return until("squeue and the page have one order", same, timeout_s=START_S)


def starts(jobs: dict[str, int]) -> dict[str, str]:
    """Workload -> when its job started, from accounting; all have ended."""
    wanted = ",".join(str(job) for job in jobs.values())
    sacct = ("sacct", "--noheader", "--allocations", "--parsable2", f"--jobs={wanted}", "--format=JobID,Start,State")

    def ended() -> dict[str, str] | None:
        rows = [line.split("|") for line in on("ctl", *sacct).splitlines()]
        found = {row[0].partition("+")[0]: row[1] for row in rows if row[2].split()[0] not in {"PENDING", "RUNNING"}}
        return {run: found[str(job)] for run, job in jobs.items()} if len(found) == len(jobs) else None

    return until("all runs have ended", ended, timeout_s=END_S, interval_s=2)


def overtaken(order: Sequence[str], began: dict[str, str]) -> list[tuple[str, str]]:
    """(later, earlier) where the later one of the page started before the earlier one; times are whole seconds."""
    return [
        (later, earlier)
        for place, later in enumerate(order)
        for earlier in order[:place]
        if began[later] < began[earlier]
    ]


def test_runs_start_in_the_order_of_the_page() -> None:
    """Three researchers, 40 runs of one shape, 20 random moves."""
    people, admin = [asked(name) for name in ("kim", "park", "lee")], asked("admin")
    mine = [app(one_shape("A100")) for _ in people]
    with taken("gpu1", "gpu2"):
        runs = hand_in(people, [mine[number % len(people)] for number in range(RUNS)])
        jobs = all_wait(admin, runs)
        shuffle(admin, runs, MOVES, random.Random(SEED))
        order = in_slurms_order(admin, jobs)
        assert order != runs, "the moves have changed nothing"
    assert overtaken(order, starts(jobs)) == []


def test_plain_runs_do_not_overtake_hetjobs_of_their_level() -> None:
    """Plain runs on either kind of node among hetjobs that need both; one node of each kind, so that none is to spare.

    With a node to spare backfill starts a later run on it, which delays nobody (docs/admins.md).
    """
    people, admin = [asked(name) for name in ("kim", "park")], asked("admin")
    kinds = {name: (hetjob(), app(one_shape("A100")), app(one_shape("V100"))) for name in ("kim", "park")}
    shapes = (0, 1, 2, 1, 0, 2, 1, 0)
    wanted = [kinds[("kim", "park")[place % 2]][shape] for place, shape in enumerate(shapes)]
    with taken("gpu2"):
        with taken("gpu1", "gpu3"):
            runs = hand_in(people, wanted)
            jobs = all_wait(admin, runs)
            shuffle(admin, runs, MIXED_MOVES, random.Random(SEED))
            order = in_slurms_order(admin, jobs)
        began = starts(jobs)
    hetjobs = {run for run, shape in zip(runs, shapes, strict=True) if shape == 0}
    assert [pair for pair in overtaken(order, began) if pair[1] in hetjobs] == []
