"""Generated graphs, with parts that run together and on several nodes, planned in every form and checked from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench.cases import DATA, case_of, inventory_of
from bench.plan import run_case
from bench.validate import problems
from slurm.plan import Form
from tests.slurm.plan.graphs import RAW_INVENTORY, raw_graph

pytestmark = pytest.mark.whole

FORMS: tuple[Form, ...] = ("together", "staged", "auto")


def _answer(graph: dict[str, Any], inventory: list[dict[str, Any]], form: Form, *, history: bool) -> Any:
    return json.loads(json.dumps(run_case(case_of(graph), inventory_of(inventory), form, history=history)))


def _recorded() -> Iterator[dict[str, Any]]:
    with (DATA / "graphs.jsonl").open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


@pytest.mark.parametrize("history", [False, True], ids=["without history", "history"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(24))
def test_generated_graph_has_a_valid_plan(seed: int, form: Form, history: bool) -> None:
    graph = raw_graph(seed, size=5 + 3 * (seed % 12))
    answer = _answer(graph, RAW_INVENTORY, form, history=history)
    assert problems(graph, RAW_INVENTORY, answer) == []


@pytest.mark.parametrize("seed", range(12))
def test_together_with_history_never_takes_longer_than_unlimited_resources(seed: int) -> None:
    graph = raw_graph(seed, size=30, together=False)
    answer = _answer(graph, RAW_INVENTORY, "together", history=True)
    assert answer["jobs"], answer["infeasible"]
    assert answer["makespan_s"] == pytest.approx(answer["unlimited_makespan_s"])


@pytest.mark.parametrize("form", FORMS)
def test_recorded_graphs_have_valid_plans(form: Form) -> None:
    inventory = json.loads((DATA / "inventory.json").read_text(encoding="utf-8"))
    wrong = {
        graph["name"]: found
        for graph in _recorded()
        if len(graph["steps"]) < 80
        and (found := problems(graph, inventory, _answer(graph, inventory, form, history=False)))
    }
    assert wrong == {}


def test_the_impossible_graph_names_every_such_step() -> None:
    inventory = json.loads((DATA / "inventory.json").read_text(encoding="utf-8"))
    graph = next(graph for graph in _recorded() if graph["name"] == "hic/impossible")
    answer = _answer(graph, inventory, "auto", history=False)
    assert answer["infeasible"] == [
        {"step": 3, "why": "3: asks for P100 x 16; no node is this large (max P100 x 2, 256GB)"},
        {"step": 7, "why": "7: asks for 9000000MB; no node is this large (max G3 x 8, 768GB)"},
    ]
    assert answer["jobs"] == []
    assert answer["start_s"] == {}


SMALL_CLUSTER: list[dict[str, Any]] = [
    {"gpu_type": "A100", "gpus": 8, "cpus": 32, "memory_mib": 200000, "count": 2},
    {"gpu_type": "V100", "gpus": 8, "cpus": 32, "memory_mib": 200000, "count": 1},
]


@pytest.mark.parametrize("form", ["staged", "auto"])
@pytest.mark.parametrize("seed", range(400, 412))
def test_three_nodes_are_enough_for_what_can_be_cut(seed: int, form: Form) -> None:
    graph = raw_graph(seed, size=20, together=False)
    answer = _answer(graph, SMALL_CLUSTER, form, history=False)
    assert answer["infeasible"] == []
    assert problems(graph, SMALL_CLUSTER, answer) == []


def test_steps_without_gpu_move_in_with_others_where_nodes_are_few() -> None:
    steps = [
        {"id": "a", "runtime_s": 1.0, "cpus": 4, "memory_mib": 1000, "gpu_type": "A100", "gpu_count": 8},
        {"id": "b", "runtime_s": 1.0, "cpus": 4, "memory_mib": 1000, "gpu_type": "A100", "gpu_count": 8},
        {"id": "c", "runtime_s": 1.0, "cpus": 4, "memory_mib": 1000, "gpu_type": "V100", "gpu_count": 8},
        {"id": "d", "runtime_s": 9.0, "cpus": 4, "memory_mib": 1000, "gpu_type": None, "gpu_count": 0},
    ]
    graph = {"name": "full", "steps": steps, "after": []}
    answer = _answer(graph, SMALL_CLUSTER, "together", history=False)
    assert problems(graph, SMALL_CLUSTER, answer) == []
    assert [group["gpus"] for group in answer["jobs"][0]["groups"]] == [8, 8, 8]
