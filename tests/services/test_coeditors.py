"""Co-editors edit the App, and only the App: what they see, what they may, and what ends with them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from portal.db.engine import transaction
from portal.db.models import App, Workload
from portal.domain.permissions import Permission
from portal.services import accounts, appmanage, apps, appview, coeditors, drafts, workloads
from portal.services.access import allowed, app_facts, workload_facts
from portal.services.accounts import Role
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound
from portal.spec.load import load_spec
from tests.daemon.world import ADMIN_TOOL, World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def app_id(world: World, small: dict[str, Any]) -> str:
    """A private App of kim's with one version."""
    async with transaction(world.maker) as session:
        made = await apps.upload_spec(session, world.actors["kim"], load_spec(small))
        await appmanage.share(session, world.actors["kim"], made.app_id, visibility="private", share_logs=False)
    return str(small["app_id"])


async def add(world: World, app_id: str, who: str = "park", by: str = "kim") -> None:
    async with transaction(world.maker) as session:
        await coeditors.add(session, world.actors[by], app_id, who)


async def test_a_private_app_appears_with_the_right_and_goes_with_it(world: World, app_id: str) -> None:
    settings, park = world.context.settings, world.actors["park"]
    async with world.maker() as session:
        with pytest.raises(NotFound):
            await apps.get(session, park, app_id)
    await add(world, app_id)
    async with world.maker() as session:
        (line,) = (await appview.page(session, park, settings, appview.Wanted(), 1, 50)).items
        assert (line.app.id, line.may_edit, line.may_manage) == (app_id, True, False)
        assert [user.username for user in await coeditors.of(session, line.app)] == ["park"]
    async with transaction(world.maker) as session:
        opened = await drafts.opened(session, park, app_id)
        assert opened.may_edit
        await coeditors.remove(session, world.actors["kim"], app_id, "park")
        with pytest.raises(NotFound):
            await apps.get(session, park, app_id)
    assert (await world.actions(app_id))[-2:] == ["app.editor_add", "app.editor_remove"]


async def test_a_co_editor_edits_and_publishes_but_does_not_manage(
    world: World, app_id: str, small: dict[str, Any]
) -> None:
    await add(world, app_id)
    park, settings = world.actors["park"], world.context.settings
    async with transaction(world.maker) as session:
        spec = {**small, "version": "2.0.0"}
        draft = await drafts.save(session, park, app_id, revision=0, spec=spec, layout={})
        made = await drafts.published(session, park, settings, app_id, revision=draft.revision)
        assert (made.version, made.created_by_id) == ("2.0.0", park.user_id)
    for forbidden in (
        lambda session: appmanage.archive(session, park, app_id),
        lambda session: appmanage.share(session, park, app_id, visibility="lab", share_logs=True),
        lambda session: coeditors.add(session, park, app_id, "boss"),
        lambda session: coeditors.remove(session, park, app_id, "park"),
    ):
        with pytest.raises(Forbidden):
            async with transaction(world.maker) as session:
                await forbidden(session)


async def test_runs_of_the_app_are_read_with_their_logs_and_not_cancelled(
    world: World, app_id: str, small: dict[str, Any]
) -> None:
    workload_id = await world.submit(small)
    await add(world, app_id)
    park = world.actors["park"]
    async with world.maker() as session:
        workload = await session.get_one(Workload, workload_id)
        facts = workload_facts(workload)
        assert allowed(park, Permission.WORKLOAD_LOGS, facts)
        assert not allowed(park, Permission.WORKLOAD_CANCEL, facts)
        with pytest.raises(Forbidden):
            await workloads.cancel(session, park, workload_id, "")


@pytest.mark.parametrize("name", ["nobody", "viewer", "kim", "gone", "", "x" * 200])
async def test_who_cannot_be_one(world: World, app_id: str, name: str) -> None:
    async with transaction(world.maker) as session:
        for username, role in (("viewer", Role.VIEWER), ("gone", Role.RESEARCHER)):
            await accounts.create_user(session, ADMIN_TOOL, username=username, display_name=username, role=role)
        await accounts.deactivate(session, ADMIN_TOOL, "gone")
    async with transaction(world.maker) as session:
        with pytest.raises(Invalid) as refused:
            await coeditors.add(session, world.actors["kim"], app_id, name)
    assert [problem.path for problem in refused.value.problems] == ["username"]


async def test_twice_is_once_admins_may_and_there_is_a_bound(
    world: World, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(world, app_id, by="admin")
    await add(world, app_id)
    assert (await world.actions(app_id)).count("app.editor_add") == 1
    monkeypatch.setattr(coeditors, "MOST", 1)
    with pytest.raises(Conflict):
        await add(world, app_id, "boss")
    async with transaction(world.maker) as session:
        with pytest.raises(NotFound):
            await coeditors.remove(session, world.actors["kim"], app_id, "boss")


async def test_who_becomes_a_viewer_reads_and_edits_no_more(world: World, app_id: str) -> None:
    await add(world, app_id)
    async with transaction(world.maker) as session:
        await accounts.change_user(session, ADMIN_TOOL, "park", role=Role.VIEWER)
    async with world.maker() as session:
        app = await session.scalar(select(App).where(App.id == app_id))
        assert app is not None
        viewer = world.actors["park"].__class__(name="park", user_id=world.actors["park"].user_id, role="viewer")
        assert allowed(viewer, Permission.APP_READ, app_facts(app))
        assert not allowed(viewer, Permission.APP_EDIT, app_facts(app))
