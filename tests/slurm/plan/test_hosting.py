"""Node classes from a snapshot, and groups that each need nodes of their own."""

from __future__ import annotations

import pytest

from slurm.errors import PlanError
from slurm.graph import Edge, Step, StepGraph
from slurm.inventory import NodeClass, inventory_from, usable_by, without_memory
from slurm.plan import make_plan
from slurm.plan.hosting import MAX_GROUPS, Hosts, Kind, Shape
from slurm.records import NodeRecord, PartitionRecord
from tests.slurm.plan.graphs import GIB, LAB

EVERYBODY: frozenset[str] = frozenset()


def _node(
    name: str, partitions: tuple[str, ...], gres: dict[str, int], state: str = "IDLE", flags: frozenset[str] = EVERYBODY
) -> NodeRecord:
    return NodeRecord(name, state, flags, "", "", None, partitions, EVERYBODY, 32, 0, 200000, 0, gres)


def _partition(name: str, state: str = "UP", accounts: frozenset[str] = EVERYBODY) -> PartitionRecord:
    return PartitionRecord(name, state, 60, accounts, EVERYBODY, ())


def test_the_lab_has_two_classes() -> None:
    nodes = [
        _node("gpu1", ("a100",), {"gpu:A100": 8}),
        _node("gpu2", ("a100",), {"gpu:A100": 8}, "DOWN", frozenset({"NOT_RESPONDING"})),
        _node("gpu3", ("v100",), {"gpu:tesla_v100": 8, "shard:tesla_v100": 32}),
        _node("later", ("a100",), {"gpu:A100": 8}, "FUTURE"),
    ]
    classes = inventory_from(nodes, [_partition("a100"), _partition("v100")], {"tesla_v100": "V100"})
    seen = [(c.label, c.gres_type, c.partition, c.gpus, c.shards, c.cpus, c.memory_mib, c.count) for c in classes]
    assert seen == [
        ("A100", "A100", "a100", 8, 0, 32, 200000, 2),
        ("V100", "tesla_v100", "v100", 8, 32, 32, 200000, 1),
    ]


def test_a_node_in_two_partitions_is_one_machine() -> None:
    nodes = [_node("gpu1", ("day", "night"), {"gpu:A100": 8})]
    classes = inventory_from(nodes, [_partition("day"), _partition("night")], {})
    assert [c.partition for c in classes] == ["day", "night"]
    shape = Shape(1, 0, 1, 1)
    hosts = Hosts(classes)
    assert hosts.assign([(Kind("A100"), shape)]) is not None
    assert hosts.assign([(Kind("A100"), shape)] * 2) is None


def test_closed_partitions_and_foreign_accounts_are_no_inventory() -> None:
    nodes = [_node("n", ("shut", "theirs"), {"gpu:A100": 1})]
    classes = inventory_from(
        nodes, [_partition("shut", "DOWN"), _partition("theirs", accounts=frozenset({"physics"}))], {}
    )
    assert [c.partition for c in classes] == ["theirs"]
    assert usable_by(classes, account="lab", qos="one-normal") == ()
    assert usable_by(classes, account="physics", qos="one-normal", time_limit_min=60) == classes
    assert usable_by(classes, account="physics", qos="one-normal", time_limit_min=61) == ()
    assert without_memory(classes, 200000) == ()


def test_matching_moves_a_small_group_off_the_only_large_node() -> None:
    large = NodeClass("A", "a", "p", "", 8, 0, 8, 8000, 1)
    small = NodeClass("A", "a", "p", "", 1, 0, 8, 8000, 1)
    assigned = Hosts((large, small)).assign([(Kind("A"), Shape(1, 0, 1, 1)), (Kind("A"), Shape(8, 0, 1, 1))])
    assert assigned is not None
    assert [one.gpus for one in assigned] == [1, 8]


def test_a_group_of_several_nodes_stays_in_one_partition() -> None:
    split = (NodeClass("A", "a", "p", "", 1, 0, 8, 8000, 1), NodeClass("A", "a", "q", "", 1, 0, 8, 8000, 1))
    assert not Hosts(split).fits(Kind("A"), Shape(1, 0, 1, 1, nodes=2))
    assert Hosts(split).assign([(Kind("A"), Shape(1, 0, 1, 1))] * 2) is not None


def test_no_job_has_more_groups_than_slurm_allows() -> None:
    plenty = Hosts((NodeClass("A", "a", "p", "", 1, 0, 8, 8000, 500),))
    assert plenty.assign([(Kind("A"), Shape(1, 0, 1, 1))] * MAX_GROUPS) is not None
    assert plenty.assign([(Kind("A"), Shape(1, 0, 1, 1))] * (MAX_GROUPS + 1)) is None


def test_a_wide_graph_gets_no_more_groups_than_slurm_allows() -> None:
    steps = tuple(Step(f"s{i}", 1, GIB, "A", 2) for i in range(150))
    plan = make_plan(StepGraph(steps), (NodeClass("A", "a", "p", "", 8, 0, 8, 8 * GIB, 500),), form="together")
    assert len(plan.jobs[0].groups) <= MAX_GROUPS


def test_groups_are_squeezed_until_every_one_has_a_node() -> None:
    steps = tuple(Step(f"s{i}", 1, GIB, "A100", 2) for i in range(6))
    plan = make_plan(StepGraph(steps), LAB, form="together")
    assert len(plan.jobs[0].groups) == 2
    assert sum(group.gpus for group in plan.jobs[0].groups) == 12


def test_auto_stages_what_has_no_nodes_at_once() -> None:
    steps = tuple(Step(f"s{i}", 1, GIB, "A100", 8) for i in range(3))
    plan = make_plan(StepGraph(steps), LAB)
    assert plan.form == "staged"
    assert plan.reason_en.startswith("there are not enough nodes")
    with pytest.raises(PlanError, match=r"s0, s1, s2: in one job need 3 nodes at once \(A100\); there are 2") as caught:
        make_plan(StepGraph(steps), LAB, form="together")
    (problem,) = caught.value.problems
    assert (problem.resource, problem.asked, problem.largest) == ("nodes", "3", "2")
    assert "노드 3대가 동시에 필요합니다" in problem.message_ko


def test_parts_that_must_run_together_without_enough_nodes_are_refused() -> None:
    steps = tuple(Step(f"s{i}", 1, GIB, "A100", 8) for i in range(3))
    graph = StepGraph(steps, (Edge("s0", "s1", "started"), Edge("s1", "s2", "started")))
    for form in ("auto", "staged", "together"):
        with pytest.raises(PlanError, match="3 nodes at once"):
            make_plan(graph, LAB, form=form)


@pytest.mark.parametrize(
    ("step", "resource", "asked", "largest"),
    [
        (Step("x", 1, GIB, "H100", 1), "gpu_type", "H100", "A100, V100"),
        (Step("x", 1, GIB, "A100", 16), "gpus", "A100 x 16", "A100 x 8, 195GB"),
        (Step("x", 1, 512 * GIB, "A100", 1), "memory", "512GB", "A100 x 8, 195GB"),
        (Step("x", 64, GIB, "V100", 1), "cpus", "64 CPU", "V100 x 8, 32 CPU, 195GB"),
        (Step("x", 64, GIB), "cpus", "64 CPU", "A100 x 8, 32 CPU, 195GB"),
        (Step("x", 1, GIB, "V100", shards=5), "gpu_shards", "5 shares of one V100", "V100 x 8, 195GB, 4 shares a GPU"),
        (Step("x", 1, GIB, "V100", 1, nodes=2), "nodes", "2 x (V100 x 1, 1 CPU, 1GB)", "1 x (V100 x 8, 32 CPU, 195GB)"),
    ],
)
def test_what_no_node_has_is_named(step: Step, resource: str, asked: str, largest: str) -> None:
    with pytest.raises(PlanError) as caught:
        make_plan(StepGraph((step,)), LAB)
    (problem,) = caught.value.problems
    assert (problem.step, problem.resource, problem.asked, problem.largest) == ("x", resource, asked, largest)


def test_all_impossible_steps_are_named_at_once() -> None:
    steps = (Step("a", 64, 512 * GIB, "A100", 16), Step("fine", 1, GIB), Step("b", 1, GIB, "H100", 1))
    with pytest.raises(PlanError) as caught:
        make_plan(StepGraph(steps), LAB)
    assert [(problem.step, problem.resource) for problem in caught.value.problems] == [
        ("a", "gpus"),
        ("a", "cpus"),
        ("a", "memory"),
        ("b", "gpu_type"),
    ]
    assert (
        caught.value.problems[0].message_ko
        == "a: A100 x 16 요청, 이 크기를 가진 노드가 없습니다 (최대 A100 x 8, 195GB)"
    )


def test_the_runner_needs_its_memory_too() -> None:
    whole = StepGraph((Step("x", 1, 200000, "A100", 1),))
    assert make_plan(whole, LAB).jobs
    with pytest.raises(PlanError):
        make_plan(whole, LAB, runner_memory_mib=512)
