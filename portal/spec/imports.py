"""Imports between Apps: chains that lead back, versions to offer, and Tasks that are no longer as they were imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import networkx as nx

from portal.spec.models import AppSpec, Task


class Pin(NamedTuple):
    """One version of an App; without version whichever is the newest."""

    app_id: str
    version: str | None


def chain_back(start: Pin, imports: Mapping[Pin, Iterable[Pin]], into: str) -> tuple[str, ...]:
    """App ids from `into` over `start` back to `into`, the shortest way; empty when nothing leads back.

    `imports`: what each version imports, as far as `start` leads.
    chain_back(Pin("B", "1"), {Pin("B", "1"): [Pin("A", "1")]}, "A") -> ("A", "B", "A")
    """
    graph: nx.DiGraph[Pin] = nx.DiGraph((version, pin) for version, pins in imports.items() for pin in pins)
    graph.add_node(start)
    for version, path in nx.single_source_shortest_path(graph, start).items():
        if version.app_id == into:
            return (into, *(pin.app_id for pin in path))
    return ()


def newer_version(versions: Sequence[str], pinned: str | None, declined: str | None) -> str | None:
    """The newest of `versions` (newest first) when it is to be offered: neither the pinned one nor one that was declined."""
    if not versions or versions[0] in {pinned, declined}:
        return None
    return versions[0]


def changed_tasks(spec: AppSpec, source: AppSpec) -> Iterator[tuple[int, Task]]:
    """Tasks imported from `source` that have other components or connections than each of its Tasks, with their indices.

    Name and order may be one's own: they change nothing of what a Task does.
    """
    for index, task in enumerate(spec.tasks):
        if task.imported_from == source.app_id and not any(_does_the_same(task, one) for one in source.tasks):
            yield index, task


def _does_the_same(one: Task, other: Task) -> bool:
    return one.components == other.components and set(one.workflow) == set(other.workflow)
