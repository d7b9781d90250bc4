"""Images on the road: pinned at the registry, converted once, and what is said when that cannot be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from containers.errors import ConversionFailed, ImageNotFound, RegistryUnreachable
from portal.db.models import Image
from portal.domain.failure import words_of
from tests.daemon.test_road import RISING, finished
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
AGENT = "registry.avatar.io/rl-agent:2.0"


async def test_a_missing_image_fails_by_name_before_slurm(world: World, small: dict[str, Any]) -> None:
    world.registry.trouble[AGENT] = ImageNotFound(AGENT, "no such tag")
    workload_id = await world.submit(small)
    await world.round()
    workload = await world.workload(workload_id)
    assert workload.state == "failed"
    assert workload.failure is not None
    assert AGENT in words_of(workload.failure)[1]
    assert world.slurm.submissions == []


async def test_an_unreachable_registry_is_waited_for(world: World, small: dict[str, Any]) -> None:
    world.registry.trouble[AGENT] = RegistryUnreachable(AGENT, "no answer")
    workload_id = await world.submit(small)
    for _ in range(3):
        await world.round()
    workload = await world.workload(workload_id)
    assert (workload.state, workload.unknown_since is not None) == ("submitted", True)
    world.registry.trouble.clear()
    await world.round()
    assert (await world.workload(workload_id)).state == "running"


async def test_each_digest_is_converted_once(world: World, small: dict[str, Any]) -> None:
    for _ in range(2):
        await world.submit(small)
        await world.round()
    assert len(world.conversions.made) == len(set(world.conversions.made)) == 5


async def test_a_conversion_that_cannot_be_fails_the_workload(world: World, small: dict[str, Any]) -> None:
    world.conversions.trouble["registry.avatar.io/rl-agent"] = ConversionFailed("failed", "not an image")
    workload_id = await world.submit(small)
    await world.round()
    workload = await world.workload(workload_id)
    assert (workload.state, (workload.failure or {})["message"]) == ("failed", "not an image")


async def test_too_little_space_waits_and_says_so(world: World, small: dict[str, Any]) -> None:
    world.conversions.trouble["registry.avatar.io/rl-agent"] = ConversionFailed("no_space", "1 GiB free, 3 GiB needed")
    workload_id = await world.submit(small)
    await world.round()
    assert (await world.workload(workload_id)).state == "queued"
    (image,) = [row for row in await rows(world) if row.error]
    assert image.error == "no_space: 1 GiB free, 3 GiB needed"
    world.conversions.trouble.clear()
    await world.round()
    assert len(world.conversions.made) == 4, "not tried again at once"
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
        for _ in range(3):
            await world.round()
    assert (await world.workload(workload_id)).state == "running"


async def test_an_evicted_image_is_converted_again(world: World, small: dict[str, Any]) -> None:
    await world.submit(small)
    await world.round()
    for sif in world.conversions.folder.glob("*.sif"):
        sif.unlink()
    workload_id = await world.submit(small)
    for _ in range(4):
        await world.round()
    assert (await world.workload(workload_id)).attempts, "handed over after the second conversion"
    assert len(world.conversions.made) == 10


async def rows(world: World) -> list[Image]:
    async with world.maker() as session:
        return list(await session.scalars(select(Image)))


async def test_a_tag_that_moves_after_approval_neither_runs_nor_inherits_it(
    world: World, example: dict[str, Any]
) -> None:
    """What was approved is a digest: it runs although the tag is another image now, and that one is asked for anew."""
    workload_id = await world.submit(example)
    await world.round()
    await finished(world, await world.start_test(workload_id), rewards=RISING)
    await world.approve(workload_id)
    approved = await world.workload(workload_id)
    world.registry.digests[AGENT] = "sha256:" + "e" * 64
    await finished(world, workload_id, rewards=RISING)
    ran = await world.workload(workload_id)
    assert (ran.state, ran.spec_hash) == ("completed", approved.spec_hash)
    assert "e" * 64 not in json.dumps(ran.resolved)
    assert not [made for made in world.conversions.made if "e" * 64 in made]
    again = await world.submit(example)
    await world.round()
    asked = await world.workload(again)
    assert (asked.state, asked.test, asked.spec_hash != approved.spec_hash) == ("awaiting_approval", None, True)
