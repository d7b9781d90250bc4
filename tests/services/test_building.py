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


async def test_components_of_visible_apps_can_be_placed_once_each(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    await upload(world, {**example, "version": "1.1.0"})
    private = {**example, "app_id": "APP-PARK", "name": "park's"}
    private["tasks"] = [{**example["tasks"][1], "imported_from": None}]
    private["tasks"][0]["components"] = [{**example["tasks"][1]["components"][0], "component_id": "CL-SECRET"}]
    await upload(world, private, "park")
    async with transaction(world.maker) as session:
        (await session.get_one(App, "APP-PARK")).visibility = "private"
    async with world.maker() as session:
        kims = await building.palette(session, world.actors["kim"])
        parks = await building.palette(session, world.actors["park"])
        to_import = await building.importable(session, world.actors["park"], "APP-PARK")
    assert [entry["component_id"] for entry in kims] == [f"CL-REF-00{n}" for n in (1, 2, 3, 4)] + ["CL-REF-010"]
    assert kims[1]["params"] == {"lr": 0.001, "episodes": 1000}
    assert "CL-SECRET" in {entry["component_id"] for entry in parks}
    assert [(version.app_id, version.version) for version in to_import] == [(example["app_id"], "1.1.0")]
