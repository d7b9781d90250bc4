"""An uploaded spec: a new App, a new version, the same again, or a conflict that tells the way out."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from portal.db.engine import transaction
from portal.db.models import App, AppVersion, Audit
from portal.services import apps
from portal.services.apps import AppFilter
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound
from portal.spec.load import load_spec
from tests.daemon.world import ADMIN_TOOL, World


async def upload(world: World, spec: dict[str, Any], who: str = "kim", as_new_app: str | None = None) -> AppVersion:
    async with transaction(world.maker) as session:
        return await apps.upload_spec(session, world.actors[who], load_spec(spec), as_new_app)


async def test_the_first_upload_makes_the_app(world: World, example: dict[str, Any]) -> None:
    version = await upload(world, example)
    (app,) = await world.rows(App)
    assert (app.id, app.name, app.owner.username, app.visibility) == ("APP-A1B2C3", "RL-DesignOpt-v1", "kim", "lab")
    assert version.spec == example
    assert await world.actions("APP-A1B2C3") == ["app.create", "app.version"]


async def test_the_same_again_is_the_same_version_for_everybody_who_sees_it(
    world: World, example: dict[str, Any]
) -> None:
    first = await upload(world, example)
    reordered = dict(reversed(example.items()))
    assert (await upload(world, reordered)).id == first.id
    assert (await upload(world, example, "park")).id == first.id
    assert len(await world.rows(AppVersion)) == 1


async def test_other_content_needs_another_version(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    changed = copy.deepcopy(example)
    changed["env_vars"]["NCCL_DEBUG"] = "WARN"
    with pytest.raises(Conflict) as refused:
        await upload(world, changed)
    assert refused.value.code == "version_exists"
    assert "--as-new-app" in refused.value.message_en
    changed["version"] = "1.0.1"
    changed["name"] = "renamed"
    assert (await upload(world, changed)).version == "1.0.1"
    (app,) = await world.rows(App)
    assert app.name == "renamed"


async def test_anothers_app_is_not_edited_but_can_become_ones_own(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    changed = {**example, "version": "2.0.0"}
    with pytest.raises(Conflict) as refused:
        await upload(world, changed, "park")
    assert refused.value.code == "app_not_yours"
    made = await upload(world, changed, "park", as_new_app="auto")
    assert made.app_id.startswith("APP-")
    assert made.app_id != example["app_id"]
    assert made.spec == {**changed, "app_id": made.app_id}
    assert list(made.spec) == list(changed)
    named = await upload(world, changed, "park", as_new_app="APP-PARK1")
    assert (named.app_id, named.app.owner.username) == ("APP-PARK1", "park")
    with pytest.raises(Conflict, match="taken"):
        await upload(world, changed, "park", as_new_app="APP-PARK1")
    # an admin may edit everything
    assert (await upload(world, changed, "admin")).app_id == example["app_id"]


async def test_a_private_apps_content_is_not_confirmed_to_others(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    async with transaction(world.maker) as session:
        (await session.get_one(App, example["app_id"])).visibility = "private"
    with pytest.raises(Conflict) as refused:
        await upload(world, example, "park")
    assert refused.value.code == "app_not_yours"
    async with world.maker() as session:
        with pytest.raises(NotFound):
            await apps.get(session, world.actors["park"], example["app_id"])
        with pytest.raises(NotFound):
            await apps.version(session, world.actors["park"], example["app_id"], "1.0.0")
        assert (await apps.page(session, world.actors["park"], AppFilter(), 1, 10)).total == 0
        assert (await apps.page(session, world.actors["admin"], AppFilter(), 1, 10)).total == 1


async def test_a_bad_new_id_is_a_problem_of_the_spec(world: World, example: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await upload(world, example, as_new_app="../etc")


async def test_no_person_no_app(world: World, example: dict[str, Any]) -> None:
    async with transaction(world.maker) as session:
        with pytest.raises(Forbidden):
            await apps.upload_spec(session, ADMIN_TOOL, load_spec(example))
    assert [row for row in await world.rows(Audit) if row.object_type == "app"] == []


async def test_lists_search_as_typed(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    await upload(world, {**example, "app_id": "APP-OTHER", "name": "100% other_name"}, "park")
    async with world.maker() as session:

        async def found(**wanted: Any) -> list[str]:
            listed = await apps.page(session, world.actors["kim"], AppFilter(**wanted), 1, 10)
            return [app.id for app in listed.items]

        assert await found(q="other") == ["APP-OTHER"]
        assert await found(q="100%") == ["APP-OTHER"]
        assert await found(q="r_n") == ["APP-OTHER"]
        assert await found(mine=True) == ["APP-A1B2C3"]


@pytest.mark.parametrize("who", ["kim", "park"])
async def test_another_request_that_is_first_by_a_moment(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """Between the look and the write somebody stores the very same file: its version is the answer, for everybody."""
    store = apps._store

    async def late(*arguments: Any) -> AppVersion | None:
        monkeypatch.setattr(apps, "_store", store)
        await upload(world, small, who)
        return await store(*arguments)

    monkeypatch.setattr(apps, "_store", late)
    version = await upload(world, small, "kim")
    (stored,) = await world.rows(AppVersion)
    assert (version.id, stored.app.owner.username) == (stored.id, who)
    assert await world.actions(small["app_id"]) == ["app.create", "app.version"]


async def test_another_content_that_is_first_by_a_moment(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = apps._store

    async def late(*arguments: Any) -> AppVersion | None:
        monkeypatch.setattr(apps, "_store", store)
        await upload(world, {**small, "name": "another"})
        return await store(*arguments)

    monkeypatch.setattr(apps, "_store", late)
    with pytest.raises(Conflict) as refused:
        await upload(world, small)
    assert refused.value.code == "version_exists"
