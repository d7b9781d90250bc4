"""Checks a plan's JSON line against its graph and inventory, from the outside: it knows nothing of the planner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

TOLERANCE_S = 1e-6
MAX_GROUPS = 128


def problems(graph: Json, inventory: Sequence[Json], line: Json) -> list[str]:
    """Everything that is wrong with one answer of `bench.plan`; empty when it is right."""
    impossible = {step["id"] for step in graph["steps"] if not _some_node(step, inventory)}
    named = {entry["step"] for entry in line["infeasible"]}
    if line["infeasible"]:
        found = [] if not line["jobs"] else ["infeasible, but there are jobs"]
        if impossible != named and impossible:
            found.append(f"infeasible steps are {sorted(map(str, impossible))}, named are {sorted(map(str, named))}")
        return found
    if impossible:
        return [f"no node holds {sorted(map(str, impossible))}, and nothing is said"]
    if wrong := list(_membership(graph, line)):
        return wrong
    view = _View(graph, line)
    return [
        *_order(view),
        *_job_order(line, view),
        *_capacity(line, view),
        *_hosting(inventory, line),
        *_sums(graph, line, view),
    ]


class _View:
    """Times of steps, jobs and groups as the line and the runtimes have them."""

    def __init__(self, graph: Json, line: Json) -> None:
        self.steps = {step["id"]: step for step in graph["steps"]}
        self.start = {step_id: line["start_s"][str(step_id)] for step_id in self.steps}
        self.after = [tuple(edge) for edge in graph.get("after", [])]
        self.started = [tuple(edge) for edge in graph.get("started", [])]
        self.end = _ends(self.steps, self.start, self.started)
        self.place = {
            step_id: (j, k)
            for j, job in enumerate(line["jobs"])
            for k, group in enumerate(job["groups"])
            for step_id in group["steps"]
        }
        inside = [[s for group in job["groups"] for s in group["steps"]] for job in line["jobs"]]
        self.job_end = [max(self.end[s] for s in steps) for steps in inside]
        self.job_start: list[float] = []
        self._starts(line)

    def _starts(self, line: Json) -> None:
        starts: dict[int, float] = {}
        for j, job in enumerate(line["jobs"]):
            starts[j] = max((self.job_end[b] for b in job["after_jobs"]), default=0.0)
        self.job_start = [starts[j] for j in range(len(line["jobs"]))]

    def held_until(self, line: Json, j: int, k: int) -> float:
        """When group k of job j is given back."""
        if k == 0:
            return self.job_end[j]
        return max(self.end[s] for s in line["jobs"][j]["groups"][k]["released_after"])


def _ends(
    steps: Mapping[Any, Json], start: Mapping[Any, float], started: Sequence[tuple[Any, ...]]
) -> dict[Any, float]:
    """A step ends after its runtime, a service when the last step started from it has ended."""
    clients: dict[Any, list[Any]] = {}
    for before, after in started:
        if steps[before].get("service"):
            clients.setdefault(before, []).append(after)
    ends: dict[Any, float] = {}

    def end(step_id: Any) -> float:
        if step_id not in ends:
            own = start[step_id] + steps[step_id]["runtime_s"]
            ends[step_id] = max((end(c) for c in clients[step_id]), default=own) if step_id in clients else own
        return ends[step_id]

    for step_id in steps:
        end(step_id)
    return ends


def _membership(graph: Json, line: Json) -> Iterator[str]:
    groups = [group for job in line["jobs"] for group in job["groups"]]
    count = Counter(s for group in groups for s in group["steps"])
    wanted = {step["id"] for step in graph["steps"]}
    yield from (f"step {s!r} is in no group" for s in wanted - set(count))
    yield from (f"step {s!r} is not in the graph" for s in set(count) - wanted)
    yield from (f"step {s!r} is in {n} groups" for s, n in count.items() if n > 1)
    yield from (f"step {s!r} has no start" for s in wanted if str(s) not in line["start_s"])
    for j, job in enumerate(line["jobs"]):
        if not 1 <= len(job["groups"]) <= MAX_GROUPS:
            yield f"job {j} has {len(job['groups'])} groups"
        for k, group in enumerate(job["groups"]):
            if not group["steps"] or not group["released_after"]:
                yield f"job {j} group {k} is empty or is never released"
            yield from (
                f"job {j} group {k} waits for the foreign step {s!r}"
                for s in group["released_after"]
                if s not in group["steps"]
            )
        yield from (
            f"job {j} waits for the unknown job {b}" for b in job["after_jobs"] if not 0 <= b < len(line["jobs"])
        )


def _order(view: _View) -> Iterator[str]:
    for a, b in view.after:
        if view.start[b] < view.end[a] - TOLERANCE_S:
            yield f"step {b!r} starts at {view.start[b]}, before {a!r} has ended at {view.end[a]}"
    for a, b in view.started:
        if view.start[b] < view.start[a] - TOLERANCE_S:
            yield f"step {b!r} starts before {a!r} runs"
        if view.place[a][0] != view.place[b][0]:
            yield f"steps {a!r} and {b!r} run together, but in different jobs"


def _job_order(line: Json, view: _View) -> Iterator[str]:
    """Jobs form no cycle, and every edge of the graph that leaves a job is covered by a dependency."""
    reach: dict[int, set[int]] = {}

    def before(j: int, path: tuple[int, ...]) -> set[int]:
        if j in path:
            raise ValueError(f"jobs {path} wait for each other")
        if j not in reach:
            direct = line["jobs"][j]["after_jobs"]
            reach[j] = set(direct).union(*(before(b, (*path, j)) for b in direct))
        return reach[j]

    try:
        for j in range(len(line["jobs"])):
            before(j, ())
    except ValueError as error:
        yield str(error)
        return
    for a, b in view.after:
        if view.place[a][0] != view.place[b][0] and view.place[a][0] not in reach[view.place[b][0]]:
            yield f"job {view.place[b][0]} does not wait for job {view.place[a][0]}, but {b!r} needs {a!r}"


def _capacity(line: Json, view: _View) -> Iterator[str]:
    for j, job in enumerate(line["jobs"]):
        for k, group in enumerate(job["groups"]):
            until = view.held_until(line, j, k)
            for s in group["steps"]:
                if view.start[s] < view.job_start[j] - TOLERANCE_S or view.end[s] > until + TOLERANCE_S:
                    yield f"step {s!r} runs outside its group's hold"
                if view.steps[s].get("gpu_type") not in (None, group["gpu_type"]) and view.steps[s]["gpu_count"]:
                    yield f"step {s!r} wants {view.steps[s]['gpu_type']}, its group has {group['gpu_type']}"
                if view.steps[s].get("nodes", 1) > group["nodes"]:
                    yield f"step {s!r} wants more nodes than its group has"
            yield from _peaks(j, k, group, view)


def _peaks(j: int, k: int, group: Json, view: _View) -> Iterator[str]:
    for moment in group["steps"]:
        now = view.start[moment]
        running = [
            view.steps[s] for s in group["steps"] if view.start[s] <= now < view.end[s] - TOLERANCE_S or s == moment
        ]
        for field, demand in (("gpus", "gpu_count"), ("cpus", "cpus"), ("memory_mib", "memory_mib")):
            used = sum(step.get(demand) or 0 for step in running)
            if used > group[field]:
                yield f"at {now} s job {j} group {k} needs {used} {field} and has {group[field]}"


def _hosting(inventory: Sequence[Json], line: Json) -> Iterator[str]:
    """Every job's groups can have distinct nodes: augmenting paths between nodes wanted and classes."""
    for j, job in enumerate(line["jobs"]):
        free = [one["count"] for one in inventory]
        taken: list[list[int]] = [[] for _ in inventory]
        groups = job["groups"]

        def place(
            k: int,
            seen: set[int],
            groups: Sequence[Json] = groups,
            free: list[int] = free,
            taken: list[list[int]] = taken,
        ) -> bool:
            for c, one in enumerate(inventory):
                if c in seen or not _holds(one, groups[k]):
                    continue
                seen.add(c)
                if free[c] > 0:
                    free[c] -= 1
                    taken[c].append(k)
                    return True
                for position, other in enumerate(taken[c]):
                    if place(other, seen):
                        taken[c][position] = k
                        return True
            return False

        for k, group in enumerate(groups):
            if not all(place(k, set()) for _ in range(group["nodes"])):
                yield f"job {j}: no node is left for group {k}"


def _holds(one: Json, group: Json) -> bool:
    return bool(
        group["gpu_type"] in (None, one["gpu_type"])
        and group["gpus"] <= one["gpus"]
        and group["cpus"] <= one["cpus"]
        and group["memory_mib"] <= one["memory_mib"]
    )


def _some_node(step: Json, inventory: Sequence[Json]) -> bool:
    wants = step["gpu_type"] if step.get("gpu_count") else None
    group = {
        "gpu_type": wants,
        "gpus": step.get("gpu_count") or 0,
        "cpus": step["cpus"],
        "memory_mib": step["memory_mib"],
    }
    return bool(sum(one["count"] for one in inventory if _holds(one, group)) >= step.get("nodes", 1))


def _sums(graph: Json, line: Json, view: _View) -> Iterator[str]:
    held = sum(
        group["gpus"] * group["nodes"] * (view.held_until(line, j, k) - view.job_start[j])
        for j, job in enumerate(line["jobs"])
        for k, group in enumerate(job["groups"])
    )
    used = sum(
        (s["gpu_count"] or 0) * s.get("nodes", 1) * (view.end[s["id"]] - view.start[s["id"]]) for s in graph["steps"]
    )
    expected = {
        "held_gpu_s": held,
        "used_gpu_s": used,
        "makespan_s": max(view.end.values()),
        "unlimited_makespan_s": unlimited_makespan(graph),
    }
    for name, value in expected.items():
        if abs(line[name] - value) > TOLERANCE_S * max(1.0, abs(value)):
            yield f"{name} is {line[name]}, should be {value}"
    if line["held_gpu_s"] < line["used_gpu_s"] - TOLERANCE_S:
        yield "less is held than used"


def unlimited_makespan(graph: Json) -> float:
    """Seconds until the last step ends when nothing waits for resources."""
    steps = {step["id"]: step for step in graph["steps"]}
    start = dict.fromkeys(steps, 0.0)
    started = [tuple(edge) for edge in graph.get("started", [])]
    for _ in range(2 * len(steps) + 1):
        end = _ends(steps, start, started)
        again = dict(start)
        for a, b in graph.get("after", []):
            again[b] = max(again[b], end[a])
        for a, b in started:
            again[b] = max(again[b], again[a])
        if again == start:
            break
        start = again
    return max(_ends(steps, start, started).values())
