"""Apps as a list shows them: state, size, order, pages; drafts are measured only for those who may edit them."""

from __future__ import annotations

import copy
from typing import Any

from portal.db.engine import transaction
from portal.db.models import App, now
from portal.services import apps, appview, drafts
from portal.services.appview import AppLine, Wanted
from portal.spec.load import load_spec
from tests.daemon.world import World


async def upload(world: World, spec: dict[str, Any], who: str = "kim", **changed: Any) -> None:
    async with transaction(world.maker) as session:
        await apps.upload_spec(session, world.actors[who], load_spec({**spec, **changed}))


async def listed(world: World, who: str = "kim", number: int = 1, size: int = 50, **wanted: Any) -> list[AppLine]:
    async with world.maker() as session:
        asked = (world.actors[who], world.context.settings, Wanted(**wanted), number, size)
        return (await appview.page(session, *asked)).items


async def names(world: World, who: str = "kim", **wanted: Any) -> list[str]:
    return [line.app.name for line in await listed(world, who, **wanted)]


async def test_a_line_says_how_large_and_in_what_state(world: World, example: dict[str, Any]) -> None:
    await upload(world, example)
    await upload(world, example, version="1.1.0")
    (line,) = await listed(world)
    assert line.size is not None
    assert (line.status, line.version, len(line.size.tasks), line.size.components) == ("ready", "1.1.0", 2, 5)
    assert line.size.resources == "A100 x 4, 128GB"
    assert {reason.resource for reason in line.size.reasons} == {"gpu", "memory"}
    async with transaction(world.maker) as session:
        await drafts.save(session, world.actors["kim"], line.app.id, revision=0, spec=example, layout={})
    (line,) = await listed(world)
    assert line.status == "editing"
    assert await listed(world, status="ready") == []


async def test_the_size_of_a_draft_is_for_those_who_may_edit_it(world: World, example: dict[str, Any]) -> None:
    settings, kim = world.context.settings, world.actors["kim"]
    async with transaction(world.maker) as session:
        app_id = (await drafts.create_app(session, kim, settings, name="new")).id
        broken = copy.deepcopy({**example, "app_id": app_id})
        broken["tasks"][0]["components"][0]["resources"]["memory"] = "much"
        await drafts.save(session, kim, app_id, revision=0, spec=broken, layout={})
    (own,) = await listed(world)
    assert own.size is not None
    assert (own.status, own.size.components, own.size.resources, own.size.reasons) == ("draft", 5, "", ())
    (seen,) = await listed(world, "park")
    assert (seen.status, seen.size, seen.may_edit) == ("draft", None, False)


async def test_filters_order_and_pages(world: World, small: dict[str, Any]) -> None:
    for number, (who, name) in enumerate([("kim", "beta"), ("park", "Alpha"), ("kim", "100%"), ("park", "hidden")]):
        await upload(world, small, who, app_id=f"APP-{number}", name=name)
    async with transaction(world.maker) as session:
        (await session.get_one(App, "APP-3")).visibility = "private"
    assert await names(world, sort="name", descending=False) == ["100%", "Alpha", "beta"]
    assert await names(world, "park", sort="name") == ["hidden", "beta", "Alpha", "100%"]
    assert await names(world) == ["100%", "Alpha", "beta"]
    assert await names(world, mine=True, descending=False) == ["beta", "100%"]
    assert await names(world, q="%") == ["100%"]
    assert await names(world, q="app-1") == ["Alpha"]
    pages = [await listed(world, number=number, size=2, sort="name") for number in (1, 2, 3)]
    assert [[line.app.name for line in page] for page in pages] == [["beta", "Alpha"], ["100%"], []]
    async with transaction(world.maker) as session:
        (await session.get_one(App, "APP-0")).archived_at = now()
    assert await names(world, mine=True) == ["100%"]
    assert await names(world, status="archived") == ["beta"]
