"""What the edges of a step graph say about time: who surely ends before whom starts, and when with given durations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx

from slurm.graph import StepGraph


@dataclass(frozen=True)
class Order:
    """The certain order of a graph's steps, which are numbered as listed; sets of steps are bit masks.

    `later[i]`: steps that start only after step i has ended, whatever the durations; `earlier[i]` the reverse. Two steps
    in neither relation may run at the same time. `waits_end[i]` and `waits_start[i]`: whose end and whose start step i
    waits for directly. `clients[i]`: the steps whose ends a service waits for (empty for all others). `together[i]`: the
    steps joined to i by "started" edges, directly or not, with i itself. `events`: starts (False) and ends (True) in a possible
    order; `places[i]`: where those of step i are in it.
    """

    later: tuple[int, ...]
    earlier: tuple[int, ...]
    waits_end: tuple[tuple[int, ...], ...]
    waits_start: tuple[tuple[int, ...], ...]
    clients: tuple[tuple[int, ...], ...]
    together: tuple[int, ...]
    events: tuple[tuple[int, bool], ...]
    places: tuple[tuple[int, int], ...]

    def _events_of(self, within: int) -> Sequence[tuple[int, bool]]:
        if within < 0 or within.bit_count() > len(self.later) // 2:
            return [event for event in self.events if within >> event[0] & 1]
        places = sorted(place for i in members(within) for place in self.places[i])
        return [self.events[place] for place in places]

    def comparable(self, i: int) -> int:
        """The steps that can never run at the same time as step i."""
        return self.later[i] | self.earlier[i]

    def times(self, durations: Sequence[float], within: int = -1) -> tuple[list[float], list[float]]:
        """Start and end of every step in seconds after the start of all, when nothing ever waits for resources.

        Steps outside `within` take no time and nobody waits for them.
        """
        starts, ends = [0.0] * len(durations), [0.0] * len(durations)
        for i, is_end in self._events_of(within):
            if is_end:
                ends[i] = max((ends[c] for c in self.clients[i]), default=starts[i] + durations[i])
            else:
                begin = max((ends[p] for p in self.waits_end[i]), default=0.0)
                starts[i] = max((starts[p] for p in self.waits_start[i]), default=begin)
                starts[i] = max(starts[i], begin)
        return starts, ends

    def length(self, durations: Sequence[float], within: int) -> float:
        """How long some steps take together when nothing outside them is waited for."""
        _, ends = self.times(durations, within)
        return max(ends)

    def tails(self, durations: Sequence[float], within: int = -1) -> list[float]:
        """For every step the seconds from its start to the end of all that must still follow it, itself included."""
        from_start, from_end = [0.0] * len(durations), [0.0] * len(durations)
        for i, is_end in reversed(self._events_of(within)):
            if is_end:
                own = 0.0 if self.clients[i] else durations[i]
                from_start[i] = max(from_start[i], from_end[i] + own)
                for c in self.clients[i]:
                    from_end[c] = max(from_end[c], from_end[i])
            else:
                for p in self.waits_end[i]:
                    from_end[p] = max(from_end[p], from_start[i])
                for p in self.waits_start[i]:
                    from_start[p] = max(from_start[p], from_start[i])
        return from_start


def members(mask: int) -> list[int]:
    """The numbers in a bit mask, ascending."""
    numbers = []
    while mask:
        low = mask & -mask
        numbers.append(low.bit_length() - 1)
        mask ^= low
    return numbers


def mask_of(numbers: Iterable[int]) -> int:
    """The bit mask of some numbers."""
    mask = 0
    for number in numbers:
        mask |= 1 << number
    return mask


def order_of(graph: StepGraph) -> Order:
    """The certain order of a graph.

    Every step has two events, its start and its end; an edge "finished" puts an end before a start, "started" a start
    before a start, and a service ends after its clients do. Raises ValueError naming the steps of a cycle.
    """
    number = {step.id: i for i, step in enumerate(graph.steps)}
    count = len(graph.steps)
    waits_end: list[list[int]] = [[] for _ in range(count)]
    waits_start: list[list[int]] = [[] for _ in range(count)]
    clients: list[list[int]] = [[] for _ in range(count)]
    joined: nx.Graph[int] = nx.Graph()
    joined.add_nodes_from(range(count))
    for edge in graph.edges:
        before, after = number[edge.before], number[edge.after]
        if edge.when == "finished":
            waits_end[after].append(before)
            continue
        waits_start[after].append(before)
        joined.add_edge(before, after)
        if graph.steps[before].service:
            clients[before].append(after)
    events = _events(graph, waits_end, waits_start, clients)
    later = _later(count, events)
    earlier = tuple(mask_of(i for i in range(count) if later[i] >> j & 1) for j in range(count))
    together = [0] * count
    for component in nx.connected_components(joined):
        mask = mask_of(component)
        for i in component:
            together[i] = mask
    listed = list(nx.lexicographical_topological_sort(events))
    place = {event: position for position, event in enumerate(listed)}
    return Order(
        later=later,
        earlier=earlier,
        waits_end=_frozen(waits_end),
        waits_start=_frozen(waits_start),
        clients=_frozen(clients),
        together=tuple(together),
        events=tuple((event // 2, event % 2 == 1) for event in listed),
        places=tuple((place[2 * i], place[2 * i + 1]) for i in range(count)),
    )


def _events(
    graph: StepGraph, waits_end: list[list[int]], waits_start: list[list[int]], clients: list[list[int]]
) -> nx.DiGraph[int]:
    """Event 2i is the start of step i, 2i+1 its end."""
    events: nx.DiGraph[int] = nx.DiGraph()
    for i in range(len(graph.steps)):
        events.add_edge(2 * i, 2 * i + 1)
        events.add_edges_from((2 * p + 1, 2 * i) for p in waits_end[i])
        events.add_edges_from((2 * p, 2 * i) for p in waits_start[i])
        events.add_edges_from((2 * c + 1, 2 * i + 1) for c in clients[i])
    if not nx.is_directed_acyclic_graph(events):
        cycle = sorted({event // 2 for event, _ in nx.find_cycle(events)})
        raise ValueError("these steps wait for each other: " + ", ".join(graph.steps[i].id for i in cycle))
    return events


def _later(count: int, events: nx.DiGraph[int]) -> tuple[int, ...]:
    """For each step the starts that its end leads to."""
    reached: dict[int, int] = {}
    for event in reversed(list(nx.topological_sort(events))):
        mask = 0
        for following in events.successors(event):
            mask |= reached[following] | (1 << following // 2 if following % 2 == 0 else 0)
        reached[event] = mask
    return tuple(reached[2 * i + 1] for i in range(count))


def _frozen(lists: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(sorted(set(entry))) for entry in lists)
