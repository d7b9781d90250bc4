"""What the Builder is given: the site's sizes, what can be placed, what can be imported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portal.db.engine import transaction
from portal.db.models import App, now
from portal.services import apps, building
from portal.services.errors import Invalid, NotFound
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


async def test_versions_of_visible_apps_can_be_imported(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    await upload(world, {**example, "version": "1.1.0"})
    await upload(world, {**example, "app_id": "APP-PARK", "name": "park's"}, "park")
    async with transaction(world.maker) as session:
        (await session.get_one(App, "APP-PARK")).visibility = "private"
    own = (example["app_id"], ("1.1.0", "1.0.0"))
    async with world.maker() as session:
        kims = await building.importable(session, world.actors["kim"], "APP-OTHER")
        parks = await building.importable(session, world.actors["park"], "APP-PARK")
        bosses = await building.importable(session, world.actors["boss"], "APP-OTHER", q="ark'")
    assert [(one.app_id, one.versions) for one in kims] == [own]
    assert [(one.app_id, one.versions) for one in parks] == [own]
    assert [one.app_id for one in bosses] == ["APP-PARK"]
    async with world.maker() as session:
        with pytest.raises(NotFound):
            await building.source(session, world.actors["kim"], example["app_id"], "APP-PARK", "1.0.0")
        draft = {"imported_apps": [{"app_ref": "APP-PARK"}, {"app_ref": example["app_id"]}, {"app_ref": 7}, "?"]}
        known = await building.sources(session, world.actors["kim"], draft)
    assert known == {"APP-PARK": [], example["app_id"]: ["1.1.0", "1.0.0"]}
    async with transaction(world.maker) as session:
        (await session.get_one(App, example["app_id"])).archived_at = now()
        assert await building.importable(session, world.actors["kim"], "APP-OTHER") == []


async def test_differences_are_of_right_specs_only(example: dict[str, Any]) -> None:
    newer = json.loads(json.dumps(example))
    newer["tasks"][0]["components"][0]["resources"]["memory"] = "7GB"
    (group,) = building.difference(example, newer)
    assert [change.path for change in group.changes] == ["resources.memory"]
    with pytest.raises(Invalid) as refused:
        building.difference(example, {**newer, "tasks": []})
    assert [one.code for one in refused.value.problems] == ["no_tasks"]
