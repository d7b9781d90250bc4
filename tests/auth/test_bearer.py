"""From a header to an actor: both outcomes are committed."""

from __future__ import annotations

import pytest

from portal.auth.bearer import actor_of
from portal.db.engine import transaction
from portal.db.models import Audit, Token
from portal.services import tokens
from portal.services.errors import Unauthenticated
from portal.services.tokens import Scope
from tests.daemon.world import ADMIN_TOOL, World


async def made(world: World) -> str:
    async with transaction(world.maker) as session:
        _, value = await tokens.make_token(session, ADMIN_TOOL, "kim", name="t", scopes={Scope.READ})
    return value


async def test_the_actor_carries_request_and_address(world: World) -> None:
    value = await made(world)
    actor = await actor_of(world.maker, f"bEARER {value}", address="10.1.2.3", request_id="r7")
    assert (actor.name, actor.role, actor.scopes) == ("kim", "researcher", frozenset({"read"}))
    assert (actor.address, actor.request_id) == ("10.1.2.3", "r7")
    (token,) = await world.rows(Token)
    assert token.last_used_at is not None


async def test_a_refusal_of_a_known_token_is_kept(world: World) -> None:
    value = await made(world)
    async with transaction(world.maker) as session:
        (token,) = await tokens.tokens_of(session, world.actors["kim"])
        await tokens.revoke_token(session, world.actors["kim"], token.id)
    with pytest.raises(Unauthenticated):
        await actor_of(world.maker, f"Bearer {value}", address="10.1.2.3", request_id="r8")
    (row,) = [row for row in await world.rows(Audit) if row.action == "token.refused"]
    assert (row.actor, row.address, row.request_id, row.result) == (f"kim ({value[:10]})", "10.1.2.3", "r8", "refused")


async def test_no_usable_header(world: World) -> None:
    for header in (None, "", "Bearer", "Bearer ", "Basic x", "Bearer " + "x" * 600):
        with pytest.raises(Unauthenticated) as refused:
            await actor_of(world.maker, header, address="", request_id="")
        assert refused.value.code == "token_missing", header
