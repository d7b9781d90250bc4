"""A checkup by the daemon: every part is asked, and what portal, Slurm and the store disagree about is found and named."""

from __future__ import annotations

from typing import Any

import pytest

from containers.errors import ConversionFailed, RegistryUnreachable
from portal.daemon import doctor as daemon_doctor
from portal.db.engine import transaction
from portal.db.models import Checkup
from portal.domain.findings import Code
from portal.services import doctor
from portal.services.doctor import Result, Wishes
from portal.services.errors import Forbidden
from slurm.fake.cluster import FakeQos
from tests.daemon.test_road import finished
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
EVERYTHING = Wishes(reconcile=True, contents=True)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look follows the first without a wait."""
    monkeypatch.setattr(daemon_doctor, "BETWEEN_LOOKS", 0)


async def completed(world: World, spec: dict[str, Any]) -> str:
    workload = await world.submit(spec)
    await finished(world, workload)
    return workload


async def codes(world: World) -> list[Code]:
    return [finding.code for finding in (await found(world)).findings]


async def found(world: World) -> Result:
    return await daemon_doctor.examine(world.context, EVERYTHING)


async def test_everything_agrees(world: World, small: dict[str, Any]) -> None:
    done = await completed(world, small)
    waiting = await world.submit(small)
    for _ in range(3):
        await world.round()
    result = await found(world)
    assert result.findings == (), result
    assert {part.name for part in result.parts} == {
        "database", "slurm", "picture", "priorities", "registry", "converter", "runs", "s3",
        "prometheus", "dcgm",
    }  # fmt: skip
    assert result.compared["models"] == result.compared["objects_read"] - 1 == 1
    assert {done, waiting} == {row.id for row in await world.rows(type(await world.workload(done)))}


async def test_parts_that_do_not_answer(world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    await completed(world, small)

    async def gone(_: object) -> None:
        raise RegistryUnreachable("registry.avatar.io", "no answer")

    async def broken(_: str) -> int:
        raise ConversionFailed("unreachable", "no socket")

    object.__setattr__(world.context, "resolve_image", gone)
    monkeypatch.setattr(world.conversions, "remove", broken)
    world.slurm.outage, world.store.down = "slurmctld does not answer", True
    result = await found(world)
    failed = {part.name: part.says for part in result.parts if not part.ok}
    assert set(failed) == {"slurm", "priorities", "registry", "converter", "s3"}
    assert failed["slurm"] == "slurmctld does not answer"
    not_compared = {finding.id for finding in result.findings if finding.code is Code.NOT_COMPARED}
    assert not_compared == {"slurm", "s3"}


async def test_accounting_that_is_away(world: World, small: dict[str, Any]) -> None:
    await completed(world, small)
    world.slurm.accounting_outage = "slurmdbd does not answer"
    result = await found(world)
    assert Code.NOT_COMPARED in {finding.code for finding in result.findings}
    assert Code.LOST_JOB not in {finding.code for finding in result.findings}


async def test_a_priority_scheme_that_cannot_keep_the_order(world: World) -> None:
    world.cluster.qos["one-normal"] = FakeQos(990)
    (finding,) = (await found(world)).findings
    assert finding.code is Code.PRIORITY_SCHEME
    assert "high and normal are" in finding.other


async def test_a_job_that_slurm_lost(world: World, small: dict[str, Any]) -> None:
    workload = await world.submit(small)
    for _ in range(3):
        await world.round()
    world.cluster.jobs.clear()
    (finding,) = (await found(world)).findings
    assert (finding.code, finding.about) == (Code.LOST_JOB, workload)


async def test_a_place_that_nobody_asked_for(world: World, small: dict[str, Any]) -> None:
    world.cluster.drained.update(gpu1="x", gpu2="x", gpu3="x")
    await world.submit(small)
    for _ in range(3):
        await world.round()
    job = next(job for job in world.cluster.jobs.values() if job.live)
    job.nice += 5
    assert await codes(world) == [Code.WRONG_PLACE]
    await world.round()
    assert await codes(world) == [], "a change made outside is noted, shown and respected"


async def test_a_portal_job_that_no_row_explains(world: World, small: dict[str, Any]) -> None:
    await world.submit(small)
    for _ in range(3):
        await world.round()
    submission = world.slurm.submissions[-1]
    world.cluster.add(submission, submission.components, owner="kim")
    (finding,) = (await found(world)).findings
    assert finding.code is Code.SECOND_JOB


async def test_what_is_wrong_in_the_bucket(world: World, small: dict[str, Any]) -> None:
    await completed(world, small)
    (model,) = await world.models()
    path = next(key for bucket, key in world.store.objects if bucket == "models" and "/files/" in key)
    kept = dict(world.store.objects)
    world.store.objects["models", path] = b"weightz"
    assert await codes(world) == [Code.OBJECT_DIFFERS]
    del world.store.objects["models", path]
    world.store.objects["models", "APP-ELSE/v1/files/x"] = b"x"
    assert await codes(world) == [Code.OBJECT_MISSING, Code.OBJECT_WITHOUT_ROW]
    world.store.objects.clear()
    world.store.objects.update({key: data for key, data in kept.items() if not key[1].endswith("manifest.json")})
    assert await codes(world) == [Code.MANIFEST_MISSING]
    world.store.objects.update({("models", f"{model.prefix}manifest.json"): b"{"})
    assert await codes(world) == [Code.MANIFEST_DIFFERS]
    world.store.objects.clear()
    world.store.objects.update({key: data for key, data in kept.items() if key[0] != "logs"})
    assert await codes(world) == [Code.LOGS_MISSING]


async def test_a_model_that_was_never_stored(world: World, small: dict[str, Any]) -> None:
    workload = await completed(world, small)
    async with transaction(world.maker) as session:
        (model,) = await world.models()
        await session.delete(await session.merge(model))
    world.store.objects = {key: data for key, data in world.store.objects.items() if key[0] != "models"}
    (finding,) = (await found(world)).findings
    assert (finding.code, finding.id) == (Code.MODEL_MISSING, workload)


async def test_asked_and_carried_out_once(world: World) -> None:
    async with transaction(world.maker) as session:
        first = await doctor.ask(session, world.actors["admin"], EVERYTHING)
    async with transaction(world.maker) as session:
        again = await doctor.ask(session, world.actors["boss"], EVERYTHING)
        with pytest.raises(Forbidden):
            await doctor.ask(session, world.actors["kim"], EVERYTHING)
    assert again.id == first.id, "one that nobody has begun serves both"
    await daemon_doctor.serve(world.context)
    (checkup,) = await world.rows(Checkup)
    assert (checkup.state, checkup.findings) == ("done", [])
    assert await world.actions(str(first.id)) == ["doctor.ask"]
    async with transaction(world.maker) as session:
        assert (await doctor.newest(session, world.actors["admin"])).id == first.id
        assert (await doctor.ask(session, world.actors["admin"], EVERYTHING)).id != first.id
