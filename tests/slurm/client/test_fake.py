"""The fake keeps the contract, and does what was measured on real Slurm beyond it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from slurm.errors import SlurmRefused, SlurmUnreachable
from slurm.fake import FakeSlurm
from slurm.fake.cluster import FakeJob, FakeQos, lab_cluster
from tests.slurm.client.contract import (
    ACCOUNT,
    BAD,
    GOOD,
    LIMITED_QOS,
    LONG,
    OBEDIENT,
    OWNER,
    RELEASING,
    ClientContract,
    component,
    fresh_name,
    live,
    pair,
    submission,
)


class FakeStage:
    """The fake with a player that knows the contract's scripts."""

    def __init__(self) -> None:
        self.cluster = lab_cluster()
        self.cluster.qos[LIMITED_QOS] = FakeQos(667, max_gpus_per_user=8)
        self.cluster.associations[(OWNER, ACCOUNT)] |= {LIMITED_QOS}
        self.cluster.on_start = self._play
        self.cluster.on_signal = self._signal
        self.client = FakeSlurm(self.cluster)

    def directory(self) -> str:
        return "/shared/contract"

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        for _ in range(30):
            if await condition():
                return
            self.cluster.advance(1)
        pytest.fail(f"not within 30 simulated seconds: {what}")

    def _play(self, leader: FakeJob) -> None:
        script = leader.submission.script
        if script in (GOOD, BAD):
            self.cluster.end_after(leader.job_id, 1, exit_code=7 if script == BAD else 0)
        elif script == RELEASING:
            self.cluster.release(leader.job_id, 1)

    def _signal(self, leader: FakeJob, _signal: str) -> None:
        if leader.submission.script == OBEDIENT:
            self.cluster.end_after(leader.job_id, 1, exit_code=9)


@pytest.fixture
def stage() -> FakeStage:
    return FakeStage()


class TestContractOnTheFake(ClientContract):
    """Every contract test, on the fake."""


async def test_ended_jobs_leave_the_snapshot_but_not_accounting(stage: FakeStage) -> None:
    name = fresh_name()
    ids = await stage.client.submit(submission(stage, GOOD, component(name)))
    stage.cluster.advance(10)
    assert [job.state for job in (await stage.client.snapshot()).jobs] == ["COMPLETED"]
    stage.cluster.advance(301)
    assert (await stage.client.snapshot()).jobs == ()
    assert [row.state for row in await stage.client.accounting(ids)] == ["COMPLETED"]


async def test_components_never_share_a_node(stage: FakeStage) -> None:
    """Three one-GPU components on two suitable nodes wait for ever, and hold back what comes later."""
    name = fresh_name()
    await stage.client.submit(submission(stage, LONG, component(name), component(name), component(name)))
    later = await stage.client.submit(submission(stage, LONG, component(fresh_name())))
    stage.cluster.advance(3600)
    jobs = {job.job_id: job for job in (await stage.client.snapshot()).jobs}
    assert {job.state for job in jobs.values()} == {"PENDING"}
    assert jobs[later[0]].reason == "Priority"


async def test_priority_decides_who_starts_next(stage: FakeStage) -> None:
    blocker = await stage.client.submit(submission(stage, LONG, component(fresh_name(), "v100", "gpu:tesla_v100:8")))
    stage.cluster.advance(0)
    waiting = [
        (await stage.client.submit(submission(stage, LONG, component(fresh_name(), "v100", "gpu:tesla_v100:8"))))[0]
        for _ in range(3)
    ]
    await stage.client.set_priority(waiting[2:], qos="one-high", nice=400_000_000)
    await stage.client.set_priority(waiting[1:2], qos="one-normal", nice=399_999_000)
    order = []
    stage.cluster.on_start = lambda leader: order.append(leader.job_id)
    stage.cluster.end(blocker[0])
    for _ in waiting:
        stage.cluster.advance(1)
        stage.cluster.end(order[-1])
    assert order == [waiting[2], waiting[1], waiting[0]]


async def test_a_component_killed_while_waiting_leaves_a_headless_job_that_is_swept(stage: FakeStage) -> None:
    name = fresh_name()
    ids = await stage.client.submit(submission(stage, LONG, *pair(name)))
    stage.cluster.cancel_component(ids[0])
    stage.cluster.advance(600)
    assert [job.job_id for job in live(await stage.client.snapshot(), name)] == [ids[1]]
    assert live(await stage.client.snapshot(), name) == []


async def test_a_dependency_on_the_leader_alone_leaves_a_headless_component(stage: FakeStage) -> None:
    first = await stage.client.submit(submission(stage, BAD, component(fresh_name())))
    name = fresh_name()
    lead, other = pair(name)
    ids = await stage.client.submit(submission(stage, LONG, component(name, dependency=f"afterok:{first[0]}"), other))
    assert lead.dependency == ""
    stage.cluster.advance(10)
    assert [job.job_id for job in live(await stage.client.snapshot(), name)] == [ids[1]]


async def test_afterok_looks_at_the_leader_only(stage: FakeStage) -> None:
    first = await stage.client.submit(submission(stage, RELEASING, *pair(fresh_name())))
    second = await stage.client.submit(
        submission(stage, LONG, component(fresh_name(), dependency=f"afterok:{first[0]}"))
    )
    stage.cluster.advance(1)
    stage.cluster.end(first[0])
    stage.cluster.advance(1)
    (row,) = await stage.client.accounting(second)
    assert row.state == "RUNNING"


async def test_a_dead_node_fails_every_component_and_is_named(stage: FakeStage) -> None:
    ids = await stage.client.submit(submission(stage, LONG, *pair(fresh_name())))
    stage.cluster.advance(1)
    stage.cluster.kill_node("gpu3")
    rows = await stage.client.accounting(ids)
    assert [(row.state, row.failed_node) for row in rows] == [("NODE_FAIL", "gpu3")] * 2
    (node,) = [node for node in (await stage.client.snapshot()).nodes if node.name == "gpu3"]
    assert (node.state, node.flags) == ("DOWN", frozenset({"NOT_RESPONDING"}))


async def test_the_time_limit_signals_the_runner_first(stage: FakeStage) -> None:
    signalled: list[float] = []
    stage.cluster.on_signal = lambda leader, _signal: signalled.append(stage.cluster.now - (leader.started_at or 0))
    ids = await stage.client.submit(submission(stage, LONG, component(fresh_name(), time_limit_min=10)))
    stage.cluster.advance(700)
    (row,) = await stage.client.accounting(ids)
    assert signalled == [480]
    assert (row.state, row.elapsed_s) == ("TIMEOUT", 600)


async def test_shards_and_whole_gpus_share_a_node_but_not_a_gpu(stage: FakeStage) -> None:
    await stage.client.submit(submission(stage, LONG, component(fresh_name(), "v100", "shard:2")))
    stage.cluster.advance(1)
    seven = await stage.client.submit(submission(stage, LONG, component(fresh_name(), "v100", "gpu:tesla_v100:7")))
    eighth = await stage.client.submit(submission(stage, LONG, component(fresh_name(), "v100", "gpu:tesla_v100:1")))
    stage.cluster.advance(1)
    states = {job.job_id: job.state for job in (await stage.client.snapshot()).jobs}
    assert (states[seven[0]], states[eighth[0]]) == ("RUNNING", "PENDING")


async def test_a_lost_answer_is_found_again(stage: FakeStage) -> None:
    name = fresh_name()
    stage.client.lose_next_answer = True
    with pytest.raises(SlurmUnreachable):
        await stage.client.submit(submission(stage, LONG, *pair(name)))
    (leader_id,) = await stage.client.find(user=OWNER, account=ACCOUNT, name=name)
    assert len(live(await stage.client.snapshot(), name)) == 2
    await stage.client.cancel(OWNER, leader_id)


async def test_bad_days_can_be_played(stage: FakeStage) -> None:
    stage.client.refuse_next = SlurmRefused("Invalid qos specification", code=2066)
    with pytest.raises(SlurmRefused):
        await stage.client.submit(submission(stage, LONG, component(fresh_name())))
    await stage.client.submit(submission(stage, LONG, component(fresh_name())))
    stage.client.outage = "slurmctld does not answer"
    with pytest.raises(SlurmUnreachable, match="slurmctld"):
        await stage.client.snapshot()
    stage.client.outage, stage.client.accounting_outage = "", "slurmdbd does not answer"
    await stage.client.snapshot()
    with pytest.raises(SlurmUnreachable, match="slurmdbd"):
        await stage.client.accounting([1])
