"""What every Slurm client must do: the same tests run on the fake and, in tests/lab, on the agent over each of its roads.

A `Stage` plays one cluster: it makes submissions, waits (the fake turns its clock, the lab polls) and acts from outside.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest

from slurm.client import SlurmClient
from slurm.errors import NotPermitted, SlurmRefused
from slurm.records import AccountingRow, JobRecord, Snapshot, Standing
from slurm.submission import Component, Submission

OWNER = "kim"
ACCOUNT = "lab"
BASE_NICE = 400_000_000
LIMITED_QOS = "one-contract"
"""A QOS of at most 8 GPUs a user, refused at submit (DenyOnLimit)."""
LONG = "#!/bin/sh\nexec sleep 600\n"
GOOD = "#!/bin/sh\nexit 0\n"
BAD = "#!/bin/sh\nexit 7\n"
OBEDIENT = '#!/bin/bash\ntrap "exit 9" USR1\nsleep 600 &\nwait\n'
RELEASING = '#!/bin/bash\nscancel "$SLURM_JOB_ID+1"\nsleep 600 &\nwait\n'


class Stage(Protocol):
    """One cluster to play on."""

    @property
    def client(self) -> SlurmClient:
        """The client that is tested."""

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Let time pass until the condition holds; fails naming `what` when it does not within the stage's patience."""

    def directory(self) -> str:
        """A folder that the owner's job can write."""


def component(name: str, partition: str = "a100", gres: str = "gpu:A100:1", **changes: Any) -> Component:
    """One modest component; `changes` are any of its fields."""
    modest = Component(
        name=name,
        account=ACCOUNT,
        partition=partition,
        qos="one-normal",
        nice=BASE_NICE,
        nodes=1,
        cpus=1,
        memory_mib=256,
        gres=gres,
        constraint="",
        time_limit_min=10,
        comment=f"one:{name}",
        wckey="one-contract",
    )
    return replace(modest, **changes)


def submission(stage: Stage, script: str, *components: Component) -> Submission:
    """A job of `components`, its output in the stage's folder."""
    return Submission(
        owner=OWNER,
        script=script,
        working_directory=stage.directory(),
        output=f"{stage.directory()}/{components[0].name}.log",
        environment=("PATH=/usr/bin:/bin",),
        components=components,
    )


def fresh_name() -> str:
    """A job name that no job has."""
    return f"one-contract-{secrets.token_hex(8)}"


def pair(name: str, **changes: Any) -> tuple[Component, Component]:
    """Two components for two kinds of node."""
    return component(name, **changes), component(name, "v100", "gpu:tesla_v100:1", **changes)


class ClientContract:
    """Test methods; a subclass gives the fixture `stage`."""

    async def test_a_hetjob_is_queued_with_every_option_on_every_component(self, stage: Stage) -> None:
        name = fresh_name()
        ids = await stage.client.submit(submission(stage, LONG, *pair(name, hold=True, time_limit_min=7)))
        jobs = live(await stage.client.snapshot(), name)
        assert tuple(job.job_id for job in jobs) == ids
        assert [(job.leader_id, job.het_offset) for job in jobs] == [(ids[0], 0), (ids[0], 1)]
        assert [job.partition for job in jobs] == ["a100", "v100"]
        assert [job.gres for job in jobs] == [{"gpu:A100": 1}, {"gpu:tesla_v100": 1}]
        for job in jobs:
            assert (job.user, job.account, job.qos, job.nice) == (OWNER, ACCOUNT, "one-normal", BASE_NICE)
            assert (job.state, job.held, job.priority) == ("PENDING", True, 0)
            assert (job.cpus, job.memory_mib, job.node_count, job.time_limit_min) == (1, 256, 1, 7)
            assert (job.name, job.comment) == (name, f"one:{name}")
            assert job.submitted_at is not None
            assert job.started_at is None
        await stage.client.cancel(OWNER, ids[0])

    async def test_only_what_has_ended_is_annotated(self, stage: Stage) -> None:
        ids = await stage.client.submit(submission(stage, LONG, *pair(fresh_name(), hold=True)))
        with pytest.raises(SlurmRefused):
            await stage.client.annotate(ids[0], "too early")
        await stage.client.cancel(OWNER, ids[0])
        await ended(stage, ids)
        for job_id in ids:
            await stage.client.annotate(job_id, "one: used 1 of 2")

    async def test_a_plain_job_is_its_own_leader(self, stage: Stage) -> None:
        name = fresh_name()
        (job_id,) = await stage.client.submit(submission(stage, LONG, component(name, hold=True)))
        (job,) = live(await stage.client.snapshot(), name)
        assert (job.job_id, job.leader_id, job.het_offset) == (job_id, job_id, None)
        await stage.client.cancel(OWNER, job_id)

    async def test_a_job_runs_ends_well_and_is_in_accounting(self, stage: Stage) -> None:
        name = fresh_name()
        ids = await stage.client.submit(submission(stage, GOOD, *pair(name)))
        rows = await ended(stage, ids)
        assert [(row.job_id, row.leader_id, row.het_offset) for row in rows] == [
            (ids[0], ids[0], 0),
            (ids[1], ids[0], 1),
        ]
        assert [(row.state, row.exit_code, row.signal) for row in rows] == [("COMPLETED", 0, None)] * 2
        assert [row.comment for row in rows] == [f"one:{name}"] * 2
        assert rows[0].alloc_tres["gres/gpu:a100"] == 1
        assert rows[1].alloc_tres["gres/gpu:tesla_v100"] == 1
        assert rows[1].nodes == ("gpu3",)
        assert (rows[0].user, rows[0].account, rows[0].qos, rows[0].name) == (OWNER, ACCOUNT, "one-normal", name)
        assert rows[0].started_at is not None
        assert rows[0].ended_at is not None
        assert rows[0].elapsed_s >= 0

    async def test_an_exit_code_is_read(self, stage: Stage) -> None:
        ids = await stage.client.submit(submission(stage, BAD, component(fresh_name())))
        (row,) = await ended(stage, ids)
        assert (row.state, row.exit_code, row.signal, row.failed_node) == ("FAILED", 7, None, "")

    async def test_cancel_takes_all_components(self, stage: Stage) -> None:
        ids = await stage.client.submit(submission(stage, LONG, *pair(fresh_name(), hold=True)))
        await stage.client.cancel(OWNER, ids[0])
        rows = await ended(stage, ids)
        assert [(row.job_id, row.leader_id, row.state) for row in rows] == [(i, ids[0], "CANCELLED") for i in ids]
        await stage.client.cancel(OWNER, ids[0])

    async def test_a_graceful_cancel_reaches_the_runner_only(self, stage: Stage) -> None:
        ids = await stage.client.submit(submission(stage, OBEDIENT, component(fresh_name())))
        await running(stage, ids[0])
        await stage.client.cancel(OWNER, ids[0], graceful=True)
        (row,) = await ended(stage, ids)
        assert (row.state, row.exit_code) == ("FAILED", 9)

    async def test_a_component_cannot_be_cancelled_alone(self, stage: Stage) -> None:
        ids = await stage.client.submit(submission(stage, LONG, *pair(fresh_name(), hold=True)))
        with pytest.raises(NotPermitted, match=f"component of job {ids[0]}"):
            await stage.client.cancel(OWNER, ids[1])
        await stage.client.cancel(OWNER, ids[0])

    async def test_another_users_job_cannot_be_cancelled(self, stage: Stage) -> None:
        ids = await stage.client.submit(submission(stage, LONG, component(fresh_name(), hold=True)))
        with pytest.raises(NotPermitted, match="belongs to kim"):
            await stage.client.cancel("park", ids[0])
        await stage.client.cancel(OWNER, ids[0])

    async def test_a_job_submitted_elsewhere_is_not_touched(self, stage: Stage) -> None:
        for call in (
            stage.client.cancel(OWNER, 4_000_000),
            stage.client.set_priority([4_000_000], qos="one-high", nice=0),
            stage.client.hold([4_000_000], held=True),
        ):
            with pytest.raises(NotPermitted, match="4000000 was not submitted by this agent"):
                await call

    async def test_priority_is_written_to_every_component(self, stage: Stage) -> None:
        name = fresh_name()
        ids = await stage.client.submit(submission(stage, LONG, *pair(name, hold=True)))
        await stage.client.set_priority(ids, qos="one-high", nice=BASE_NICE - 3000)
        jobs = live(await stage.client.snapshot(), name)
        assert [(job.qos, job.nice) for job in jobs] == [("one-high", BASE_NICE - 3000)] * 2
        await stage.client.cancel(OWNER, ids[0])

    async def test_levels_never_overlap(self, stage: Stage) -> None:
        """A waiting job's priority is QOS first and nice only inside the level (held jobs have none)."""
        full = submission(stage, LONG, component(fresh_name(), "v100", "gpu:tesla_v100:8"))
        blocker = await stage.client.submit(full)
        await running(stage, blocker[0])
        ids = [
            (await stage.client.submit(replace(full, components=(replace(full.components[0], name=fresh_name()),))))[0]
            for _ in "ab"
        ]
        await stage.client.set_priority(ids[:1], qos="one-high", nice=BASE_NICE + 100_000)
        await stage.client.set_priority(ids[1:], qos="one-normal", nice=BASE_NICE - 100_000)

        async def ordered() -> bool:
            seen = {job.job_id: job.priority for job in (await stage.client.snapshot()).jobs}
            return seen[ids[0]] > seen[ids[1]] > 0

        await stage.until(ordered, "priorities read back in order")
        for job_id in (*ids, *blocker):
            await stage.client.cancel(OWNER, job_id)

    async def test_hold_and_release_reach_every_component(self, stage: Stage) -> None:
        name = fresh_name()
        ids = await stage.client.submit(submission(stage, GOOD, *pair(name, hold=True)))
        await stage.client.hold(ids, held=False)
        assert [row.state for row in await ended(stage, ids)] == ["COMPLETED", "COMPLETED"]

    async def test_a_component_given_back_is_cancelled_and_the_leader_goes_on(self, stage: Stage) -> None:
        name = fresh_name()
        ids = await stage.client.submit(submission(stage, RELEASING, *pair(name)))

        async def released() -> bool:
            states = {job.job_id: job.state for job in (await stage.client.snapshot()).jobs if job.leader_id == ids[0]}
            return states.get(ids[0]) == "RUNNING" and states.get(ids[1], "CANCELLED") == "CANCELLED"

        await stage.until(released, "group 1 given back")
        await stage.client.cancel(OWNER, ids[0])
        rows = await ended(stage, ids)
        assert [row.het_offset for row in rows] == [0, 1]

    async def test_a_chain_goes_on_after_a_good_end(self, stage: Stage) -> None:
        first = await stage.client.submit(submission(stage, GOOD, *pair(fresh_name(), hold=True)))
        after = f"afterok:{first[0]}"
        name = fresh_name()
        second = await stage.client.submit(submission(stage, GOOD, *pair(name, dependency=after)))

        async def waits() -> bool:
            jobs = live(await stage.client.snapshot(), name)
            return [(job.dependency, job.reason) for job in jobs] == [(after, "Dependency")] * 2

        await stage.until(waits, "the second waits for the first")
        await stage.client.hold(first, held=False)
        assert {row.state for row in await ended(stage, second)} == {"COMPLETED"}

    async def test_a_chain_ends_with_its_first_failure_and_leaves_nothing(self, stage: Stage) -> None:
        first = await stage.client.submit(submission(stage, BAD, *pair(fresh_name(), hold=True)))
        second = await stage.client.submit(
            submission(stage, GOOD, *pair(fresh_name(), dependency=f"afterok:{first[0]}"))
        )
        third = await stage.client.submit(
            submission(stage, GOOD, *pair(fresh_name(), dependency=f"afterok:{second[0]}"))
        )
        await stage.client.hold(first, held=False)
        rows = await ended(stage, third)
        assert [(row.job_id, row.state) for row in rows] == [(i, "CANCELLED") for i in third]
        assert [row.state for row in await ended(stage, second)] == ["CANCELLED", "CANCELLED"]

    async def test_find_tells_what_is_already_there(self, stage: Stage) -> None:
        name = fresh_name()
        assert await stage.client.find(user=OWNER, account=ACCOUNT, name=name) == ()
        ids = await stage.client.submit(submission(stage, GOOD, *pair(name)))
        assert await stage.client.find(user=OWNER, account=ACCOUNT, name=name) == ids[:1]
        await ended(stage, ids)
        assert await stage.client.find(user=OWNER, account=ACCOUNT, name=name) == ids[:1]
        assert await stage.client.find(user="park", account=ACCOUNT, name=name) == ()

    @pytest.mark.parametrize(
        ("gres", "dependency", "code"),
        [("gpu:A100:9", "", 2014), ("gpu:A100:1", "afterok:3999999", 2038)],
        ids=["larger than a node", "unknown predecessor"],
    )
    async def test_slurms_no_keeps_its_number(self, stage: Stage, gres: str, dependency: str, code: int) -> None:
        name = fresh_name()
        first, second = component(name, gres=gres, dependency=dependency), pair(name, dependency=dependency)[1]
        with pytest.raises(SlurmRefused) as refused:
            await stage.client.submit(submission(stage, LONG, first, second))
        assert refused.value.code == code
        assert live(await stage.client.snapshot(), name) == []

    async def test_a_refused_submit_leaves_nothing_alive(self, stage: Stage) -> None:
        """Slurm leaves one component behind when the sum passes a QOS limit (2050): it would run alone."""
        name = fresh_name()
        with pytest.raises(SlurmRefused) as refused:
            await stage.client.submit(
                submission(
                    stage,
                    LONG,
                    component(name, gres="gpu:A100:3", qos=LIMITED_QOS),
                    component(name, "v100", "gpu:tesla_v100:6", qos=LIMITED_QOS),
                )
            )
        assert refused.value.code == 2050
        assert live(await stage.client.snapshot(), name) == []
        assert await stage.client.find(user=OWNER, account=ACCOUNT, name=name) == ()

    async def test_a_qos_outside_the_association_is_refused_to_the_owner(self, stage: Stage) -> None:
        with pytest.raises(SlurmRefused):
            await stage.client.submit(submission(stage, LONG, component(fresh_name(), qos="one-high")))

    async def test_129_components_are_refused_before_slurm_sees_them(self, stage: Stage) -> None:
        name = fresh_name()
        with pytest.raises(SlurmRefused, match="128"):
            await stage.client.submit(submission(stage, LONG, *(component(name) for _ in range(129))))

    async def test_nodes_and_partitions_are_read(self, stage: Stage) -> None:
        seen = await stage.client.snapshot()
        nodes = {node.name: node for node in seen.nodes}
        assert nodes["gpu1"].gres == {"gpu:A100": 8}
        assert nodes["gpu3"].gres == {"gpu:tesla_v100": 8, "shard": 32}
        assert (nodes["gpu1"].cpus, nodes["gpu1"].memory_mib) == (32, 200_000)
        assert nodes["gpu1"].state in {"IDLE", "MIXED", "ALLOCATED"}
        partitions = {partition.name: partition for partition in seen.partitions}
        assert partitions["a100"].nodes == ("gpu1", "gpu2")
        assert partitions["v100"].nodes == ("gpu3",)
        assert partitions["a100"].state == "UP"

    async def test_what_a_running_job_holds_is_seen_on_its_node(self, stage: Stage) -> None:
        (job_id,) = await stage.client.submit(
            submission(stage, LONG, component(fresh_name(), "v100", "gpu:tesla_v100:3"))
        )
        await running(stage, job_id)
        seen = await stage.client.snapshot()
        (node,) = [node for node in seen.nodes if node.name == "gpu3"]
        assert node.gres_used["gpu:tesla_v100"] >= 3
        assert node.cpus_allocated >= 1
        assert node.memory_allocated_mib >= 256
        await stage.client.cancel(OWNER, job_id)

    async def test_who_may_submit_where(self, stage: Stage) -> None:
        usual = ("one-normal", "one-low", "one-test")
        assert await stage.client.check_association(OWNER, ACCOUNT, usual) == Standing()
        nobody = await stage.client.check_association("nobody-here", ACCOUNT, usual)
        assert ("nobody-here" in nobody.missing, nobody.lacks_qos) == (True, ())
        high = await stage.client.check_association(OWNER, ACCOUNT, (*usual, "one-high"))
        assert (high.lacks_qos, "one-high" in high.missing) == (("one-high",), True)

    async def test_the_version_names_the_road(self, stage: Stage) -> None:
        version = await stage.client.version()
        assert version.slurm
        assert version.road in {"native", "rest", "fake"}
        assert version.road_reason

    async def test_how_slurm_weighs_jobs(self, stage: Stage) -> None:
        setup = await stage.client.priority_setup()
        assert setup.weights["QOS"] == 3_000_000_000
        assert setup.qos["one-high"] > setup.qos["one-normal"] > setup.qos["one-low"] > 0


def live(snapshot: Snapshot, name: str) -> list[JobRecord]:
    """The live components of that name, in order."""
    found = [job for job in snapshot.jobs if job.name == name and job.state in {"PENDING", "RUNNING"}]
    return sorted(found, key=lambda job: job.job_id)


async def running(stage: Stage, job_id: int) -> None:
    """Wait until the job has run for 3 s: its script has set its traps by then."""

    async def is_running() -> bool:
        taken = await stage.client.snapshot()
        (job,) = [job for job in taken.jobs if job.job_id == job_id]
        return job.state == "RUNNING" and job.started_at is not None and taken.at - job.started_at >= 3

    await stage.until(is_running, f"job {job_id} runs")


async def ended(stage: Stage, ids: tuple[int, ...]) -> tuple[AccountingRow, ...]:
    """Wait until accounting has all components ended; their rows in order."""
    rows: tuple[AccountingRow, ...] = ()

    async def is_ended() -> bool:
        nonlocal rows
        rows = await stage.client.accounting(ids[:1])
        return {row.job_id for row in rows} == set(ids) and all(row.state not in {"PENDING", "RUNNING"} for row in rows)

    await stage.until(is_ended, f"jobs {ids} ended in accounting")
    return rows
