"""The agent on a simulated Slurm: the contract through its socket, its refusals, and what it leaves behind (nothing)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slurm.agent import permit, verbs
from slurm.errors import NotPermitted, SlurmRefused, SlurmUnreachable
from tests.slurm.client.conftest import AgentStage
from tests.slurm.client.contract import (
    ACCOUNT,
    LIMITED_QOS,
    LONG,
    OWNER,
    ClientContract,
    component,
    fresh_name,
    live,
    pair,
    submission,
)


class TestContractThroughTheAgent(ClientContract):
    """Every contract test, through socket, protocol, permits and ledger."""


# --- permits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"partition": "secret"}, "partition 'secret' is not among"),
        ({"account": "other"}, "account 'other' is not among"),
        ({"qos": "normal"}, "QOS 'normal' is not among"),
        ({"name": "not-ours"}, "job name 'not-ours' is not of the form"),
        ({"name": "one-a\nb"}, "job name"),
        ({"gres": "gpu:A100:1,license:x"}, "gres"),
        ({"gres": "gpu:0"}, "gres"),
        ({"dependency": "singleton"}, "dependency"),
        ({"dependency": "afterok:1+0"}, "dependency"),
        ({"constraint": "a b; id"}, "constraint"),
        ({"comment": "a\x00b"}, "comment"),
        ({"nice": -1}, "nice -1 is negative"),
        ({"memory_mib": 0}, "memory_mib 0 is not positive"),
        ({"time_limit_min": 0}, "time_limit_min 0"),
        ({"nodes": 0}, "nodes 0"),
        ({"cpus": -1}, "cpus -1"),
    ],
    ids=str,
)
async def test_a_component_that_is_not_allowed(stage: AgentStage, changes: dict[str, object], says: str) -> None:
    with pytest.raises(NotPermitted, match=says):
        await stage.client.submit(submission(stage, LONG, component(**{"name": fresh_name()} | changes)))  # type: ignore[arg-type]
    assert stage.calls.calls == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"owner": "root"}, "root is not in the group one-users"),
        ({"script": "echo hi"}, "script"),
        ({"script": "#!/bin/sh\n\x00"}, "script"),
        ({"working_directory": "tmp"}, "working_directory"),
        ({"output": "/shared/a\nb"}, "output"),
        ({"environment": ("PATH=/bin", "SLURM_JWT=x")}, "'SLURM_JWT' is not allowed"),
        ({"environment": ("LD_PRELOAD=/tmp/x.so",)}, "LD_PRELOAD"),
        ({"environment": ("no equals",)}, "not allowed"),
    ],
    ids=str,
)
async def test_a_submission_that_is_not_allowed(stage: AgentStage, changes: dict[str, object], says: str) -> None:
    sent = replace(submission(stage, LONG, component(fresh_name())), **changes)  # type: ignore[arg-type]
    with pytest.raises(NotPermitted, match=says):
        await stage.client.submit(sent)
    assert stage.calls.calls == []


@pytest.mark.parametrize("changes", [{"time_limit_min": 11}, {"hold": True}, {"dependency": "afterok:1"}], ids=str)
async def test_components_must_be_equal_where_slurm_needs_it(stage: AgentStage, changes: dict[str, object]) -> None:
    first, second = pair(fresh_name())
    with pytest.raises(NotPermitted, match="the same on every component"):
        await stage.client.submit(submission(stage, LONG, first, replace(second, **changes)))  # type: ignore[arg-type]


async def test_an_unlisted_qos_cannot_be_set(stage: AgentStage) -> None:
    ids = await stage.client.submit(submission(stage, LONG, component(fresh_name(), hold=True)))
    with pytest.raises(NotPermitted, match="QOS 'root-only'"):
        await stage.client.set_priority(ids, qos="root-only", nice=0)


def test_owners_are_ordinary_users_of_the_group(stage: AgentStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(NotPermitted):
        permit.check_owner(stage.config, "no-such-user")
    with pytest.raises(NotPermitted, match="root has uid 0, below 1000"):
        permit.check_owner(stage.config.model_copy(update={"users_group": "root"}), "root")


# --- identities, read back -----------------------------------------------------------------------------------------


async def test_owner_submits_and_cancels_operator_never(stage: AgentStage) -> None:
    (job_id,) = await stage.client.submit(submission(stage, LONG, component(fresh_name())))
    await stage.client.cancel(OWNER, job_id)
    assert stage.calls.calls == [("submit", OWNER), ("cancel", OWNER, job_id)]


async def test_a_component_that_did_not_take_is_named(stage: AgentStage) -> None:
    ids = await stage.client.submit(submission(stage, LONG, *pair(fresh_name(), hold=True)))
    stage.calls.deaf_to_qos_of = {ids[1]}
    with pytest.raises(SlurmRefused, match=f"job {ids[1]} has QOS one-normal"):
        await stage.client.set_priority(ids, qos="one-high", nice=5)


async def test_a_foreign_job_with_our_number_is_not_touched(stage: AgentStage) -> None:
    """After a reinstalled Slurm the numbers start again: the ledger's job 1 is somebody else's now."""
    ids = await stage.client.submit(submission(stage, LONG, component(fresh_name(), hold=True)))
    job = stage.cluster.jobs[ids[0]]
    job.component = replace(job.component, name="somebody-elses")
    with pytest.raises(NotPermitted, match="is not the one that this agent submitted"):
        await stage.client.set_priority(ids, qos="one-high", nice=0)


# --- nothing is left behind ----------------------------------------------------------------------------------------


async def test_what_a_refused_submit_left_is_cancelled_as_its_owner(stage: AgentStage) -> None:
    name = fresh_name()
    six = component(name, gres="gpu:A100:6", qos=LIMITED_QOS), component(name, "v100", "gpu:6", qos=LIMITED_QOS)
    with pytest.raises(SlurmRefused, match="QOS"):
        await stage.client.submit(submission(stage, LONG, *six))
    assert ("cancel", OWNER, 2) in stage.calls.calls
    stage.cluster.advance(60)
    assert live(await stage.client.snapshot(), name) == []


async def test_a_lost_answer_is_settled_by_find(stage: AgentStage) -> None:
    name = fresh_name()
    stage.calls.lose_next_answer = True
    with pytest.raises(SlurmUnreachable):
        await stage.client.submit(submission(stage, LONG, *pair(name, hold=True)))
    stage.start()
    assert stage.verbs.find(OWNER, ACCOUNT, name) == (1,)
    stage.verbs.cancel(OWNER, 1, graceful=False)
    assert live(await stage.client.snapshot(), name) == []


async def test_a_submit_that_may_still_arrive_is_not_given_up(
    stage: AgentStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = fresh_name()

    def never(sent: object) -> int:
        raise SlurmUnreachable("no answer")

    monkeypatch.setattr(stage.calls, "submit", never)
    with pytest.raises(SlurmUnreachable):
        await stage.client.submit(submission(stage, LONG, component(name)))
    with pytest.raises(SlurmUnreachable, match="ask again in"):
        await stage.client.find(user=OWNER, account=ACCOUNT, name=name)
    with pytest.raises(SlurmUnreachable, match="find it first"):
        await stage.client.submit(submission(stage, LONG, component(name)))
    monkeypatch.setattr(verbs, "SETTLED_AFTER_S", 0)
    assert await stage.client.find(user=OWNER, account=ACCOUNT, name=name) == ()
    monkeypatch.undo()


async def test_the_same_name_is_submitted_once(stage: AgentStage) -> None:
    name = fresh_name()
    (job_id,) = await stage.client.submit(submission(stage, LONG, component(name)))
    with pytest.raises(SlurmUnreachable, match=f"already submitted as job {job_id}"):
        await stage.client.submit(submission(stage, LONG, component(name)))


async def test_headless_components_are_swept_when_seen_twice(stage: AgentStage) -> None:
    name = fresh_name()
    ids = await stage.client.submit(submission(stage, LONG, *pair(name, hold=True)))
    stage.cluster.cancel_component(ids[0])
    await stage.client.snapshot()
    assert stage.calls.calls == [("submit", OWNER)]
    await stage.client.snapshot()
    assert stage.calls.calls[1:] == [("cancel", OWNER, ids[0])]
    assert live(await stage.client.snapshot(), name) == []


async def test_a_failed_sweep_hides_no_snapshot(stage: AgentStage, monkeypatch: pytest.MonkeyPatch) -> None:
    name = fresh_name()
    ids = await stage.client.submit(submission(stage, LONG, *pair(name, hold=True)))
    stage.cluster.cancel_component(ids[0])

    def refuse(owner: str, job_id: int) -> None:
        raise SlurmRefused("not now")

    monkeypatch.setattr(stage.calls, "cancel", refuse)
    for _ in range(3):
        assert len(live(await stage.client.snapshot(), name)) == 1
    monkeypatch.undo()


async def test_other_peoples_headless_components_are_left_alone(stage: AgentStage) -> None:
    sent = submission(stage, LONG, *pair("theirs"))
    stage.cluster.add(sent, sent.components, owner="root")
    stage.cluster.cancel_component(1)
    await stage.client.snapshot()
    await stage.client.snapshot()
    assert stage.calls.calls == []


async def test_a_restarted_agent_knows_its_jobs(stage: AgentStage) -> None:
    ids = await stage.client.submit(submission(stage, LONG, *pair(fresh_name(), hold=True)))
    stage.start()
    stage.verbs.set_priority(ids, "one-low", 7)
    assert {job.nice for job in stage.cluster.components(ids[0])} == {7}


# --- what the site lacks -------------------------------------------------------------------------------------------


async def test_what_the_site_lacks_is_named(stage: AgentStage) -> None:
    assert (await stage.client.version()).problems == ()
    stage.config.slurm_conf.write_text("#AccountingStoreFlags=job_comment\n")
    (problem,) = (await stage.client.version()).problems
    assert "AccountingStoreFlags lacks job_comment" in problem
    stage.config.slurm_conf.unlink()
    (problem,) = (await stage.client.version()).problems
    assert "cannot be read" in problem


async def test_keys_that_nobody_knows_are_no_problem_but_named(
    stage: AgentStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.calls, "unknown_keys", lambda: {"job/shiny": 12})
    version = await stage.client.version()
    assert (version.unknown_keys, version.problems) == ({"job/shiny": 12}, ())


async def test_no_operator_is_named(stage: AgentStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.calls, "admin_level", lambda user: "None")
    (problem,) = (await stage.client.version()).problems
    assert "AdminLevel=Admin," in problem
    monkeypatch.undo()


async def test_accounting_that_is_away_does_not_hide_the_cluster(
    stage: AgentStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(user: str) -> str:
        raise SlurmUnreachable("slurmdbd: connection refused")

    monkeypatch.setattr(stage.calls, "admin_level", away)
    version = await stage.client.version()
    (problem,) = version.problems
    assert (version.slurm, "systemctl status slurmdbd" in problem) == ("26.05.5", True)
