"""The library: registering with every problem at once, versions that rise, the lock of what is in use, and image checks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from containers.errors import ImageNotFound, RegistryUnreachable, UnusableImage
from portal.db.engine import transaction
from portal.db.models import App, Audit, Component, ComponentUse, ComponentVersion, ImageCheck
from portal.services import apps, components, componentview, drafts, imagechecks
from portal.services.audit import Actor
from portal.services.components import About, Registration
from portal.services.componentview import Wanted
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound
from portal.spec.library import Content, Param, Unreadable, bound_of, text_of, value_of
from portal.spec.load import load_spec
from tests.daemon.world import World

IMAGE = "registry.avatar.io/env-sim:1.0"
CONTENT = Content("registry.avatar.io/env-sim", "1.0", {"gpu_type": "A100", "gpu_count": 1, "memory": "16GB"})


def registration(**changed: Any) -> Registration:
    return replace(Registration("env-simulator", "1.0.0", CONTENT, About("simulates", "", ("sim", "환경"))), **changed)


async def register(world: World, who: str = "kim", **changed: Any) -> str:
    async with transaction(world.maker) as session:
        made = await components.register(session, world.actors[who], world.context.settings, registration(**changed))
        return made.id


async def detail(world: World, component_id: str, who: str = "kim", version: str | None = None) -> Any:
    async with world.maker() as session:
        return await componentview.detail(session, world.actors[who], component_id, version)


async def change(world: World, component_id: str, who: str = "kim", **given: Any) -> None:
    async with transaction(world.maker) as session:
        row = await session.get_one(Component, component_id)
        values = {"revision": row.revision, "about": components.about_of(row), **given}
        await components.change(session, world.actors[who], world.context.settings, component_id, **values)


async def raise_version(world: World, component_id: str, version: str, note: str = "faster", **changed: Any) -> None:
    async with transaction(world.maker) as session:
        await components.new_version(
            session,
            world.actors["kim"],
            world.context.settings,
            component_id,
            version=version,
            content=replace(CONTENT, **changed),
            note=note,
        )


async def listed(world: World, who: str = "kim", **wanted: Any) -> list[str]:
    async with world.maker() as session:
        found = await componentview.page(session, world.actors[who], Wanted(**wanted), 1, 50)
        return [line.component.name for line in found.items]


def placing(spec: dict[str, Any], component_id: str, version: str | None = "1.0.0") -> dict[str, Any]:
    """The App with the component in the place of its first."""
    copied: dict[str, Any] = json.loads(json.dumps(spec))
    task = copied["tasks"][0]
    old, first = task["components"][0]["component_id"], task["components"][0]
    first["component_id"] = component_id
    if version:
        first["component_version"] = version
    for edge in task["workflow"]:
        edge.update({end: component_id for end in ("from", "to") if edge[end] == old})
    return copied


async def publish(world: World, spec: dict[str, Any], who: str = "kim") -> None:
    async with transaction(world.maker) as session:
        await apps.upload_spec(session, world.actors[who], load_spec(spec))


def codes(error: Invalid) -> dict[str, str]:
    return {problem.path: problem.code for problem in error.problems}


async def test_a_component_is_registered_and_gets_its_digest_from_the_daemon(world: World) -> None:
    component_id = await register(world)
    found = await detail(world, component_id)
    assert (found.chosen.check.state, found.chosen.version.digest) == ("checking", None)
    await world.round()
    found = await detail(world, component_id)
    assert (found.chosen.check.state, found.chosen.check.digest) == ("verified", found.chosen.version.digest)
    assert (found.chosen.check.architecture, found.chosen.check.entrypoint) == ("amd64", "/main")
    assert (found.component.tags, found.chosen.resources) == (["sim", "환경"], "A100 x 1, 16GB")
    written = [row.action for row in await world.rows(Audit) if row.object_id == component_id]
    assert written == ["component.create", "component.version", "component.image_verified"]


async def test_all_problems_come_at_once_with_their_places(world: World) -> None:
    bad = Content(
        "elsewhere.example/env-sim",
        "1.0",
        {"gpu_count": 1, "memory": "much"},
        (
            Param("lr", "number", "fast"),
            Param("lr", "number", 5, max=1),
            Param("mode", "text", "a", min=1),
            Param("x", "colour"),
        ),
    )
    with pytest.raises(Invalid) as refused:
        await register(world, name=" ", version="1 0", content=bad, about=About("", "", ("a b",)))
    assert (
        codes(refused.value).items()
        >= {
            "$.name": "bad_format",
            "$.version": "bad_format",
            "$.image.registry": "registry_not_allowed",
            "$.resources.memory": "bad_memory",
            "$.params[0].default": "param_default",
            "$.params[1].name": "param_twice",
            "$.params[1].default": "out_of_range",
            "$.params[2]": "param_bounds",
            "$.params[3].type": "not_allowed",
            "$.tags": "bad_tag",
        }.items()
    )
    with pytest.raises(Invalid) as refused:
        await register(world, content=replace(CONTENT, registry="elsewhere.example/env-sim"))
    assert codes(refused.value) == {"$.image.registry": "registry_not_allowed"}
    assert await world.rows(ImageCheck) == []


async def test_names_and_ids_are_unique(world: World) -> None:
    await register(world, component_id="CL-REF-001")
    with pytest.raises(Invalid) as refused:
        await register(world, who="park", name="ENV-Simulator", component_id="CL-REF-001")
    assert codes(refused.value) == {"$.name": "component_name_taken", "$.component_id": "component_id_taken"}


async def test_versions_rise_and_say_what_changed(world: World) -> None:
    component_id = await register(world)
    with pytest.raises(Invalid) as refused:
        await raise_version(world, component_id, "1.0.0", note=" ")
    assert codes(refused.value) == {"$.version": "component_version_low", "$.note": "note_missing"}
    await raise_version(world, component_id, "1.10.0", tag="1.1")
    with pytest.raises(Invalid):
        await raise_version(world, component_id, "1.9.0")
    found = await detail(world, component_id)
    assert [line.version.version for line in found.versions] == ["1.10.0", "1.0.0"]
    assert found.chosen.version.tag == "1.1"
    assert (await detail(world, component_id, version="1.0.0")).chosen.version.tag == "1.0"
    with pytest.raises(NotFound):
        await detail(world, component_id, version="9.9")


async def test_what_a_published_app_places_is_locked_and_a_draft_locks_nothing(
    world: World, small: dict[str, Any]
) -> None:
    component_id = await register(world)
    other = replace(CONTENT, resources={"memory": "8GB"})
    app_id = small["app_id"]
    await publish(world, small)
    async with transaction(world.maker) as session:
        actor = world.actors["kim"]
        await drafts.save(session, actor, app_id, revision=0, spec=placing(small, component_id), layout={})
    assert not (await detail(world, component_id)).locked
    await change(world, component_id, content=other)
    await publish(world, {**placing(small, component_id), "version": "1.1.0"})
    found = await detail(world, component_id)
    assert (found.locked, found.uses.apps, found.uses.tasks) == (True, 1, 1)
    with pytest.raises(Conflict, match="in use"):
        await change(world, component_id, content=CONTENT)
    await change(world, component_id, about=About("new words", "", ("x",)), content=other)
    found = await detail(world, component_id)
    assert (found.component.description, found.chosen.version.resources) == ("new words", {"memory": "8GB"})
    await raise_version(world, component_id, "1.1.0")
    assert not (await detail(world, component_id)).locked, "the newest version is not placed yet"


async def test_a_changed_image_is_looked_at_again(world: World) -> None:
    component_id = await register(world)
    await world.round()
    await change(world, component_id, content=replace(CONTENT, tag="1.1"))
    assert (await detail(world, component_id)).chosen.version.digest is None
    await world.round()
    found = await detail(world, component_id)
    assert found.chosen.version.digest == found.chosen.check.digest
    assert found.chosen.check.reference.endswith(":1.1")


async def test_only_the_owner_and_admins_change_it(world: World) -> None:
    component_id = await register(world)
    with pytest.raises(Forbidden, match="kim"):
        await change(world, component_id, who="park")
    viewer: Actor = replace(world.actors["park"], role="viewer")
    async with world.maker() as session:
        with pytest.raises(Forbidden):
            await components.register(session, viewer, world.context.settings, registration(name="other"))
        with pytest.raises(Forbidden):
            await imagechecks.ask(session, viewer, world.context.settings, "registry.avatar.io/x", "1")
        assert (await componentview.detail(session, viewer, component_id)).may_edit is False
    await change(world, component_id, who="admin", about=About("by an admin"))


async def test_the_second_of_two_editors_is_told(world: World) -> None:
    component_id = await register(world)
    seen = (await detail(world, component_id)).component.revision
    await change(world, component_id, about=About("first"))
    with pytest.raises(Conflict) as refused:
        await change(world, component_id, revision=seen, about=About("second"))
    assert refused.value.code == "changed_meanwhile"
    assert (await detail(world, component_id)).component.description == "first"


async def test_the_list_filters_and_hides_the_deprecated(world: World) -> None:
    await register(world)
    cpu = replace(CONTENT, registry="registry.avatar.io/loader", resources={"memory": "8GB"})
    loader = await register(world, who="park", name="data-loader", content=cpu, about=About("reads 100% of it"))
    assert await listed(world) == ["data-loader", "env-simulator"]
    assert await listed(world, sort="name", descending=True) == ["env-simulator", "data-loader"]
    assert await listed(world, q="env-sim:1") == ["env-simulator"]
    assert await listed(world, q="100%") == ["data-loader"]
    assert await listed(world, tag="환경") == ["env-simulator"]
    assert await listed(world, gpu="A100") == ["env-simulator"]
    assert await listed(world, mine=True) == ["env-simulator"]
    async with transaction(world.maker) as session:
        await components.deprecate(session, world.actors["park"], loader)
    assert await listed(world) == ["env-simulator"]
    assert await listed(world, deprecated="only") == ["data-loader"]
    assert await listed(world, deprecated="all") == ["data-loader", "env-simulator"]
    async with transaction(world.maker) as session:
        await components.restore(session, world.actors["park"], loader)
        assert (await componentview.tags(session), await componentview.gpu_types(session)) == (
            ["sim", "환경"],
            ["A100"],
        )
    assert await listed(world) == ["data-loader", "env-simulator"]


async def test_used_in_names_versions_and_drafts_and_only_counts_what_is_private(
    world: World, small: dict[str, Any]
) -> None:
    component_id = await register(world)
    await publish(world, placing(small, component_id))
    await publish(world, {**placing(small, component_id), "app_id": "APP-PARK"}, who="park")
    async with transaction(world.maker) as session:
        (await session.get_one(App, "APP-PARK")).visibility = "private"
        actor = world.actors["kim"]
        await drafts.save(
            session, actor, small["app_id"], revision=0, spec=placing(small, component_id, None), layout={}
        )
    await raise_version(world, component_id, "1.1.0")
    async with world.maker() as session:
        found = await componentview.uses(session, world.actors["kim"], component_id, 1, 50)
        assert found.private_apps == 1
        assert [(line.use.app_version, line.use.component_version, line.behind) for line in found.lines.items] == [
            (None, None, False),
            ("1.0.0", "1.0.0", True),
        ]
        assert {line.status for line in found.lines.items} == {"editing"}
        assert (await componentview.uses(session, world.actors["admin"], component_id, 1, 50)).private_apps == 0
    async with transaction(world.maker) as session:
        await drafts.discard(session, world.actors["kim"], small["app_id"], revision=1)
    assert {row.app_version for row in await world.rows(ComponentUse)} == {"1.0.0"}


@pytest.mark.parametrize(
    ("trouble", "state"),
    [
        (ImageNotFound(IMAGE, "no such tag"), "not_found"),
        (RegistryUnreachable(IMAGE, "no answer"), "unreachable"),
        (UnusableImage("made for arm64"), "unusable"),
    ],
)
async def test_what_the_registry_says_is_kept_and_asked_again(world: World, trouble: Any, state: str) -> None:
    world.registry.trouble[IMAGE] = trouble
    component_id = await register(world)
    await world.round()
    found = await detail(world, component_id)
    assert (found.chosen.check.state, found.chosen.version.digest) == (state, None)
    del world.registry.trouble[IMAGE]
    await world.round()
    assert (await detail(world, component_id)).chosen.check.state == state, "nobody asked again"
    async with transaction(world.maker) as session:
        row = await session.get_one(ImageCheck, IMAGE)
        if state == "unreachable":
            row.retry_at = row.asked_at
        else:
            actor, settings = world.actors["park"], world.context.settings
            await imagechecks.ask(session, actor, settings, CONTENT.registry, CONTENT.tag)
    await world.round()
    (version,) = await world.rows(ComponentVersion)
    assert version.digest == (await detail(world, component_id)).chosen.check.digest != ""


async def test_the_registry_of_others_is_never_asked(world: World) -> None:
    async with transaction(world.maker) as session:
        settings = world.context.settings
        check = await imagechecks.ask(session, world.actors["kim"], settings, "elsewhere.example/x", "1")
        assert (check.state, check.message) == ("not_allowed", "registry.avatar.io")
        with pytest.raises(Invalid):
            await imagechecks.ask(session, world.actors["kim"], settings, "registry.avatar.io/x y", "1")
        assert (await imagechecks.look(session, settings, "registry.avatar.io/x", "1")).state == "unchecked"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "0.1", "0.1"),
        ("number", "0.1", 0.1),
        ("boolean", "true", True),
        ("json", '{"a": [1]}', {"a": [1]}),
        ("number", "", None),
        ("number", "fast", Unreadable("fast")),
        ("json", "[" * 100_000, Unreadable("[" * 100_000)),
    ],
)
def test_a_default_is_read_as_it_is_shown(kind: str, text: str, value: Any) -> None:
    assert value_of(kind, text) == value
    assert text_of(kind, value) == text


async def test_values_that_json_forgives_are_refused(world: World) -> None:
    for default in (value_of("json", "NaN"), value_of("number", "1e999"), 2**60):
        kind = "integer" if isinstance(default, int) else "number" if default == default else "json"
        with pytest.raises(Invalid):
            await register(world, content=replace(CONTENT, params=(Param("x", kind, default),)))
    with pytest.raises(Invalid):
        await register(world, content=replace(CONTENT, params=(Param("x", "number", 1, min=bound_of("low")),)))


async def test_a_draft_without_end_keeps_no_more_than_can_be_an_app(world: World) -> None:
    async with transaction(world.maker) as session:
        kim = world.actors["kim"]
        made = await drafts.create_app(session, kim, world.context.settings, name="huge")
        parts = [{"component_id": f"C{number}"} for number in range(3000)]
        spec = {"app_id": made.id, "tasks": [{"task_id": "T", "components": parts}, 1, {"components": {}}]}
        await drafts.save(session, kim, made.id, revision=0, spec=spec, layout={})
    assert len(await world.rows(ComponentUse)) == 1000
