"""An ended workload run again: the same hash, the same gates, and checkpoints for their owner alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from portal.db.engine import transaction
from portal.services import reruns, workloads
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound
from portal.services.reruns import RerunRequest
from portal.services.workloads import WorkloadFilter
from tests.daemon.test_road import RISING, finished
from tests.daemon.world import World

pytestmark = pytest.mark.anyio


async def rerun(world: World, workload_id: str, who: str = "kim", **wishes: Any) -> str:
    async with transaction(world.maker) as session:
        request = RerunRequest(**wishes)
        made = await reruns.rerun(session, world.actors[who], world.context.settings, workload_id, request)
        return made.id


async def test_the_same_images_although_the_tag_moved(world: World, small: dict[str, Any]) -> None:
    first = await world.submit(small, form="staged", time_limit_min=77, name="first")
    await finished(world, first, rewards=RISING)
    reference = "registry.avatar.io/env-sim:1.0"
    assert reference in {f"{c['image']['registry']}:{c['image']['tag']}" for c in small["tasks"][0]["components"]}
    world.registry.digests[reference] = "sha256:" + "9" * 64
    second = await rerun(world, f"{first}", note="again", idempotency_key="key")
    assert await rerun(world, first, idempotency_key="key") == second, "safe to repeat"
    await finished(world, second, rewards=RISING)
    old, new = await world.workload(first), await world.workload(second)
    assert (new.state, new.spec_hash, new.resolved) == ("completed", old.spec_hash, old.resolved)
    assert (new.options, new.time_limit_min, new.name, new.rerun_of) == (old.options, 77, "first", first)
    assert (await world.actions(second))[0] == "workload.rerun"
    manifest = await world.store.get_json("models", "APP-SMALL1/v2/manifest.json")
    assert manifest["lineage"]["rerun_of"] == first


async def test_an_approval_is_asked_for_again_and_the_test_counts(world: World, example: dict[str, Any]) -> None:
    first = await world.submit(example)
    await world.round()
    await finished(world, await world.start_test(first), rewards=RISING)
    await world.approve(first)
    await finished(world, first, rewards=RISING)
    second = await rerun(world, first)
    changed = await rerun(world, first, overrides={"training_config.episodes": 7})
    await world.round()
    again, other = await world.workload(second), await world.workload(changed)
    assert (again.state, again.approved_hash) == ("awaiting_approval", None)
    assert again.test is not None
    assert again.test.status == "passed"
    assert (other.state, other.test) == ("awaiting_approval", None)
    await world.approve(second)
    await finished(world, second, rewards=RISING)
    assert (await world.workload(second)).state == "completed"


async def test_resuming_names_the_old_folder_in_every_job(world: World, small: dict[str, Any]) -> None:
    first = await world.submit(small)
    await finished(world, first, fail="TASK-001/CL-REF-001")
    second = await rerun(world, first, resume=True)
    for _ in range(3):
        await world.round()
    folder = str(Path(world.context.settings.storage.runs, "kim", first, "checkpoint"))
    assert folder in world.slurm.submissions[-1].script
    assert (await world.workload(second)).options["resume_from"] == folder


async def test_what_cannot_be_run_again(world: World, small: dict[str, Any], large: dict[str, Any]) -> None:
    first = await world.submit(small)
    with pytest.raises(Conflict, match="has not ended"):
        await rerun(world, first)
    await world.cancel(first)
    with pytest.raises(Conflict, match="never ran"):
        await rerun(world, first, resume=True)
    with pytest.raises(Forbidden, match="researcher"):
        await rerun(world, first, "park")
    with pytest.raises(NotFound):
        await rerun(world, "W-NOBODY")
    with pytest.raises(Invalid, match="1 problems"):
        await rerun(world, first, overrides={"nonsense": 1})
    request = await world.submit(large)
    await world.round()
    test = await world.start_test(request)
    await finished(world, test, rewards=RISING)
    with pytest.raises(Conflict, match="minimal run test"):
        await rerun(world, test)


async def test_checkpoints_are_the_owners_alone(world: World, small: dict[str, Any]) -> None:
    first = await world.submit(small)
    await finished(world, first, fail="TASK-001/CL-REF-001")
    async with transaction(world.maker) as session:
        owner = (await session.get_one(type(await world.workload(first)), first)).owner
        owner.unix_user = "other"
    with pytest.raises(Conflict, match="Unix user kim, you are other now"):
        await rerun(world, first, resume=True)
    with pytest.raises(Conflict, match="not linked"):
        await rerun(world, first, "admin")


async def found(world: World, who: str, job: str) -> list[str]:
    async with world.maker() as session:
        page = await workloads.page(session, world.actors[who], WorkloadFilter(job=job), 1, 10)
        return [workload.id for workload in page.items]


async def test_a_slurm_job_id_leads_to_its_workload(world: World, small: dict[str, Any]) -> None:
    ids = [await world.submit(small, form="together") for _ in range(2)]
    for _ in range(2):
        await world.round()
    for workload_id in ids:
        leader, *others = (await world.workload(workload_id)).attempts[0].jobs[0].component_ids
        assert others, "a hetjob"
        for text in (str(leader), f"{leader}+0", f"{leader}+1", str(others[0])):
            async with world.maker() as session:
                assert (await workloads.get(session, world.actors["kim"], text)).id == workload_id
            assert await found(world, "kim", text) == [workload_id]
        assert await found(world, "kim", f"{leader}+{len(others) + 1}") == []
    assert await found(world, "kim", "99999999999999999999") == []
    for text in ("0", "1.batch", "12_3"):
        with pytest.raises(Invalid, match="not a Slurm job id"):
            await found(world, "kim", text)
    async with world.maker() as session:
        for text in ("999999", "99999999999999999999", "1+1+1"):
            with pytest.raises(NotFound):
                await workloads.get(session, world.actors["kim"], text)
