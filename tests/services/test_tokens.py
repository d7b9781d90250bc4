"""Tokens: opaque, never kept, never wider than role and asker, ended by time, hand or deactivation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from portal.db.engine import transaction
from portal.db.models import Audit, Token
from portal.services import accounts, tokens
from portal.services.accounts import Role
from portal.services.errors import Forbidden, Invalid, NotFound, Unauthenticated
from portal.services.tokens import ROLE_SCOPES, Scope
from tests.daemon.world import ADMIN_TOOL, World

NOON = datetime(2026, 2, 9, 3, 0, tzinfo=UTC)


async def made(world: World, name: str = "kim", scopes: set[Scope] | None = None, days: int | None = 1) -> str:
    async with transaction(world.maker) as session:
        given = scopes or {Scope.READ}
        _, value = await tokens.make_token(session, ADMIN_TOOL, name, name="t", scopes=given, days=days)
    return value


async def refusal(world: World, value: str) -> str:
    async with world.maker() as session:
        with pytest.raises(Unauthenticated) as refused:
            await tokens.authenticate(session, value)
        await session.commit()
    return refused.value.code


async def test_the_value_is_not_kept(world: World) -> None:
    value = await made(world)
    (token,) = await world.rows(Token)
    assert value.startswith("one_")
    assert len(value) > 40
    assert value not in repr({column.name: getattr(token, column.name) for column in Token.__table__.columns})
    assert token.prefix == value[:10]
    assert all(value not in repr((row.before, row.after)) for row in await world.rows(Audit))


async def test_a_token_ends_with_its_time(world: World) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        value = await made(world, days=1)
        clock.shift(timedelta(days=1) - timedelta(seconds=1))
        async with world.maker() as session:
            assert (await tokens.authenticate(session, value)).name == "kim"
        clock.shift(timedelta(seconds=1))
        assert await refusal(world, value) == "token_expired"
    refused = [row for row in await world.rows(Audit) if row.action == "token.refused"]
    assert [(row.result, row.after) for row in refused] == [("refused", {"why": "expired"})]


async def test_unknown_values_leave_no_row(world: World) -> None:
    for value in ["", "one_", "one_unknown", "two_x", "one_" + "x" * 10_000, "one_한글\n"]:
        assert await refusal(world, value) == "token_unknown", value[:20]
    assert [row for row in await world.rows(Audit) if row.action == "token.refused"] == []


async def test_the_role_of_now_limits_the_scopes(world: World) -> None:
    value = await made(world, scopes=set(ROLE_SCOPES[Role.RESEARCHER]))
    async with transaction(world.maker) as session:
        await accounts.change_user(session, ADMIN_TOOL, "kim", role=Role.VIEWER)
        actor = await tokens.authenticate(session, value, address="10.0.0.7", request_id="r1")
    assert actor.role == "viewer"
    assert actor.scopes == {"read"}
    assert (actor.address, actor.request_id, actor.token_prefix) == ("10.0.0.7", "r1", value[:10])


async def test_last_use_is_written_once_a_minute(world: World) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        value = await made(world)
        seen = []
        for _ in range(4):
            async with transaction(world.maker) as session:
                await tokens.authenticate(session, value)
            seen.append((await world.rows(Token))[0].last_used_at)
            clock.shift(timedelta(seconds=30))
    assert seen == [NOON, NOON, NOON + timedelta(minutes=1), NOON + timedelta(minutes=1)]


async def test_nobody_gets_more_than_the_role_or_the_asking_token(world: World) -> None:
    kim = replace(world.actors["kim"], scopes=frozenset({"read"}), token_prefix="one_abc")
    async with transaction(world.maker) as session:
        for scopes in ({Scope.APPROVE}, {Scope.READ, Scope.SUBMIT}):
            with pytest.raises(Forbidden) as refused:
                await tokens.make_token(session, kim, "kim", name="x", scopes=scopes)
            assert refused.value.code == "scope_too_wide"
        with pytest.raises(Forbidden):
            await tokens.make_token(session, kim, "park", name="x", scopes={Scope.READ})
        with pytest.raises(Forbidden):
            await tokens.make_token(session, ADMIN_TOOL, "kim", name="x", scopes={Scope.APPROVE})


async def test_bad_requests(world: World) -> None:
    bad: list[tuple[str, set[Scope], int]] = [
        (" ", {Scope.READ}, 1),
        ("x", set(), 1),
        ("x", {Scope.READ}, 0),
        ("x", {Scope.READ}, 366),
    ]
    async with transaction(world.maker) as session:
        for name, scopes, days in bad:
            with pytest.raises(Invalid):
                await tokens.make_token(session, world.actors["kim"], "kim", name=name, scopes=scopes, days=days)


async def test_without_end_only_by_the_admin_tool(world: World) -> None:
    async with transaction(world.maker) as session:
        with pytest.raises(Invalid) as refused:
            await tokens.make_token(session, world.actors["kim"], "kim", name="x", scopes={Scope.READ}, days=None)
    assert refused.value.code == "no_expiry"


async def test_revoking(world: World) -> None:
    value = await made(world)
    (token,) = await world.rows(Token)
    async with transaction(world.maker) as session:
        with pytest.raises(NotFound):
            await tokens.revoke_token(session, world.actors["park"], token.id)
        with pytest.raises(NotFound):
            await tokens.revoke_token(session, world.actors["kim"], token.id + 1)
        await tokens.revoke_token(session, world.actors["kim"], token.id)
        await tokens.revoke_token(session, world.actors["admin"], token.id)
    assert await refusal(world, value) == "token_revoked"
    assert [row.action for row in await world.rows(Audit)].count("token.revoke") == 1


async def test_lists_are_ones_own_unless_admin(world: World) -> None:
    await made(world, "kim")
    await made(world, "park")
    async with world.maker() as session:
        mine = await tokens.tokens_of(session, world.actors["kim"])
        assert [token.user.username for token in mine] == ["kim"]
        assert len(await tokens.tokens_of(session, world.actors["admin"], everybody=True)) == 2
        with pytest.raises(Forbidden):
            await tokens.tokens_of(session, world.actors["kim"], everybody=True)


async def test_a_token_made_with_a_token_does_not_outlive_it(world: World) -> None:
    with time_machine.travel(NOON, tick=False):
        value = await made(world, days=3)
        async with transaction(world.maker) as session:
            asking = await tokens.authenticate(session, value)
            longer, _ = await tokens.make_token(session, asking, "kim", name="x", scopes={Scope.READ}, days=365)
            shorter, _ = await tokens.make_token(session, asking, "kim", name="x", scopes={Scope.READ}, days=1)
            browser, _ = await tokens.make_token(
                session, world.actors["kim"], "kim", name="x", scopes={Scope.READ}, days=365
            )
        days = [one.expires_at and (one.expires_at - NOON).days for one in (longer, shorter, browser)]
    assert days == [3, 1, 365]


async def test_an_admins_reading_token_ends_nobody_elses(world: World) -> None:
    await made(world)
    (theirs,) = await world.rows(Token)
    reading = await made(world, "admin")
    deciding = await made(world, "admin", scopes={Scope.APPROVE})
    async with transaction(world.maker) as session:
        with pytest.raises(Forbidden) as refused:
            await tokens.revoke_token(session, await tokens.authenticate(session, reading), theirs.id)
        assert refused.value.code == "scope_missing"
        revoked = await tokens.revoke_token(session, await tokens.authenticate(session, deciding), theirs.id)
    assert revoked.revoked_at is not None
