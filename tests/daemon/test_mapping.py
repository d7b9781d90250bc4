"""Slurm mappings looked at by the daemon: when, what it says of each, and what a change or an outage does to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine

from portal.daemon.mapping import check_due
from portal.db.engine import transaction
from portal.db.models import Audit, User, now
from portal.services import accounts, mapping, people
from portal.services.errors import Conflict, Forbidden
from slurm.errors import SlurmUnreachable
from slurm.records import Standing
from tests.daemon.world import ADMIN_TOOL, World

pytestmark = pytest.mark.anyio


async def user(world: World, name: str) -> User:
    async with world.maker() as session:
        return await accounts.user_named(session, name)


async def state(world: World, name: str) -> str:
    return mapping.shown_state(await user(world, name))


async def test_each_mapping_is_looked_at_once_a_day_and_says_what_is_missing(world: World) -> None:
    assert (await state(world, "kim"), await state(world, "admin")) == ("unchecked", "")
    kept = world.cluster.associations.pop(("park", "lab"))
    await check_due(world.context)
    assert (await state(world, "kim"), await state(world, "park")) == ("verified", "no_association")
    park = await user(world, "park")
    assert "no association of user park" in park.mapping_says
    qos = "qos+=one-normal,one-low,one-test"
    assert mapping.cure(park, world.context.settings) == f"sacctmgr -i add user name=park account=lab {qos}"
    world.cluster.associations["park", "lab"] = kept
    await check_due(world.context)
    assert await state(world, "park") == "no_association", "nobody asked, and no day has passed"
    with time_machine.travel(now() + timedelta(days=1, minutes=1)):
        await check_due(world.context)
    assert await state(world, "park") == "verified"
    rows = [row for row in await world.rows(Audit) if row.action == "user.mapping_checked" and row.object_id == "park"]
    assert [(row.actor, row.before["state"], row.after["state"]) for row in rows] == [
        ("daemon", "unchecked", "no_association"),
        ("daemon", "no_association", "verified"),
    ]


async def test_an_association_without_the_portals_qos_is_told_with_its_cure(world: World) -> None:
    world.cluster.associations["park", "lab"] = frozenset({"normal", "one-low"})
    await check_due(world.context)
    park = await user(world, "park")
    assert (mapping.shown_state(park), await state(world, "kim")) == ("no_qos", "verified")
    assert "lacks the QOS one-normal, one-test" in park.mapping_says
    cure = "sacctmgr -i modify user name=park where account=lab set qos+=one-normal,one-low,one-test"
    assert mapping.cure(park, world.context.settings) == cure
    assert mapping.cure(await user(world, "kim"), world.context.settings) == ""


async def test_an_admin_asks_again(world: World) -> None:
    await check_due(world.context)
    del world.cluster.associations["kim", "lab"]
    async with transaction(world.maker) as session:
        with pytest.raises(Forbidden):
            await mapping.ask(session, world.actors["kim"], "kim")
        with pytest.raises(Conflict):
            await mapping.ask(session, world.actors["admin"], "boss")
        await mapping.ask(session, world.actors["admin"], "kim")
    assert await state(world, "kim") == "unchecked"
    await check_due(world.context)
    assert await state(world, "kim") == "no_association"


async def test_a_changed_mapping_is_unchecked_until_it_was_looked_at(world: World) -> None:
    await check_due(world.context)
    async with transaction(world.maker) as session:
        await accounts.map_slurm(session, ADMIN_TOOL, "kim", "nobody-here", "lab")
    assert await state(world, "kim") == "unchecked"

    def uid_of(name: str) -> int:
        if name == "nobody-here":
            raise KeyError(name)
        return 1001

    await check_due(replace(world.context, uid_of=uid_of))
    assert (await state(world, "kim"), await state(world, "park")) == ("no_unix_user", "verified")


async def test_while_slurm_is_away_nothing_is_decided(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> Standing:
        raise SlurmUnreachable("the agent does not answer")

    monkeypatch.setattr(world.slurm, "check_association", away)
    with pytest.raises(SlurmUnreachable):
        await check_due(world.context)
    assert await state(world, "kim") == "unchecked"


async def test_the_filter_of_a_list_is_what_a_page_shows(world: World) -> None:
    del world.cluster.associations["park", "lab"]
    await check_due(world.context)
    async with transaction(world.maker) as session:
        await mapping.ask(session, world.actors["admin"], "kim")
        everybody = (await people.page(session, world.actors["admin"], people.Wanted(), 1, 50)).items
        for wanted in people.MAPPING_STATES:
            found = (await people.page(session, world.actors["admin"], people.Wanted(mapping=wanted), 1, 50)).items
            shown = "" if wanted == people.UNMAPPED else wanted
            assert found == [one for one in everybody if mapping.shown_state(one) == shown], wanted
