"""Many people at once: every request is taken, runs once and ends well."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from lab import accounting
from lab.commandline import One
from lab.hosts import on, portal_url, until
from lab.people import token
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import ENDED, Run, app, component

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3000)]
PEOPLE = {"kim": "V100", "park": "V100", "lee": "A100", "choi": "A100", "jung": "A100"}
"""Each waits for the GPUs of one kind: as many jobs run at a time as the lab has GPUs."""
EACH = 40
AT_ONCE = 20
ALL_END_S = 2700.0
LOOK_EVERY_S = 5.0


def quick(gpu_type: str) -> dict[str, Any]:
    """An App that has nothing to do: one GPU for a moment."""
    return app({**component("QUICK-001", "", gpu_type=gpu_type, gpu_count=1), "command": ["true"]})


def submit_all(people: dict[str, One]) -> dict[str, list[str]]:
    """Every request by its person, all on their way at the same time; username -> the workloads' ids."""
    headers = {name: {"Authorization": f"Bearer {token(name)}"} for name in people}
    bodies = {name: {"spec": quick(PEOPLE[name]), "timeLimitMin": 10} for name in people}

    with httpx2.Client(base_url=f"{portal_url()}/api/v1", timeout=120.0) as client, ThreadPoolExecutor(AT_ONCE) as pool:

        def submit(name: str) -> tuple[str, str]:
            answer = client.post("/workloads", json=bodies[name], headers=headers[name])
            assert answer.status_code == 201, answer.text
            return name, answer.json()["id"]

        made: dict[str, list[str]] = {name: [] for name in people}
        for name, workload in pool.map(submit, list(people) * EACH):
            made[name].append(workload)
    return made


def of_one(one: One, made: list[str]) -> list[dict[str, Any]]:
    """This person's workloads of this test as they are now."""
    app_id = one.asked(f"workloads/{made[0]}")["appId"]
    found: list[dict[str, Any]] = one.asked(f"workloads?app={app_id}&size=100")["items"]
    return found


def test_two_hundred_workloads_of_five_people(admin: One, story: Story) -> None:
    """200 workloads are submitted at once by 5 people: each is one Slurm job and completes."""
    people = {name: One.of(name) for name in PEOPLE}
    made = submit_all(people)
    story.note(f"{sum(map(len, made.values()))} workloads are submitted, {AT_ONCE} at a time")
    for name, one in people.items():
        story.watch(f"{name}'s last", Run(one, made[name][-1]))

    def all_ended() -> bool:
        states = Counter(run["state"] for name, one in people.items() for run in of_one(one, made[name]))
        return sum(count for state, count in states.items() if state in ENDED) == len(PEOPLE) * EACH

    until("all have ended", all_ended, timeout_s=ALL_END_S, interval_s=LOOK_EVERY_S)
    shown = {name: of_one(one, made[name]) for name, one in people.items()}
    for name, runs in shown.items():
        assert sorted(run["id"] for run in runs) == sorted(made[name])
        assert Counter(run["state"] for run in runs) == {"completed": EACH}, name
    story.note(f"all are completed: {', '.join(f'{name} {len(runs)}' for name, runs in shown.items())}")
    _each_is_one_job(made, people)
    agree_in_the_end(admin, story)


def _each_is_one_job(made: dict[str, list[str]], people: dict[str, One]) -> None:
    """Accounting has one job a workload, of that person, which ended well; none of its name a second time."""
    names: dict[str, str] = {}
    for name, one in people.items():
        for workload in made[name]:
            (job,) = one.asked(f"workloads/{workload}")["slurmJobs"]
            names[job["name"]] = name
    assert len(names) == len(PEOPLE) * EACH

    def rows() -> list[str] | None:
        words = ("--allocations", "--parsable2", "--noheader", "--starttime=now-1days", "--format=JobName,User,State")
        found = on("ctl", "sacct", "--allusers", *words, f"--name={','.join(names)}").splitlines()
        return found if all(line.split("|")[2] not in accounting.LIVE for line in found) else None

    found = until("accounting knows every end", rows, timeout_s=accounting.SETTLED_TIMEOUT_S)
    assert sorted(found) == sorted(f"{job}|{name}|COMPLETED" for job, name in names.items())
