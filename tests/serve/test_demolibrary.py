"""The demo's library: every component of the example Apps, once."""

from __future__ import annotations

import json

from portal.db.engine import transaction
from portal.db.models import Component
from portal.serve import demolibrary
from portal.serve.demo import examples
from tests.daemon.conftest import database_url, world
from tests.daemon.world import World

__all__ = ["database_url", "world"]


async def test_every_component_of_the_examples_is_registered_once(world: World) -> None:
    specs = [json.loads(path.read_text()) for path in examples().values()]
    wanted = {one["component_id"] for spec in specs for task in spec["tasks"] for one in task["components"]}
    for _ in range(2):
        for spec in specs:
            async with transaction(world.maker) as session:
                await demolibrary.fill(session, world.actors["kim"], world.context.settings, spec)
    assert {row.id for row in await world.rows(Component)} == wanted
