"""Images: seen by all, removed by admins, and only when nothing live needs them."""

from __future__ import annotations

from typing import Any

import pytest

from portal.daemon import resolving
from portal.db.engine import transaction
from portal.db.models import Image
from portal.services import images
from portal.services.errors import Conflict, Forbidden, NotFound
from tests.daemon.test_road import finished
from tests.daemon.world import World


async def test_an_image_in_use_stays(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small)
    await resolving.resolve_submitted(world.context)
    async with transaction(world.maker) as session:
        page = await images.page(session, "env-sim", 1, 10)
        assert page.total == 1
        digest = page.items[0].digest
        with pytest.raises(Forbidden):
            await images.remove(session, world.actors["kim"], digest)
        with pytest.raises(Conflict, match=workload_id):
            await images.remove(session, world.actors["admin"], digest)
        with pytest.raises(NotFound):
            await images.remove(session, world.actors["admin"], "sha256:none")


async def test_an_unused_image_goes_by_the_daemons_hand(world: World, small: dict[str, Any]) -> None:
    await finished(world, await world.submit(small))
    async with transaction(world.maker) as session:
        digest = (await images.page(session, "env-sim", 1, 10)).items[0].digest
        assert (await images.remove(session, world.actors["admin"], digest)).state == images.REMOVING
    await world.round()
    async with world.maker() as session:
        image = await session.get_one(Image, digest)
    assert (image.state, image.sif_path) == ("wanted", None)
