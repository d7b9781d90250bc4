"""Models: what the manifest lists exists, everything else does not; each download is decided and audited anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from portal.db.engine import transaction
from portal.db.models import App, Audit, Model
from portal.services import models
from portal.services.audit import Actor
from portal.services.errors import Conflict, Forbidden, NotFound, Unavailable
from portal.services.models import ModelFilter
from tests.daemon.test_road import RISING, finished
from tests.daemon.world import World


async def trained(world: World, spec: dict[str, Any]) -> Model:
    """A workload of kim's that has run to its end; its model."""
    await finished(world, await world.submit(spec), rewards=RISING)
    return (await world.models())[-1]


async def test_a_listed_file_is_read_in_pieces_and_audited(world: World, small: dict[str, Any]) -> None:
    model = await trained(world, small)
    async with transaction(world.maker) as session:
        file = await models.file_of(session, world.actors["park"], model.app_id, 1, "policy.safetensors")
    assert file.size == len(b"weights")
    stream = await models.open_file(world.store, file, 2, 3)  # type: ignore[arg-type]
    assert b"".join([chunk async for chunk in stream]) == b"igh"
    (row,) = [row for row in await world.rows(Audit) if row.action == "model.download"]
    assert (row.actor, row.object_id, row.after) == ("park", "APP-SMALL1 v1", {"file": "policy.safetensors"})


async def test_what_the_manifest_does_not_list_does_not_exist(world: World, small: dict[str, Any]) -> None:
    model = await trained(world, small)
    async with transaction(world.maker) as session:
        for path in ("", "other", "../manifest.json", "manifest.json", "/policy.safetensors", "policy.safetensors\0"):
            with pytest.raises(NotFound):
                await models.file_of(session, world.actors["kim"], model.app_id, 1, path)


async def test_who_may_see_and_who_may_download(world: World, small: dict[str, Any]) -> None:
    model = await trained(world, small)
    viewer = Actor(name="viewer", user_id=99, role="viewer")
    async with transaction(world.maker) as session:
        assert (await models.get(session, viewer, model.app_id, 1)).id == model.id
        with pytest.raises(Forbidden):
            await models.file_of(session, viewer, model.app_id, 1, "policy.safetensors")
        (await session.get_one(App, model.app_id)).visibility = "private"
        await session.flush()
        for stranger in (viewer, world.actors["park"]):
            with pytest.raises(NotFound):
                await models.get(session, stranger, model.app_id, 1)
            assert (await models.page(session, stranger, ModelFilter(), 1, 10)).total == 0
        for insider in ("kim", "admin"):
            assert (await models.page(session, world.actors[insider], ModelFilter(), 1, 10)).total == 1


async def test_a_half_stored_model_is_not_handed_out(world: World, small: dict[str, Any]) -> None:
    model = await trained(world, small)
    async with transaction(world.maker) as session:
        (await session.get_one(Model, model.id)).state = "saving"
        await session.flush()
        with pytest.raises(Conflict):
            await models.file_of(session, world.actors["kim"], model.app_id, 1, "policy.safetensors")


async def test_storage_trouble_comes_before_the_first_byte(world: World, small: dict[str, Any]) -> None:
    model = await trained(world, small)
    async with transaction(world.maker) as session:
        file = await models.file_of(session, world.actors["kim"], model.app_id, 1, "policy.safetensors")
    with pytest.raises(Unavailable) as lost:
        await models.open_file(world.store, replace(file, key="gone"), 0, 7)  # type: ignore[arg-type]
    assert lost.value.code == "object_missing"
    world.store.down = True
    with pytest.raises(Unavailable) as down:
        await models.open_file(world.store, file, 0, 7)  # type: ignore[arg-type]
    assert down.value.code == "storage_unreachable"


async def test_lists_filter(world: World, small: dict[str, Any]) -> None:
    await trained(world, small)
    async with world.maker() as session:

        async def found(who: str, **wanted: Any) -> int:
            return (await models.page(session, world.actors[who], ModelFilter(**wanted), 1, 10)).total

        assert await found("kim", mine=True) == 1
        assert await found("park", mine=True) == 0
        assert await found("park", app="APP-SMALL1") == 1
        assert await found("park", app="APP-OTHER") == 0
        assert await found("park", q="designopt") == 1
