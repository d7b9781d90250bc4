"""Imports between Apps: cycles are refused at every door with their chain, newer versions are told of until declined."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from portal.db.engine import transaction
from portal.db.models import App, Audit
from portal.services import apps, building, drafts, homeview, imports, placing, workloads
from portal.services.errors import Invalid
from portal.services.workloads import SubmitRequest
from portal.spec.load import load_spec
from tests.daemon.world import World
from tests.services.test_building import upload

Spec = dict[str, Any]


def importing(small: Spec, app_id: str, *pins: tuple[str, str | None], version: str = "1.0.0", **more: Any) -> Spec:
    """An App that imports others: its one Task says to come from the first."""
    made: Spec = json.loads(json.dumps(small))
    made.update(app_id=app_id, name=f"name of {app_id}", version=version)
    made["imported_apps"] = [{"app_ref": ref, "name": ref, "version": pin, **more} for ref, pin in pins]
    for task in made["tasks"]:
        task["imported_from"] = pins[0][0] if pins else None
    return made


@pytest.fixture
async def chained(world: World, small: Spec) -> Spec:
    """A <- B <- C, each at 1.0.0: C is kim's, the others park's. The answer is A at 1.1.0, importing C."""
    await upload(world, importing(small, "APP-A"), "park")
    await upload(world, importing(small, "APP-B", ("APP-A", "1.0.0")), "park")
    await upload(world, importing(small, "APP-C", ("APP-B", "1.0.0")), "kim")
    return importing(small, "APP-A", ("APP-C", "1.0.0"), version="1.1.0")


CHAIN = "name of APP-A → name of APP-C → name of APP-B → name of APP-A"


async def test_a_cycle_is_refused_where_a_version_is_made(world: World, chained: Spec) -> None:
    park, settings = world.actors["park"], world.context.settings
    with pytest.raises(Invalid) as uploaded:
        await upload(world, chained, "park")
    assert uploaded.value.code == "import_cycle"
    assert CHAIN in uploaded.value.message_en
    assert CHAIN in uploaded.value.message_ko
    async with transaction(world.maker) as session:
        with pytest.raises(Invalid, match="Cycle of imports"):
            await workloads.submit(session, park, settings, SubmitRequest(spec=chained))
        checked = await placing.check(session, park, settings, json.dumps(chained).encode())
        assert [one.path for one in checked.problems if one.code == "import_cycle"] == ["$.imported_apps[0].app_ref"]
        assert not checked.valid
    async with transaction(world.maker) as session:
        await drafts.save(session, park, "APP-A", revision=0, spec=chained, layout={})
    async with transaction(world.maker) as session:
        with pytest.raises(Invalid) as published:
            await drafts.published(session, park, settings, "APP-A", revision=1)
    assert {one.code for one in published.value.problems if one.severity == "error"} == {"import_cycle"}
    async with world.maker() as session:
        assert [one.version for one in await apps.versions(session, park, "APP-A")] == ["1.0.0"]


async def test_a_copy_as_another_app_is_a_cycle_only_under_a_name_that_is_imported(
    world: World, chained: Spec, small: Spec
) -> None:
    await upload(world, importing(small, "APP-D", ("APP-LATER", "1.0.0")), "park")
    chained["imported_apps"].append({"app_ref": "APP-D", "name": "d", "version": "1.0.0"})
    async with transaction(world.maker) as session:
        made = await apps.upload_spec(session, world.actors["park"], load_spec(chained), as_new_app="APP-COPY")
    assert made.app_id == "APP-COPY"
    with pytest.raises(Invalid, match="Cycle of imports"):
        async with transaction(world.maker) as session:
            await apps.upload_spec(session, world.actors["park"], load_spec(chained), as_new_app="APP-LATER")


async def test_the_versions_that_are_pinned_count(world: World, small: Spec) -> None:
    await upload(world, importing(small, "APP-A"))
    await upload(world, importing(small, "APP-B"))
    await upload(world, importing(small, "APP-B", ("APP-A", "1.0.0"), version="1.1.0"))
    await upload(world, importing(small, "APP-A", ("APP-B", "1.0.0"), version="1.1.0"))
    for pin in ("1.1.0", None, "9.9"):  # without version, or with one that is not there, the newest counts
        with pytest.raises(Invalid, match="Cycle of imports"):
            await upload(world, importing(small, "APP-A", ("APP-B", pin), version="1.2.0"))
    await upload(world, importing(small, "APP-A", ("APP-ELSEWHERE", "1.0.0"), version="1.2.0"))


async def test_the_chain_names_only_what_one_may_see(world: World, chained: Spec) -> None:
    park, boss = world.actors["park"], world.actors["boss"]
    async with transaction(world.maker) as session:
        (await session.get_one(App, "APP-C")).visibility = "private"
    async with world.maker() as session:
        (parks,) = await imports.cycles_of(session, park, load_spec(chained).spec)
        (bosses,) = await imports.cycles_of(session, boss, load_spec(chained).spec)
    assert CHAIN.replace("name of APP-C", imports.HIDDEN) in parks.message_en
    assert CHAIN in bosses.message_en


async def test_a_source_says_which_cycle_it_would_make(world: World, chained: Spec) -> None:
    async with world.maker() as session:
        wrong = await building.source(session, world.actors["park"], "APP-A", "APP-C", "1.0.0")
        right = await building.source(session, world.actors["park"], "APP-C", "APP-A", "1.0.0")
        itself = await building.source(session, world.actors["park"], "APP-A", "APP-A", "1.0.0")
    assert " → ".join(wrong.chain) == CHAIN
    assert right.chain == ()
    assert itself.chain == ("name of APP-A", "name of APP-A")


async def test_a_newer_version_is_told_of_until_it_is_declined(world: World, small: Spec) -> None:
    kim = world.actors["kim"]
    await upload(world, importing(small, "APP-A"))
    mine = importing(small, "APP-B", ("APP-A", "1.0.0"))
    declining = importing(small, "APP-B", ("APP-A", "1.0.0"), declined_version="1.1.0")
    await upload(world, mine)

    async def told(spec: Spec) -> list[str]:
        async with world.maker() as session:
            return [one.message_en for one in await imports.problems_of(session, kim, load_spec(spec).spec)]

    assert await told(mine) == []
    await upload(world, importing(small, "APP-A", version="1.1.0"))
    assert await told(mine) == ["A newer version of an imported App exists: APP-A 1.0.0 → 1.1.0"]
    assert await told(declining) == []
    await upload(world, importing(small, "APP-A", version="1.2.0"))
    assert await told(declining) == ["A newer version of an imported App exists: APP-A 1.0.0 → 1.2.0"]
    async with transaction(world.maker) as session:
        app = await session.get_one(App, "APP-A")
        app.visibility, app.owner_id = "private", world.actors["park"].user_id or 0
    assert await told(mine) == []


async def test_home_tells_an_author_of_newer_versions(world: World, small: Spec) -> None:
    kim, settings = world.actors["kim"], world.context.settings

    async def told(who: str = "kim") -> list[tuple[str, str]]:
        async with world.maker() as session:
            home = await homeview.look(session, world.actors[who], settings)
        return [(one.href, one.reason) for one in home.needs if one.kind == "newer_import"]

    await upload(world, importing(small, "APP-A"), "park")
    await upload(world, importing(small, "APP-B", ("APP-A", "1.0.0"), ("APP-NONE", None)))
    assert await told() == []
    await upload(world, importing(small, "APP-A", version="1.1.0"), "park")
    assert await told() == [("/apps/APP-B/builder?tab=app", "APP-A 1.1.0")]
    assert await told("park") == []
    async with transaction(world.maker) as session:
        await drafts.save(session, kim, "APP-B", revision=0, spec=importing(small, "APP-B"), layout={})
    assert await told() == []
    async with transaction(world.maker) as session:
        await drafts.discard(session, kim, "APP-B", revision=1)
    declining = importing(small, "APP-B", ("APP-A", "1.0.0"), version="1.1.0", declined_version="1.1.0")
    await upload(world, declining)
    assert await told() == []


async def test_a_changed_copy_is_told_of_where_its_source_can_be_seen(world: World, small: Spec) -> None:
    await upload(world, importing(small, "APP-A"), "park")
    copy = importing(small, "APP-B", ("APP-A", "1.0.0"))
    copy["tasks"][0].update(name="another name", task_id="TASK-009")
    changed: Spec = json.loads(json.dumps(copy))
    changed["tasks"][0]["components"][0]["resources"]["memory"] = "7GB"

    async def told(spec: Spec) -> list[tuple[str, str]]:
        async with world.maker() as session:
            found = await imports.problems_of(session, world.actors["kim"], load_spec(spec).spec)
        return [(one.path, one.message_en) for one in found]

    assert await told(copy) == []
    words = "An imported Task is not as in name of APP-A 1.0.0: another name"
    assert await told(changed) == [("$.tasks[0].imported_from", words)]
    changed["tasks"][0]["imported_from"] = None
    assert await told(changed) == []
    changed["tasks"][0]["imported_from"] = "APP-A"
    async with transaction(world.maker) as session:
        (await session.get_one(App, "APP-A")).visibility = "private"
    assert await told(changed) == []


async def test_what_a_version_imports_is_in_its_audit_row(world: World, chained: Spec) -> None:
    async with world.maker() as session:
        query = select(Audit).where(Audit.action == "app.version").order_by(Audit.id)
        rows = {row.object_id: row.after for row in await session.scalars(query)}
    assert "imports" not in (rows["APP-A"] or {})
    assert (rows["APP-C"] or {})["imports"] == {"APP-B": "1.0.0"}
