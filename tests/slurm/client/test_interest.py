"""A snapshot of a crowded cluster carries the portal's jobs and the outsiders that start next."""

from __future__ import annotations

from dataclasses import dataclass

from slurm.agent.interest import OUTSIDE, of_interest


@dataclass(frozen=True)
class Job:
    name: str
    priority: int
    waits: bool = True


def chosen(jobs: list[Job]) -> list[Job]:
    return of_interest(jobs, name=lambda job: job.name, waits=lambda job: job.waits, priority=lambda job: job.priority)


def test_of_a_few_all_are_carried() -> None:
    jobs = [Job("theirs", 2, waits=False), Job("one-APP", 1), Job("theirs", 3)]
    assert sorted(chosen(jobs), key=str) == sorted(jobs, key=str)


def test_of_thousands_ours_and_those_that_start_next() -> None:
    ours = [Job("one-APP", 1, waits=False), Job("one-APP", 1)]
    running = [Job("theirs", 10**9, waits=False)]
    waiting = [Job("theirs", priority) for priority in range(2 * OUTSIDE)]
    found = chosen([*waiting, *ours, *running])
    assert found[:2] == ours
    assert {job.priority for job in found[2:]} == set(range(OUTSIDE, 2 * OUTSIDE))
