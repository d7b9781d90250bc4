"""The client contract on the real agent and real Slurm, over PySlurm and over slurmrestd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.agent_harness import LabStage, lay_out, limited_qos, on, running_agent
from tests.slurm.client.contract import (
    BASE_NICE,
    LONG,
    OWNER,
    ClientContract,
    component,
    fresh_name,
    live,
    pair,
    submission,
)

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module", params=["native", "rest"])
def stage(request: pytest.FixtureRequest) -> Iterator[LabStage]:
    lay_out()
    with limited_qos(), running_agent(request.param) as running:
        yield running


class TestContractOnTheLab(ClientContract):
    """Every contract test, on each road."""


async def test_the_road_in_use_is_reported(stage: LabStage, request: pytest.FixtureRequest) -> None:
    version = await stage.client.version()
    print(version)
    assert version.road in request.node.name
    assert version.rest in {"v0.0.42", "v0.0.43", "v0.0.44", "v0.0.45"}
    assert version.problems == ()
    assert "PySlurm" in version.road_reason or version.road == "rest"


async def test_the_owner_may_not_move_his_job(stage: LabStage) -> None:
    """The job_submit/lua rule: only admins reorder."""
    ids = await stage.client.submit(submission(stage, LONG, component(fresh_name(), hold=True)))
    said = on("ctl", "runuser", "-u", OWNER, "--", "scontrol", "update", f"jobid={ids[0]}", "nice=1", check=False)
    (job,) = [job for job in (await stage.client.snapshot()).jobs if job.job_id == ids[0]]
    assert job.nice == BASE_NICE, said
    await stage.client.cancel(OWNER, ids[0])


async def test_a_component_cancelled_outside_while_waiting_is_swept(stage: LabStage) -> None:
    """`DELETE /job/<id of +1>` on a waiting hetjob leaves a leader that never starts and holds others back."""
    name = fresh_name()
    ids = await stage.client.submit(submission(stage, LONG, *pair(name, hold=True)))
    token = on("ctl", "scontrol", "token", f"username={OWNER}", "lifespan=60").strip().removeprefix("SLURM_JWT=")
    curl = ("curl", "-sS", "-X", "DELETE", "--unix-socket", "/run/slurmrestd/slurmrestd.sock")
    headers = ("-H", f"X-SLURM-USER-NAME: {OWNER}", "-H", f"X-SLURM-USER-TOKEN: {token}")
    on("svc", *curl, *headers, f"http://localhost/slurm/v0.0.42/job/{ids[1]}")

    async def swept() -> bool:
        return not live(await stage.client.snapshot(), name)

    await stage.until(swept, "the headless leader is swept")
