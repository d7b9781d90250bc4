"""The native road on a stand-in for PySlurm: fields as PySlurm 25.11.2 gave them on Slurm 26.05.5."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from slurm.errors import SlurmRefused, SlurmUnreachable
from tests.slurm.client.replay import calls, job_id

NODE = {
    "name": "gpu3",
    "state": "IDLE",
    "reason": None,
    "reason_user": None,
    "reason_time": None,
    "partitions": ["v100"],
    "active_features": [],
    "total_cpus": 32,
    "effective_cpus": 32,
    "allocated_cpus": 0,
    "real_memory": 200000,
    "allocated_memory": 0,
    "configured_gres": {"gpu:tesla_v100": 8, "shard:tesla_v100": 32},
    "allocated_gres": {},
}
PARTITION = {
    "name": "a100",
    "state": "UP",
    "max_time": 10080,
    "allowed_accounts": ["ALL"],
    "allowed_qos": ["one-high"],
    "nodes": "gpu[1-2]",
}
JOB = {
    "id": 307,
    "heterogeneous_id": 307,
    "heterogeneous_offset": None,
    "name": "one-x",
    "user_name": "kim",
    "user_id": 2001,
    "account": "lab",
    "partition": "a100",
    "qos": "one-normal",
    "nice": 400_000_000,
    "priority": 0,
    "state": "PENDING",
    "state_reason": "JobHeldUser",
    "comment": "one:x",
    "submit_time": 1_795_510_479,
    "eligible_time": None,
    "start_time": None,
    "end_time": None,
    "time_limit": 10,
    "allocated_nodes": None,
    "num_nodes": 2,
    "cpus": 4,
    "memory": 512,
    "gres_per_node": {"gres/gpu:A100": 1},
    "dependencies": {"after": [], "afterok": ["12(unfulfilled)"], "singleton": False, "satisfy": "all"},
    "exit_code": 0,
    "exit_code_signal": 0,
}


class RPCError(Exception):
    """PySlurm's own."""

    def __init__(self, errno: int) -> None:
        super().__init__(f"error {errno}")
        self.errno = errno


def collection(*records: dict[str, Any], error: int | None = None) -> type:
    def load() -> dict[int, SimpleNamespace]:
        if error is not None:
            raise RPCError(error)
        return {number: SimpleNamespace(**record) for number, record in enumerate(records)}

    return type("Collection", (), {"load": staticmethod(load)})


@pytest.fixture
def pyslurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    stand_in = ModuleType("pyslurm")
    for name, value in (
        ("__version__", "25.11.2"),
        ("RPCError", RPCError),
        ("Nodes", collection(NODE)),
        ("Partitions", collection(PARTITION)),
        ("Jobs", collection(JOB)),
    ):
        setattr(stand_in, name, value)
    monkeypatch.setitem(sys.modules, "pyslurm", stand_in)
    monkeypatch.delitem(sys.modules, "slurm.agent.native", raising=False)
    yield stand_in
    sys.modules.pop("slurm.agent.native", None)


def reader(*situations: str) -> Any:
    made, _ = calls("26.05/v0.0.45", *situations)
    return importlib.import_module("slurm.agent.native").NativeReader(made)


def test_one_moment(pyslurm: ModuleType) -> None:
    seen = reader().snapshot()
    (node,), (partition,), (job,) = seen.nodes, seen.partitions, seen.jobs
    assert (node.state, node.flags, node.gres) == ("IDLE", frozenset(), {"gpu:tesla_v100": 8, "shard": 32})
    assert (partition.nodes, partition.max_time_min) == (("gpu1", "gpu2"), 10080)
    assert (partition.allow_accounts, partition.allow_qos) == (frozenset(), frozenset({"one-high"}))
    assert (job.job_id, job.leader_id, job.het_offset, job.held) == (307, 307, 0, True)
    assert (job.gres, job.node_count, job.memory_mib, job.dependency) == ({"gpu:A100": 2}, 2, 512, "afterok:12")
    assert (job.exit_code, job.started_at, job.eligible_at) == (None, None, None)


@pytest.mark.parametrize(
    ("allocated", "used"),
    [
        ({"gpu": 2, "gpu:a100": 2}, {"gpu:A100": 2}),
        ({"gpu": 3}, {"gpu:A100": 3}),
        ({"gpu:A100": 8, "shard": 4}, {"gpu:A100": 8, "shard": 4}),
        ({}, {}),
    ],
)
def test_allocated_gpus_have_the_names_of_the_configured_ones(
    pyslurm: ModuleType, monkeypatch: pytest.MonkeyPatch, allocated: dict[str, int], used: dict[str, int]
) -> None:
    """Slurm 26.05.5 tells `AllocTRES=...,gres/gpu=2,gres/gpu:a100=2` of a node with `Gres=gpu:A100:8`."""
    monkeypatch.setitem(NODE, "configured_gres", {"gpu:A100": 8, "shard:A100": 32})
    monkeypatch.setitem(NODE, "allocated_gres", allocated)
    (node,) = reader().snapshot().nodes
    assert node.gres_used == used


def test_a_plain_job_that_failed(pyslurm: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = JOB | {
        "heterogeneous_id": None,
        "state": "FAILED",
        "exit_code": 7,
        "end_time": 1_795_510_500,
        "start_time": 1_795_510_490,
        "allocated_nodes": "gpu1",
        "dependencies": None,
    }
    monkeypatch.setattr(pyslurm, "Jobs", collection(plain))
    (job,) = reader().jobs()
    assert (job.leader_id, job.het_offset, job.exit_code, job.signal) == (307, None, 7, None)
    assert (job.nodes, job.started_at, job.ended_at) == (("gpu1",), 1_795_510_490, 1_795_510_500)


def test_completing_hides_how_a_job_ended_and_is_asked_elsewhere(
    pyslurm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = job_id("26.05/v0.0.45", "job-ended")
    monkeypatch.setattr(
        pyslurm, "Jobs", collection(JOB | {"id": leader, "heterogeneous_id": leader, "state": "COMPLETING"})
    )
    (job,) = reader("job-ended").jobs()
    assert (job.job_id, job.state) == (leader, "COMPLETED")


def test_completing_and_purged_meanwhile_is_left_out(pyslurm: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = JOB | {"id": 4_000_000, "heterogeneous_id": None, "state": "COMPLETING"}
    monkeypatch.setattr(pyslurm, "Jobs", collection(gone))
    assert reader("job-unknown").jobs() == ()


@pytest.mark.parametrize(
    ("text", "state", "flags"),
    [
        ("MIXED+DRAIN+NOT_RESPONDING", "MIXED", {"DRAIN", "NOT_RESPONDING"}),
        ("DOWN*", "DOWN", {"NOT_RESPONDING"}),
        ("IDLE", "IDLE", set()),
    ],
)
def test_node_states(
    pyslurm: ModuleType, monkeypatch: pytest.MonkeyPatch, text: str, state: str, flags: set[str]
) -> None:
    monkeypatch.setattr(pyslurm, "Nodes", collection(NODE | {"state": text}))
    (node,) = reader().snapshot().nodes
    assert (node.state, node.flags) == (state, flags)


def test_a_node_state_that_nobody_knows_is_unknown(pyslurm: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyslurm, "Nodes", collection(NODE | {"state": "IDLE+ASLEEP"}))
    (node,) = reader().snapshot().nodes
    assert (node.state, node.flags) == ("UNKNOWN", {"IDLE", "ASLEEP"})


@pytest.mark.parametrize(("number", "kind"), [(1800, SlurmUnreachable), (5004, SlurmUnreachable), (2002, SlurmRefused)])
def test_errors(pyslurm: ModuleType, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]) -> None:
    monkeypatch.setattr(pyslurm, "Jobs", collection(error=number))
    with pytest.raises(kind):
        reader().jobs()


def test_no_token_of_another_reaches_libslurm(pyslurm: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JWT", "somebody's")
    reader()
    assert "SLURM_JWT" not in os.environ


def test_the_note_names_both_versions(pyslurm: ModuleType) -> None:
    assert reader().note("26.05.5") == "PySlurm 25.11.2, controller 26.05.5"
