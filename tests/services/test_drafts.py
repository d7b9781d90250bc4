"""A draft: opened, saved on top of what one saw, refused when somebody else was quicker, published, discarded."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from portal.db.engine import transaction
from portal.db.models import App, AppVersion, Draft, DraftSave
from portal.services import apps, drafts, imagechecks
from portal.services.audit import Actor
from portal.services.drafts import SAVES_KEPT, Opened
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound
from portal.services.imagechecks import UNREACHABLE, VERIFIED, Answer
from portal.spec.load import load_spec
from tests.daemon.world import ADMIN_TOOL, World

APP = "APP-A1B2C3"


async def upload(world: World, spec: dict[str, Any], who: str = "kim") -> None:
    async with transaction(world.maker) as session:
        await apps.upload_spec(session, world.actors[who], load_spec(spec))


async def draft_of(world: World) -> Draft | None:
    async with world.maker() as session:
        return await session.get(Draft, APP)


def viewer(world: World) -> Actor:
    return replace(world.actors["park"], role="viewer")


async def opened(world: World, who: str = "kim", version: str | None = None) -> Opened:
    async with world.maker() as session:
        return await drafts.opened(session, world.actors[who], APP, version)


async def save(world: World, spec: dict[str, Any], revision: int, who: str = "kim", **layout: Any) -> int:
    async with transaction(world.maker) as session:
        actor = world.actors[who]
        return (await drafts.save(session, actor, APP, revision=revision, spec=spec, layout=layout)).revision


async def publish(world: World, revision: int, who: str = "kim") -> AppVersion:
    async with transaction(world.maker) as session:
        return await drafts.published(session, world.actors[who], world.context.settings, APP, revision=revision)


async def test_looking_keeps_nothing_and_the_first_save_makes_the_draft(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    seen = await opened(world)
    assert (seen.revision, seen.base_version, seen.may_edit) == (0, "1.0.0", True)
    assert seen.spec == {**example, "version": "1.1.0"}
    assert await draft_of(world) is None
    assert await save(world, seen.spec, 0, TASK={"x": 8}) == 1
    again = await opened(world)
    assert (again.revision, again.layout, again.saved_by) == (1, {"TASK": {"x": 8}}, "kim")
    assert json.dumps(again.spec) == json.dumps(seen.spec)  # the order of the keys too
    assert "draft.open" in await world.actions(APP)


async def test_a_save_on_top_of_an_old_revision_says_who_was_quicker(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    await save(world, {**example, "name": "kim's"}, 0)
    await save(world, {**example, "name": "admin's"}, 1, "admin")
    with pytest.raises(Conflict, match="admin saved this draft meanwhile") as refused:
        await save(world, {**example, "name": "kim's again"}, 1)
    assert refused.value.code == "draft_changed"
    assert (await opened(world)).spec["name"] == "admin's"
    with pytest.raises(Conflict):
        await save(world, example, 0)


async def test_two_saves_at_the_same_moment_are_one_save_and_one_conflict(
    world: World, example: dict[str, Any]
) -> None:
    await upload(world, example)
    await save(world, example, 0)
    async with world.maker() as late:
        await late.get(Draft, APP)
        await save(world, {**example, "name": "first"}, 1)
        with pytest.raises(Conflict) as refused:
            await drafts.save(late, world.actors["kim"], APP, revision=1, spec=example, layout={})
        assert refused.value.code == "draft_changed"
        await late.rollback()
    assert (await opened(world)).spec["name"] == "first"


async def test_others_see_the_version_and_may_not_save(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    await save(world, {**example, "name": "draft"}, 0)
    seen = await opened(world, "park")
    assert (seen.may_edit, seen.spec["name"], seen.spec["version"]) == (False, example["name"], "1.0.0")
    with pytest.raises(Forbidden):
        await save(world, example, 1, "park")
    async with transaction(world.maker) as session:
        (await session.get_one(App, APP)).visibility = "private"
    with pytest.raises(NotFound):
        await opened(world, "park")
    with pytest.raises(NotFound):
        await save(world, example, 1, "park")


async def test_a_draft_may_be_wrong_but_not_published(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    wrong = copy.deepcopy(example)
    wrong["version"] = "1.1.0"
    wrong["tasks"][0]["components"] = []
    wrong["storage"]["path"] = "/etc"
    revision = await save(world, wrong, 0)
    with pytest.raises(Invalid) as refused:
        await publish(world, revision)
    assert "$.tasks[0].components" in {problem.path for problem in refused.value.problems}
    outside = {**example, "version": "1.1.0", "storage": {"type": "distributed", "path": "/etc"}}
    revision = await save(world, outside, revision)
    with pytest.raises(Invalid) as refused:
        await publish(world, revision)
    assert [problem.code for problem in refused.value.problems] == ["outside_roots"]
    assert len(await world.rows(AppVersion)) == 1


async def test_publishing_makes_a_version_and_ends_the_draft(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    revision = await save(world, {**example, "version": "1.1.0", "name": "renamed"}, 0)
    with pytest.raises(Conflict):
        await publish(world, revision + 1)
    made = await publish(world, revision)
    assert (made.version, made.app.name) == ("1.1.0", "renamed")
    assert (await draft_of(world), await world.rows(DraftSave)) == (None, [])
    assert (await world.actions(APP))[-1] == "draft.publish"
    with pytest.raises(Conflict, match="no draft"):
        await publish(world, revision)
    assert (await opened(world)).spec["version"] == "1.2.0"
    assert (await opened(world, version="1.0.0")).spec == example


@pytest.mark.parametrize("version", ["1.0.0", "0.9", "1.0"])
async def test_the_version_must_rise(world: World, example: dict[str, Any], version: str) -> None:
    await upload(world, example)
    revision = await save(world, {**example, "version": version, "name": "other"}, 0)
    with pytest.raises(Conflict, match=r"Use 1\.1\.0") as refused:
        await publish(world, revision)
    assert refused.value.code == "version_not_raised"


async def test_discarding_leaves_the_versions(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    revision = await save(world, {**example, "name": "draft"}, 0)
    async with transaction(world.maker) as session:
        with pytest.raises(Forbidden):
            await drafts.discard(session, world.actors["park"], APP, revision=revision)
        await drafts.discard(session, world.actors["kim"], APP, revision=revision)
    assert (await opened(world)).spec["name"] == example["name"]
    assert (await world.actions(APP))[-1] == "draft.discard"


async def test_revisions_are_kept_up_to_a_number(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    for revision in range(SAVES_KEPT + 3):
        await save(world, {**example, "name": f"r{revision}"}, revision)
    async with world.maker() as session:
        kept = await drafts.saves(session, world.actors["kim"], APP)
    assert [row.revision for row in kept] == list(range(SAVES_KEPT + 3, 3, -1))
    assert json.loads(kept[0].spec)["name"] == f"r{SAVES_KEPT + 2}"


async def test_what_a_draft_cannot_hold(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    with pytest.raises(Invalid) as refused:
        await save(world, {**example, "app_id": "APP-OTHER"}, 0)
    assert refused.value.code == "other_app"
    with pytest.raises(Invalid):
        await save(world, {**example, "env_vars": {"A": "x" * (2 * 1024 * 1024)}}, 0)
    with pytest.raises(Invalid):
        await save(world, example, 0, far="x" * (65 * 1024))


async def test_a_new_app_begins_empty(world: World) -> None:
    async with transaction(world.maker) as session:
        made = await drafts.create_app(
            session, world.actors["kim"], world.context.settings, name="새 App", lab_visible=False
        )
        seen = await drafts.opened(session, world.actors["kim"], made.id)
    assert (made.visibility, made.owner.username, seen.revision) == ("private", "kim", 0)
    assert seen.spec == {"app_id": made.id, "name": "새 App", "version": "1.0.0", "tasks": []}
    async with transaction(world.maker) as session:
        with pytest.raises(Invalid):
            await drafts.create_app(session, world.actors["kim"], world.context.settings, name=" ")
        with pytest.raises(Forbidden):
            await drafts.create_app(session, viewer(world), world.context.settings, name="x")
        with pytest.raises(Forbidden):
            await drafts.create_app(session, ADMIN_TOOL, world.context.settings, name="x")


async def test_publishing_waits_for_a_registry_that_does_not_answer(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    revision = await save(world, (await opened(world)).spec, 0)
    image = example["tasks"][0]["components"][0]["image"]
    registry, tag, settings = image["registry"], image["tag"], world.context.settings
    reference = f"{registry}:{tag}"
    async with transaction(world.maker) as session:
        await imagechecks.ask(session, world.actors["kim"], settings, registry, tag)
        await imagechecks.answered(session, reference, Answer(UNREACHABLE))
    with pytest.raises(Conflict, match="does not answer") as caught:
        await publish(world, revision)
    assert (caught.value.code, reference in caught.value.message_ko) == ("registry_unreachable", True)
    async with transaction(world.maker) as session:
        await imagechecks.ask(session, world.actors["kim"], settings, registry, tag)
    with pytest.raises(Conflict):  # it is being asked again, and has not answered yet
        await publish(world, revision)
    async with transaction(world.maker) as session:
        await imagechecks.answered(session, reference, Answer(VERIFIED, "sha256:" + "1" * 64))
    assert (await publish(world, revision)).version == "1.1.0"
