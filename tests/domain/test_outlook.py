"""Whether a plan fits this moment, and what past waits are worth."""

from __future__ import annotations

from dataclasses import replace

from portal.domain.pastwaits import LEAST_SAMPLES, NO_GPU, PastWaits, gpus_at_once, past_waits
from portal.domain.roomnow import room_now
from slurm.plan import Group, Plan, PlannedJob
from slurm.records import NodeRecord


def node(name: str, free: int, *, flags: frozenset[str] = frozenset(), memory_mib: int = 1000) -> NodeRecord:
    return NodeRecord(
        name=name,
        state="IDLE",
        flags=flags,
        reason="",
        reason_user="",
        reason_at=None,
        partitions=("gpu",),
        features=frozenset(),
        cpus=16,
        cpus_allocated=0,
        memory_mib=memory_mib,
        memory_allocated_mib=0,
        gres={"gpu:A100": 8},
        gres_used={"gpu:A100": 8 - free},
    )


def group(gpus: int, *, nodes: int = 1, memory_mib: int = 100, partition: str = "gpu") -> Group:
    return Group("A100", "A100", partition, "", gpus, 0, 2, memory_mib, nodes, (), ())


def plan(*groups: Group, later: tuple[Group, ...] = ()) -> Plan:
    jobs = (PlannedJob(groups, ()), *([PlannedJob(later, (0,))] if later else []))
    return Plan("together", "", "", jobs, 1.0)


def where(found: tuple[tuple[str, Group], ...] | None) -> list[str] | None:
    return None if found is None else [name for name, _group in found]


def test_each_group_has_a_node_of_its_own() -> None:
    assert where(room_now(plan(group(2), group(4)), [node("a", 8)])) is None
    assert where(room_now(plan(group(2), group(4)), [node("a", 8), node("b", 2)])) == ["b", "a"]
    assert where(room_now(plan(group(1, nodes=2)), [node("a", 8), node("b", 2)])) in (["a", "b"], ["b", "a"])
    assert where(room_now(plan(group(4), later=(group(8),)), [node("a", 4)])) == ["a"], "later jobs need no room now"


def test_what_is_no_room() -> None:
    assert room_now(plan(group(2)), [node("a", 1)]) is None
    assert room_now(plan(group(2)), [node("a", 8, flags=frozenset({"DRAIN"}))]) is None
    assert room_now(plan(group(2, memory_mib=2000)), [node("a", 8)]) is None
    assert room_now(plan(group(2, partition="other")), [node("a", 8)]) is None
    assert room_now(plan(group(2)), [replace(node("a", 8), cpus_allocated=15)]) is None


def test_waits_of_similar_requests_only() -> None:
    similar = [({"A100": 4}, float(wait)) for wait in (10, 20, 30, 40)]
    others = [({"A100": 9}, 1.0), ({"V100": 4}, 1.0), ({"A100": 4, "V100": 1}, 1.0)]
    assert past_waits({"A100": 4}, [*similar, *others]) == PastWaits(4, None), "too few for an estimate"
    assert LEAST_SAMPLES == 5
    assert past_waits({"A100": 4}, [*similar, ({"A100": 8}, 50.0), *others]) == PastWaits(5, 30.0)


def test_gpus_of_the_plan_count_once_over_jobs_that_follow() -> None:
    job = {"groups": [{"gpu_type": "A100", "gpus": 2, "nodes": 2}, {"gpu_type": None, "gpus": 0, "nodes": 1}]}
    assert gpus_at_once({"jobs": [job, job]}) == {"A100": 4}
    assert gpus_at_once({"jobs": [{"groups": [{"gpu_type": None, "gpus": 0, "nodes": 1}]}]}) == {NO_GPU: 1}
