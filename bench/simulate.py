"""Runs a plan on a clock, as the runner would: a step starts when its predecessors allow it and its group has room."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from slurm.graph import Step, StepGraph
from slurm.plan import Group, Plan, PlannedJob

Room = tuple[int, int, int]


@dataclass(frozen=True)
class Run:
    """Seconds from the start of the first job: steps by id, jobs by index, groups by job and group index."""

    starts: dict[str, float]
    ends: dict[str, float]
    job_starts: tuple[float, ...]
    job_ends: tuple[float, ...]
    held_until: tuple[tuple[float, ...], ...]

    @property
    def makespan(self) -> float:
        """When the last step ended."""
        return max(self.ends.values(), default=0.0)


def simulate(graph: StepGraph, plan: Plan, runtimes_s: Sequence[float]) -> Run:
    """Run `plan` with the given runtimes (in the order of the graph's steps); no job ever queues.

    Raises RuntimeError when steps wait for each other for ever.
    """
    clock = _Clock(graph, runtimes_s)
    job_starts: list[float] = [0.0] * len(plan.jobs)
    job_ends: list[float] = [0.0] * len(plan.jobs)
    for index in _in_order(plan.jobs):
        job = plan.jobs[index]
        job_starts[index] = max((job_ends[before] for before in job.after_jobs), default=0.0)
        clock.run(job, job_starts[index])
        job_ends[index] = max(clock.ends[name] for group in job.groups for name in group.steps)
    held_until = tuple(
        tuple(
            job_ends[j] if k == 0 else max(clock.ends[s] for s in group.released_after)
            for k, group in enumerate(job.groups)
        )
        for j, job in enumerate(plan.jobs)
    )
    return Run(clock.starts, clock.ends, tuple(job_starts), tuple(job_ends), held_until)


def unlimited_makespan(graph: StepGraph, runtimes_s: Sequence[float]) -> float:
    """Seconds until the last step ends when nothing ever waits for resources."""
    everything = Group(None, None, "", "", 0, 0, 0, 0, 1, tuple(step.id for step in graph.steps), ())
    clock = _Clock(graph, runtimes_s, unlimited=True)
    clock.run(PlannedJob((everything,), ()), 0.0)
    return max(clock.ends.values(), default=0.0)


class _Clock:
    def __init__(self, graph: StepGraph, runtimes_s: Sequence[float], *, unlimited: bool = False) -> None:
        self.steps = {step.id: step for step in graph.steps}
        self.runtimes = dict(zip(self.steps, runtimes_s, strict=True))
        self.starts: dict[str, float] = {}
        self.ends: dict[str, float] = {}
        self.unlimited = unlimited
        self.first_of: dict[str, list[str]] = {}
        self.waits_end: dict[str, list[str]] = {name: [] for name in self.steps}
        self.waits_start: dict[str, list[str]] = {name: [] for name in self.steps}
        self.clients: dict[str, list[str]] = {name: [] for name in self.steps}
        for edge in graph.edges:
            (self.waits_end if edge.when == "finished" else self.waits_start)[edge.after].append(edge.before)
            if edge.when == "started" and self.steps[edge.before].service:
                self.clients[edge.before].append(edge.after)

    def run(self, job: PlannedJob, start: float) -> None:
        """Run one job from `start`."""
        room = [_room(group) for group in job.groups]
        waiting = [(k, name) for k, group in enumerate(job.groups) for name in group.steps]
        home = {name: k for k, name in waiting}
        self.first_of = {}
        for first, second in job.waits:
            self.first_of.setdefault(second, []).append(first)
        ending: list[tuple[float, str]] = []
        services: set[str] = set()
        now = start
        while waiting or ending or services:
            self._start(waiting, room, ending, services, now)
            if not ending:
                raise RuntimeError(f"at {now} s nothing runs and {[name for _, name in waiting]} wait")
            now = ending[0][0]
            while ending and ending[0][0] <= now:
                self._end(heapq.heappop(ending)[1], room, home, services, now)

    def _start(
        self,
        waiting: list[tuple[int, str]],
        room: list[Room],
        ending: list[tuple[float, str]],
        services: set[str],
        now: float,
    ) -> None:
        """Start all that can, in the plan's order; a start may let others start."""
        progress = True
        while progress:
            progress = False
            for k, name in list(waiting):
                step = self.steps[name]
                if not self._may_start(name) or not (self.unlimited or _fits(step, room[k])):
                    continue
                waiting.remove((k, name))
                room[k] = _change(room[k], step, -1)
                self.starts[name] = now
                progress = True
                if self.clients[name]:
                    services.add(name)
                else:
                    heapq.heappush(ending, (now + self.runtimes[name], name))

    def _may_start(self, name: str) -> bool:
        return all(p in self.ends for p in self.waits_end[name]) and all(
            p in self.starts for p in (*self.waits_start[name], *self.first_of.get(name, ()))
        )

    def _end(self, name: str, room: list[Room], home: dict[str, int], services: set[str], now: float) -> None:
        self.ends[name] = now
        room[home[name]] = _change(room[home[name]], self.steps[name], +1)
        for service in sorted(services):
            if service in services and all(client in self.ends for client in self.clients[service]):
                services.discard(service)
                self._end(service, room, home, services, now)


def _room(group: Group) -> Room:
    return group.gpus, group.cpus, group.memory_mib


def _fits(step: Step, room: Room) -> bool:
    return all(left >= 0 for left in _change(room, step, -1))


def _change(room: Room, step: Step, sign: int) -> Room:
    return room[0] + sign * step.gpus, room[1] + sign * step.cpus, room[2] + sign * step.memory_mib


def _in_order(jobs: Sequence[PlannedJob]) -> list[int]:
    """Job indices so that every job comes after those it waits for."""
    done: list[int] = []
    left = list(range(len(jobs)))
    while left:
        ready = [index for index in left if all(before in done for before in jobs[index].after_jobs)]
        if not ready:
            raise RuntimeError("jobs wait for each other")
        done.extend(ready)
        left = [index for index in left if index not in ready]
    return done
