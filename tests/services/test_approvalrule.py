"""The approval rule knows how the site's nodes cut their GPUs: a share counts as its part, at every door."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from portal.services import appview, workloads
from portal.services.approvalrule import reasons_for
from portal.services.appview import Wanted
from portal.services.workloads import SubmitRequest
from portal.settings import Policy
from portal.spec.load import load_spec
from tests.daemon.world import World

pytestmark = pytest.mark.anyio


def with_shares(spec: dict[str, Any], shards: int) -> dict[str, Any]:
    for part in (part for task in spec["tasks"] for part in task["components"]):
        part["resources"] = {"gpu_type": "V100", "gpu_shards": shards, "memory": "1GB"}
    return spec


async def test_a_half_gpu_is_below_a_threshold_of_one(world: World, small: dict[str, Any]) -> None:
    await world.round()
    settings = world.context.settings.model_copy(update={"policy": Policy(approval_gpus=1)})
    half = load_spec(with_shares(small, 2)).spec
    async with world.maker() as session:
        assert await reasons_for(session, settings, half) == ()
        whole = load_spec(with_shares(small, 4)).spec
        assert {reason.asked for reason in await reasons_for(session, settings, whole)} == {"1"}


async def test_every_door_counts_alike(world: World, small: dict[str, Any]) -> None:
    await world.round()
    context = replace(
        world.context, settings=world.context.settings.model_copy(update={"policy": Policy(approval_gpus=1)})
    )
    spec = with_shares(small, 2)
    async with world.maker() as session:
        asked = SubmitRequest(spec=spec)
        assert (await workloads.dry_run(session, world.actors["kim"], context.settings, asked)).approval == ()
        made = await workloads.submit(session, world.actors["kim"], context.settings, asked)
        assert not made.needs_approval
        listed = await appview.page(session, world.actors["kim"], context.settings, Wanted(), 1, 10)
        sizes = [line.size for line in listed.items if line.app.id == spec["app_id"]]
        assert [size.reasons for size in sizes if size] == [()]


async def test_the_plan_says_what_shares_are_for_and_what_limits_them(world: World, small: dict[str, Any]) -> None:
    await world.round()
    asked = SubmitRequest(spec=with_shares(small, 1))
    for library, said in ((None, "sets no limit"), ("/opt/hami/libvgpu.so", "cooperative limit")):
        sharing = world.context.settings.sharing.model_copy(update={"library": library})
        settings = world.context.settings.model_copy(update={"sharing": sharing})
        async with world.maker() as session:
            found = await workloads.dry_run(session, world.actors["kim"], settings, asked)
        assert said in found.preview.words_en[-1]
        assert "개발·추론 용도" in found.preview.words_ko[-1]
