"""The graph rules of a spec, on networkx: edges inside a Task, services, and the order between Tasks.

`task_order` is also what `portal.compile` builds on: what it returns is exactly which Task waits for which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import networkx as nx

from portal.spec.models import AppSpec, Component, Task
from portal.spec.problems import Problem, problem


def task_order(spec: AppSpec) -> tuple[tuple[str, str], ...]:
    """Which Task waits for which: (before, after) pairs.

    A Task with `after` waits for those; another waits for the Task listed directly before it, unless `execution` is
    "parallel". Names in `after` that do not exist are left out (a problem of their own).
    """
    known = {task.task_id for task in spec.tasks}
    pairs: list[tuple[str, str]] = []
    for index, task in enumerate(spec.tasks):
        if task.after:
            pairs += [(before, task.task_id) for before in task.after if before in known]
        elif index and spec.execution == "sequential":
            pairs.append((spec.tasks[index - 1].task_id, task.task_id))
    return tuple(dict.fromkeys(pairs))


def first_nodes(task: Task) -> tuple[str, ...]:
    """The components that wait for nothing in their Task."""
    targets = {edge.target for edge in task.workflow}
    return tuple(component.id for component in task.components if component.id not in targets)


def last_nodes(task: Task) -> tuple[str, ...]:
    """The components whose end nothing in their Task waits for ("started" edges wait for no end)."""
    awaited = {edge.source for edge in task.workflow if edge.when == "finished"}
    return tuple(component.id for component in task.components if component.id not in awaited)


def graph_problems(spec: AppSpec) -> Iterator[Problem]:
    """Everything wrong in the graphs of a spec whose shape is right."""
    yield from _duplicates(spec)
    yield from _after_problems(spec)
    for index, task in enumerate(spec.tasks):
        place = f"$.tasks[{index}]"
        yield from _edge_problems(task, place)
        cycles = list(_cycles(task, place))
        yield from cycles
        yield from _service_problems(task, place, acyclic=not cycles)
        yield from _unconnected(task, place)


def _duplicates(spec: AppSpec) -> Iterator[Problem]:
    for index in _repeats(task.task_id for task in spec.tasks):
        yield problem(f"$.tasks[{index}].task_id", "duplicate_task", task=spec.tasks[index].task_id)
    for number, task in enumerate(spec.tasks):
        for index in _repeats(component.id for component in task.components):
            component = task.components[index]
            field = "component_id" if component.node_id is None else "node_id"
            yield problem(f"$.tasks[{number}].components[{index}].{field}", "duplicate_node", node=component.id)
    for index in _repeats(app.app_ref for app in spec.imported_apps):
        yield problem(f"$.imported_apps[{index}].app_ref", "duplicate_import", app=spec.imported_apps[index].app_ref)


def _repeats(values: Iterable[object]) -> Iterator[int]:
    """The positions of values that stood earlier already."""
    seen: set[object] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield index
        seen.add(value)


def _edge_problems(task: Task, place: str) -> Iterator[Problem]:
    known = {component.id: None for component in task.components}
    choices = ", ".join(known)
    seen: set[tuple[str, str]] = set()
    for index, edge in enumerate(task.workflow):
        path = f"{place}.workflow[{index}]"
        for side, node in (("from", edge.source), ("to", edge.target)):
            if node not in known:
                yield problem(f"{path}.{side}", "missing_node", node=node, task=task.task_id, known=choices)
        if edge.source == edge.target:
            yield problem(path, "self_loop", node=edge.source)
        elif (edge.source, edge.target) in seen:
            yield problem(path, "duplicate_edge", source=edge.source, target=edge.target)
        seen.add((edge.source, edge.target))


def _cycles(task: Task, place: str) -> Iterator[Problem]:
    edges = [(edge.source, edge.target) for edge in task.workflow if edge.source != edge.target]
    for nodes in _cycles_of(edges):
        yield problem(f"{place}.workflow", "cycle", nodes=" → ".join(nodes))


def _cycles_of(edges: Iterable[tuple[str, str]]) -> Iterator[list[str]]:
    """One cycle of each knot, closed ([A, B, A]): all simple cycles can be exponentially many."""
    graph: nx.DiGraph[str] = nx.DiGraph(edges)
    for knot in nx.strongly_connected_components(graph):
        if len(knot) > 1:
            found = nx.find_cycle(graph.subgraph(sorted(knot)), source=min(knot))
            start = min(range(len(found)), key=lambda index: found[index][0])
            nodes = [edge[0] for edge in found[start:] + found[:start]]
            yield [*nodes, nodes[0]]


def _service_problems(task: Task, place: str, *, acyclic: bool) -> Iterator[Problem]:
    waited_for = {edge.source for edge in task.workflow if edge.when == "started"}
    for index, component in enumerate(task.components):
        path = f"{place}.components[{index}]"
        if component.service and component.id not in waited_for:
            yield problem(f"{path}.service", "unused_service", node=component.id)
        elif component.ready is not None and component.id not in waited_for:
            yield problem(f"{path}.ready", "ready_unused", node=component.id)
    yield from _host_names(task, place, waited_for)
    if acyclic:
        yield from _deadlocks(task, place)


def _deadlocks(task: Task, place: str) -> Iterator[Problem]:
    """Waiting between starts and ends: a service ends only after those that started with it have ended."""
    services = {component.id for component in task.components if component.service}
    waits: list[tuple[str, str]] = [(f"{node.id} (start)", f"{node.id} (end)") for node in task.components]
    for edge in (edge for edge in task.workflow if edge.source != edge.target):
        moment = "end" if edge.when == "finished" else "start"
        waits.append((f"{edge.source} ({moment})", f"{edge.target} (start)"))
        if edge.when == "started" and edge.source in services:
            waits.append((f"{edge.target} (end)", f"{edge.source} (end)"))
    for nodes in _cycles_of(waits):
        yield problem(f"{place}.workflow", "service_deadlock", nodes=" → ".join(nodes))


def _host_names(task: Task, place: str, waited_for: set[str]) -> Iterator[Problem]:
    """ONE_HOST_<NODE_ID> must name one component only."""
    names: dict[str, str] = {}
    for index, component in enumerate(task.components):
        if component.id not in waited_for:
            continue
        name = f"ONE_HOST_{variable_suffix(component.id)}"
        first = names.setdefault(name, component.id)
        if first != component.id:
            path = f"{place}.components[{index}].node_id"
            yield problem(path, "host_name_collision", first=first, second=component.id, name=name)


def variable_suffix(name: str) -> str:
    """The part of an environment variable made from an id or a parameter's name: upper case, others than A-Z0-9 to "_"."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name.upper())


def _unconnected(task: Task, place: str) -> Iterator[Problem]:
    connected = {node for edge in task.workflow for node in (edge.source, edge.target)}
    if len(task.components) < 2:
        return
    for index, component in enumerate(task.components):
        if component.id not in connected:
            yield problem(f"{place}.components[{index}]", "unconnected", node=component.id)


def _after_problems(spec: AppSpec) -> Iterator[Problem]:
    known = [task.task_id for task in spec.tasks]
    for number, task in enumerate(spec.tasks):
        for index, before in enumerate(task.after):
            path = f"$.tasks[{number}].after[{index}]"
            if before == task.task_id:
                yield problem(path, "task_self_loop", task=before)
            elif before not in known:
                yield problem(path, "missing_task", task=before, known=", ".join(known))
            elif task.after.index(before) != index:
                yield problem(path, "duplicate_after", task=before)
    if max(Counter(known).values(), default=0) > 1:
        return
    for tasks in _cycles_of((before, after) for before, after in task_order(spec) if before != after):
        yield problem("$.tasks", "task_cycle", tasks=" → ".join(tasks))


def components_of(spec: AppSpec) -> Iterator[tuple[str, Task, Component]]:
    """Every component with its JSON path and its Task, in the spec's order."""
    for number, task in enumerate(spec.tasks):
        for index, component in enumerate(task.components):
            yield f"$.tasks[{number}].components[{index}]", task, component
