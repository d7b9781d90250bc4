"""People: made, changed, ended; the last admin and oneself are protected; every change is audited."""

from __future__ import annotations

from typing import Any

import pytest

from portal.db.engine import transaction
from portal.db.models import Audit, User
from portal.services import accounts, tokens
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError, Unauthenticated
from portal.services.tokens import Scope
from tests.daemon.world import ADMIN_TOOL, World


async def add(world: World, actor: Actor = ADMIN_TOOL, **values: Any) -> User:
    given = {"username": "choi", "display_name": "최연구원", "role": Role.RESEARCHER, **values}
    async with transaction(world.maker) as session:
        return await accounts.create_user(session, actor, **given)


async def test_a_new_person_is_audited_with_its_facts(world: World) -> None:
    await add(world, unix_user="choi", slurm_account="lab")
    (row,) = [row for row in await world.rows(Audit) if row.object_id == "choi"]
    assert (row.action, row.actor) == ("user.create", "portal-admin")
    assert row.after == {
        "display_name": "최연구원",
        "email": "",
        "role": "researcher",
        "unix_user": "choi",
        "slurm_account": "lab",
    }


REFUSED: list[tuple[dict[str, Any], type[ServiceError], str]] = [
    ({"username": "kim"}, Conflict, "user_exists"),
    ({"unix_user": "kim", "slurm_account": "lab"}, Conflict, "unix_user_taken"),
    ({"unix_user": "choi"}, Invalid, "mapping_incomplete"),
    ({"unix_user": "$(id)", "slurm_account": "lab"}, Invalid, "bad_name"),
    ({"unix_user": "choi", "slurm_account": "a b"}, Invalid, "bad_name"),
    ({"username": "../root"}, Invalid, "bad_name"),
    ({"username": "-rf"}, Invalid, "bad_name"),
    ({"username": "김"}, Invalid, "bad_name"),
    ({"username": "a" * 33}, Invalid, "bad_name"),
]


async def test_refused_people(world: World) -> None:
    for values, error, code in REFUSED:
        with pytest.raises(error) as refused:
            await add(world, **values)
        assert refused.value.code == code, values
    assert "choi" not in [user.username for user in await world.rows(User)]


async def test_only_admins_manage_people(world: World) -> None:
    with pytest.raises(Forbidden):
        await add(world, actor=world.actors["kim"])
    assert (await add(world, actor=world.actors["admin"])).username == "choi"


async def test_the_last_admin_and_oneself_are_protected(world: World) -> None:
    async with transaction(world.maker) as session:
        with pytest.raises(Conflict, match="own account"):
            await accounts.deactivate(session, world.actors["admin"], "admin")
        with pytest.raises(Conflict, match="own account"):
            await accounts.change_user(session, world.actors["admin"], "admin", role=Role.VIEWER)
        await accounts.deactivate(session, ADMIN_TOOL, "boss")
        with pytest.raises(Conflict, match="last administrator"):
            await accounts.deactivate(session, ADMIN_TOOL, "admin")
        with pytest.raises(Conflict, match="last administrator"):
            await accounts.change_user(session, ADMIN_TOOL, "admin", role=Role.VIEWER)


async def test_deactivation_ends_tokens_for_good(world: World) -> None:
    async with transaction(world.maker) as session:
        _, value = await tokens.make_token(session, ADMIN_TOOL, "kim", name="x", scopes={Scope.READ})
        assert (await tokens.authenticate(session, value)).name == "kim"
        await accounts.deactivate(session, ADMIN_TOOL, "kim")
        with pytest.raises(Unauthenticated) as refused:
            await tokens.authenticate(session, value)
        assert refused.value.code == "token_deactivated"
        await accounts.reactivate(session, ADMIN_TOOL, "kim")
        with pytest.raises(Unauthenticated) as refused:
            await tokens.authenticate(session, value)
        assert refused.value.code == "token_revoked"


async def test_a_mapping_can_be_moved_and_removed(world: World) -> None:
    async with transaction(world.maker) as session:
        await accounts.map_slurm(session, ADMIN_TOOL, "kim", None, None)
        await accounts.map_slurm(session, ADMIN_TOOL, "park", "kim", "lab")
        user = await accounts.user_named(session, "park")
    assert (user.unix_user, user.slurm_account) == ("kim", "lab")
    with pytest.raises(Conflict, match="not linked"):
        await world.submit({"app_id": "APP-X"}, who="kim")


async def test_nobody_of_that_name(world: World) -> None:
    async with transaction(world.maker) as session:
        with pytest.raises(NotFound):
            await accounts.deactivate(session, ADMIN_TOOL, "nobody")
