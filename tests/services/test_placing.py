"""What the Builder gets from the library, and what the library says of a spec."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from containers.errors import ImageNotFound
from portal.db.engine import transaction
from portal.services import components, drafts, imagechecks, placing
from portal.services.errors import Invalid
from portal.spec.library import Param
from tests.daemon.world import World
from tests.services.test_components import CONTENT, raise_version, register
from tests.services.test_components import placing as placed


async def found(world: World, spec: dict[str, Any]) -> dict[str, str]:
    async with world.maker() as session:
        return {one.path: one.code for one in await placing.problems_of(session, spec)}


async def test_entries_are_what_a_placement_gets(world: World) -> None:
    params = (Param("lr", "number", 0.1), Param("note"))
    component_id = await register(world, content=replace(CONTENT, params=params, args=("--fast",)))
    await raise_version(world, component_id, "1.1.0", tag="1.1")
    await world.round()
    async with transaction(world.maker) as session:
        await components.deprecate(session, world.actors["kim"], component_id)
        (entry,) = await placing.palette(session)
    assert (entry["component_id"], entry["version"], entry["deprecated"]) == (component_id, "1.1.0", True)
    assert (entry["image_state"], entry["image"]["tag"]) == ("verified", "1.1")
    assert entry["image"]["digest"].startswith("sha256:")
    old = entry["versions"]["1.0.0"]
    assert (old["params"], old["args"], old["image"]["tag"]) == ({"lr": 0.1}, ["--fast"], "1.0")


async def test_the_library_warns_and_a_missing_image_stops(world: World, small: dict[str, Any]) -> None:
    known = {one["component_id"] for one in small["tasks"][0]["components"]}
    codes = await found(world, small)
    assert set(codes.values()) == {"unknown_component"}
    assert len(codes) >= len(known)
    component_id = await register(world)
    spec = placed(small, component_id)
    first = "$.tasks[0].components[0]"
    assert not [path for path in await found(world, spec) if path.startswith(first)]
    await raise_version(world, component_id, "1.1.0")
    assert (await found(world, spec))[f"{first}.component_version"] == "newer_component"
    imported = json.loads(json.dumps(spec))
    imported["tasks"][0]["imported_from"] = "APP-OTHER"
    assert f"{first}.component_version" not in await found(world, imported)
    async with transaction(world.maker) as session:
        await components.deprecate(session, world.actors["kim"], component_id)
    assert (await found(world, spec))[f"{first}.component_id"] == "deprecated_component"
    assert (await found(world, placed(small, component_id, "9.9")))[f"{first}.component_version"] == "unknown_component"


async def test_an_image_that_is_not_there_is_not_published(world: World, small: dict[str, Any]) -> None:
    image = small["tasks"][0]["components"][0]["image"]
    reference = f"{image['registry']}:{image['tag']}"
    world.registry.trouble[reference] = ImageNotFound(reference, "no such tag")
    kim, settings, app_id = world.actors["kim"], world.context.settings, small["app_id"]
    async with transaction(world.maker) as session:
        await imagechecks.ask(session, kim, settings, image["registry"], image["tag"])
        await drafts.create_app(session, kim, settings, name="new")
    await world.round()
    async with transaction(world.maker) as session:
        checked = await placing.check(session, kim, settings, json.dumps(small).encode())
        assert not checked.valid
        made = await drafts.create_app(session, kim, settings, name="new")
        await drafts.save(session, kim, made.id, revision=0, spec={**small, "app_id": made.id}, layout={})
    async with transaction(world.maker) as session:
        with pytest.raises(Invalid) as refused:
            await drafts.published(session, kim, settings, made.id, revision=1)
    assert {one.code for one in refused.value.problems} == {"image_not_found"}
    assert app_id != made.id
