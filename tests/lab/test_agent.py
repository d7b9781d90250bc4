"""The client contract on the real agent and real Slurm, over PySlurm and over slurmrestd."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.errors import NotPermitted, SlurmUnreachable
from tests.lab.agent_harness import (
    ADMIN_COMMENT,
    FOLDER,
    PYTHON,
    SHARED,
    LabStage,
    deaf_slurmrestd,
    lay_out,
    limited_qos,
    on,
    running_agent,
)
from tests.slurm.client.contract import (
    BASE_NICE,
    LONG,
    OBEDIENT,
    OWNER,
    ClientContract,
    Stage,
    component,
    ended,
    fresh_name,
    live,
    pair,
    submission,
)
from tests.slurm.client.replay import RECORDINGS
from tests.slurm.client.test_rest import SITUATIONS
from tests.slurm.client.test_versions import REFUSED

pytestmark = pytest.mark.lab
ROADS = ["rest"] if os.environ.get("LAB_SUITE") == "trixie" else ["native", "rest"]
"""No PySlurm can be compiled for the Slurm of Debian trixie."""
ONE_ROAD = pytest.mark.parametrize("stage", ["rest"], indirect=True)
"""For what has nothing to do with the reading road."""
QUICK = {
    "record": set(SITUATIONS),
    "held": {"pending-held-by-user", "pending-held-by-admin", "pending-begin-time"},
    "depending": {"pending-dependency", "pending-dependency-never-satisfied"},
    "paired": {"job-het-running", "job-given-back", "job-headless"},
    "refused": set(REFUSED),
}
"""Scenes that take no node away, wait for no time limit and fill no partition, with what each records."""
RECORDING_TIMEOUT_S = 600
"""Of the recorder, which asks in four REST versions and waits 10 s in each for a controller that is down."""


@pytest.fixture(scope="module", params=ROADS)
def stage(request: pytest.FixtureRequest) -> Iterator[LabStage]:
    lay_out()
    with limited_qos(), running_agent(request.param) as running:
        yield running


class TestContractOnTheLab(ClientContract):
    """Every contract test, on each road."""

    if not ADMIN_COMMENT:

        async def test_only_what_has_ended_is_annotated(self, stage: Stage) -> None:
            with pytest.raises(NotPermitted):
                await stage.client.annotate(1, "not granted")


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


@ONE_ROAD
async def test_the_runner_alone_is_signalled_before_the_time_limit(stage: LabStage) -> None:
    """120 s before the limit, up to a minute early: the batch script gets TERM and ends by itself."""
    script = OBEDIENT.replace("USR1", "TERM")
    ids = await stage.client.submit(submission(stage, script, component(fresh_name(), time_limit_min=4)))
    (row,) = await ended(stage, ids)
    assert (row.state, row.exit_code) == ("FAILED", 9)


async def test_a_component_on_two_nodes(stage: LabStage) -> None:
    name = fresh_name()
    script = "#!/bin/sh\necho $SLURM_HET_SIZE $SLURM_JOB_NUM_NODES $SLURM_CPUS_ON_NODE $SLURM_MEM_PER_NODE\n"
    two = component(name, nodes=2, cpus=2, memory_mib=300), component(name, "v100", "shard:2")
    ids = await stage.client.submit(submission(stage, script, *two))
    rows = await ended(stage, ids)
    assert [row.nodes for row in rows] == [("gpu1", "gpu2"), ("gpu3",)]
    assert (rows[0].alloc_tres["gres/gpu:a100"], rows[0].alloc_tres["cpu"], rows[0].alloc_tres["mem"]) == (2, 4, 600)
    assert rows[1].alloc_tres["gres/shard"] == 2
    assert (SHARED / FOLDER / "out" / f"{name}.log").read_text() == "2 2 2 300\n"


@ONE_ROAD
async def test_a_dead_controller_is_unreachable_not_failed(stage: LabStage) -> None:
    with deaf_slurmrestd() as rest_socket, running_agent("rest-deaf", rest_socket) as deaf:
        for call in (
            deaf.client.version(),
            deaf.client.snapshot(),
            deaf.client.accounting([1]),
            deaf.client.check_association(OWNER, "lab", ()),
            deaf.client.submit(submission(stage, LONG, component(fresh_name()))),
        ):
            with pytest.raises(SlurmUnreachable):
                await call


@ONE_ROAD
@pytest.mark.timeout(RECORDING_TIMEOUT_S + 120)
def test_quick_recordings_can_be_made_again(stage: LabStage) -> None:
    """The recorder still works, and today's Slurm gives the same situations; all of them are made by hand."""
    recorder = SHARED / FOLDER / "tests/slurm/client"
    recorder.mkdir(parents=True, exist_ok=True)
    for package in (recorder, recorder.parent, recorder.parent.parent):
        (package / "__init__.py").touch()
    for name in ("record.py", "scenes.py"):
        shutil.copy(RECORDINGS.parent / name, recorder / name)
    folder = Path("/shared") / FOLDER
    shutil.rmtree(SHARED / FOLDER / "recordings", ignore_errors=True)
    words = (PYTHON, "-P", "-m", "tests.slurm.client.record", f"{folder}/recordings", *QUICK)
    on("svc", "env", f"PYTHONPATH={folder}", *words, timeout_s=RECORDING_TIMEOUT_S)
    made = {path.relative_to(SHARED / FOLDER / "recordings") for path in (SHARED / FOLDER).glob("recordings/*/v*/*")}
    spoken = {path.parent for path in made}
    (slurm,) = {path.parts[0] for path in made}
    assert spoken == {path.relative_to(RECORDINGS) for path in RECORDINGS.glob(f"{slurm}/v*")}
    assert made == {version / f"{name}.json" for version in spoken for names in QUICK.values() for name in names}
