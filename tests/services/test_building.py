"""What the Builder is given: the site's sizes, what can be placed, what can be imported."""

from __future__ import annotations

from typing import Any

from portal.db.engine import transaction
from portal.db.models import App
from portal.services import apps, building
from portal.spec.load import load_spec
from tests.daemon.world import World


async def upload(world: World, spec: dict[str, Any], who: str = "kim") -> None:
    async with transaction(world.maker) as session:
        await apps.upload_spec(session, world.actors[who], load_spec(spec))


async def test_the_site_in_figures(world: World) -> None:
    async with world.maker() as session:
        facts = await building.site_facts(session, world.context.settings)
    assert facts["storage_roots"] == ["/training-data"]
    assert facts["registries"] == ["registry.avatar.io"]
    assert facts["threshold_gpus"] == world.context.settings.policy.approval_gpus
    assert {"A100", "V100"} <= set(facts["gpus"])
    assert all(kind["memory_mib"] > 0 for kind in facts["nodes"])
    assert facts["gpus"]["A100"]["total"] >= facts["gpus"]["A100"]["idle"] > 0


async def test_the_newest_versions_of_visible_apps_can_be_imported(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    await upload(world, {**example, "version": "1.1.0"})
    await upload(world, {**example, "app_id": "APP-PARK", "name": "park's"}, "park")
    async with transaction(world.maker) as session:
        (await session.get_one(App, "APP-PARK")).visibility = "private"
    async with world.maker() as session:
        kims = await building.importable(session, world.actors["kim"], "APP-OTHER")
        parks = await building.importable(session, world.actors["park"], "APP-PARK")
    assert [(version.app_id, version.version) for version in kims] == [(example["app_id"], "1.1.0")]
    assert [(version.app_id, version.version) for version in parks] == [(example["app_id"], "1.1.0")]
