"""Settings that admins change: one value for web and daemon, history, audit, conflicts, and nothing that was decided changes."""

from __future__ import annotations

from typing import Any

import pytest

from portal.db.engine import transaction
from portal.db.models import Audit, SettingsRevision, Workload
from portal.services import sitesettings
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound
from portal.services.sitesettings import SECTIONS, effective, value_of
from portal.services.thresholdeffect import effect
from portal.settings import Policy
from tests.daemon.world import World
from tests.hostile import HOSTILE

TWO = {"approval_gpus": "2", "approval_memory": "64 GB"}


async def change(world: World, section: str, texts: dict[str, str] | None, *, seen: int, who: str = "admin") -> None:
    async with transaction(world.maker) as session:
        await sitesettings.change(session, world.actors[who], world.context.settings, section, texts, seen=seen)


async def test_a_change_counts_for_the_daemon_too_and_has_a_history(world: World) -> None:
    await change(world, "thresholds", TWO, seen=0)
    seen_by_daemon = (await world.context.renewed()).settings
    assert (seen_by_daemon.policy.approval_gpus, seen_by_daemon.policy.approval_memory) == (2, "64GB")
    assert world.context.settings.policy.approval_gpus == Policy().approval_gpus
    await change(world, "thresholds", None, seen=1)
    assert (await world.context.renewed()).settings == world.context.settings
    first, second = await world.rows(SettingsRevision)
    assert (first.before, first.after) == (
        {"policy.approval_gpus": 4, "policy.approval_memory": "128GB"},
        {"policy.approval_gpus": 2, "policy.approval_memory": "64GB"},
    )
    assert (second.before, second.overrides) == (first.after, {})
    audited = [row for row in await world.rows(Audit) if row.action == "settings.change"]
    assert [(row.actor, row.object_id, row.after) for row in audited] == [
        ("admin", "thresholds", first.after),
        ("admin", "thresholds", second.after),
    ]


async def test_one_section_leaves_the_others_alone(world: World) -> None:
    await change(world, "thresholds", TWO, seen=0)
    limits = {key.partition(".")[2]: str(value_of(world.context.settings, key)) for key in SECTIONS["limits"]}
    await change(world, "limits", limits | {"pending_workloads": "7", "plan_held_over_used": "1.5"}, seen=1)
    now = (await world.context.renewed()).settings
    assert (now.policy.approval_gpus, now.limits.pending_workloads, now.policy.plan_held_over_used) == (2, 7, 1.5)


async def test_what_was_handed_in_keeps_its_gate(world: World, small: dict[str, Any]) -> None:
    before = await world.submit(small)
    await change(world, "thresholds", {"approval_gpus": "1", "approval_memory": "1GB"}, seen=0)
    for _ in range(4):
        await world.round()
    async with world.maker() as session:
        row = await session.get_one(Workload, before)
    assert (row.needs_approval, row.state) == (False, "running")


async def test_the_effect_names_the_apps_that_change_sides(world: World, small: dict[str, Any]) -> None:
    await world.submit(small)
    file = world.context.settings
    async with world.maker() as session:
        made = await sitesettings.draft(
            session, world.actors["admin"], file, "thresholds", {"approval_gpus": "4", "approval_memory": "1MB"}
        )
        found = await effect(session, file, made.settings)
        back = await effect(session, made.settings, file)
    assert [(one.app_id, one.needs_approval) for one in found.touched] == [(small["app_id"], True)]
    assert (found.needing, found.total) == (1, 1)
    assert [one.needs_approval for one in back.touched] == [False]


async def test_the_second_of_two_admins_is_told(world: World) -> None:
    await change(world, "thresholds", TWO, seen=0)
    with pytest.raises(Conflict, match="meanwhile"):
        await change(world, "thresholds", {"approval_gpus": "8", "approval_memory": "64GB"}, seen=0, who="boss")


@pytest.mark.parametrize("texts", [TWO, None])
async def test_only_admins(world: World, texts: dict[str, str] | None) -> None:
    with pytest.raises(Forbidden):
        await change(world, "thresholds", texts, seen=0, who="kim")


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=list(HOSTILE))
async def test_all_that_is_wrong_is_said_at_once(world: World, hostile: str) -> None:
    with pytest.raises(Invalid) as refused:
        await change(world, "thresholds", {"approval_gpus": hostile, "approval_memory": hostile}, seen=0)
    assert {problem.path for problem in refused.value.problems} == {"approval_gpus", "approval_memory"}


@pytest.mark.parametrize(
    ("section", "name", "text"),
    [
        ("tests", "test_episodes", "9"),
        ("tests", "test_episodes", "1001"),
        ("tests", "test_memory", "0GB"),
        ("limits", "node_failure_attempts", "4"),
        ("limits", "plan_held_over_used", "nan"),
        ("limits", "plan_held_over_used", "inf"),
        ("limits", "pending_workloads", "99999999999999999999"),
        ("limits", "time_limit_min", "1.5"),
    ],
)
async def test_bounds_are_the_settings_own(world: World, section: str, name: str, text: str) -> None:
    texts = {key.partition(".")[2]: str(value_of(world.context.settings, key)) for key in SECTIONS[section]}
    with pytest.raises(Invalid) as refused:
        await change(world, section, texts | {name: text}, seen=0)
    assert [problem.path for problem in refused.value.problems] == [name]


async def test_nothing_to_change_and_no_such_section(world: World) -> None:
    with pytest.raises(Invalid, match="already"):
        await change(world, "thresholds", {"approval_gpus": "4", "approval_memory": "128GB"}, seen=0)
    with pytest.raises(NotFound):
        await change(world, "s3", {}, seen=0)


async def test_a_key_of_another_version_is_passed_over(world: World) -> None:
    async with transaction(world.maker) as session:
        row = SettingsRevision(
            id=1, by="admin", section="thresholds", before={}, after={}, overrides={"policy.gone": 1, "nothing": 2}
        )
        session.add(row)
    async with world.maker() as session:
        assert await effective(session, world.context.settings) == world.context.settings
