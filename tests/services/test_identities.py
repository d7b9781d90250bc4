"""Accounts behind identities: linked or not, lifted and lowered, never against what was decided by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from sqlalchemy import select

from portal.db.engine import transaction
from portal.db.models import BrowserSession, Identity, now
from portal.domain.ssorules import Asserted
from portal.services import accounts, browsersessions, identities, passwords, sealing
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.browsersessions import Origin
from portal.services.errors import Conflict, Invalid, Unauthenticated
from portal.settings import Settings, Sso, SsoRule
from tests.daemon.world import ADMIN_TOOL, World

SSO = Actor("sso-oidc")
RULES = (
    SsoRule(group="admins", role="admin"),
    SsoRule(group="hpc", role="researcher", unix_user="u-{username}", slurm_account="lab"),
)


def asserted(username: str, *groups: str, subject: str = "") -> Asserted:
    return Asserted("oidc", "https://sso.example", subject or f"id of {username}", username, groups=tuple(groups))


def settings_of(world: World, *, link: bool = False, rules: Sequence[SsoRule] = RULES) -> Settings:
    sso = Sso(rules=tuple(rules), link_existing=link)
    return world.context.settings.model_copy(update={"sso": sso})


async def sign_in(world: World, person: Asserted, *, link: bool = False) -> tuple[str, str | None, bool]:
    """Role, Unix user, and whether the person waits, after a sign-in."""
    async with transaction(world.maker) as session:
        known = await identities.known(session, settings_of(world, link=link), SSO, person)
        return known.user.role, known.user.unix_user, known.identity.waiting


async def test_somebody_new_is_a_viewer_who_waits_and_the_rules_give_and_take(world: World) -> None:
    assert await sign_in(world, asserted("new")) == ("viewer", None, True)
    assert await sign_in(world, asserted("new", "hpc")) == ("researcher", "u-new", False)
    assert await sign_in(world, asserted("new")) == ("viewer", None, True)


async def test_an_account_with_a_password_is_never_linked(world: World) -> None:
    async with transaction(world.maker) as session:
        await passwords.put(await accounts.user_named(session, "boss"), "correct-horse-1", temporary=False)
    for link in (False, True):
        with pytest.raises(Conflict, match="boss"):
            await sign_in(world, asserted("boss"), link=link)
    with pytest.raises(Conflict, match="kim"):
        await sign_in(world, asserted("kim"))
    role, unix_user, _ = await sign_in(world, asserted("kim"), link=True)
    assert role == "researcher"
    assert unix_user is not None, "a mapping made by hand stays"
    with pytest.raises(Conflict, match="kim"):
        await sign_in(world, asserted("kim", subject="another person of this name"))


async def test_a_role_given_by_hand_is_never_lowered(world: World) -> None:
    await sign_in(world, asserted("new"))
    async with transaction(world.maker) as session:
        await accounts.change_user(session, ADMIN_TOOL, "new", role=Role.ADMIN)
    assert (await sign_in(world, asserted("new")))[0] == "admin"
    assert (await sign_in(world, asserted("new", "hpc")))[0] == "admin"


async def test_a_role_that_was_taken_and_given_again_by_hand_is_by_hand(world: World) -> None:
    await sign_in(world, asserted("new", "hpc"))
    async with transaction(world.maker) as session:
        await accounts.change_user(session, ADMIN_TOOL, "new", role=Role.VIEWER)
        await accounts.change_user(session, ADMIN_TOOL, "new", role=Role.RESEARCHER)
    assert (await sign_in(world, asserted("new")))[0] == "researcher"


async def test_the_last_admin_is_never_lowered_by_the_rules(world: World) -> None:
    await sign_in(world, asserted("new", "admins"))
    async with transaction(world.maker) as session:
        for user in await accounts.list_users(session, ADMIN_TOOL):
            if user.role == Role.ADMIN and user.username != "new":
                await accounts.change_user(session, ADMIN_TOOL, user.username, role=Role.VIEWER)
    assert (await sign_in(world, asserted("new")))[0] == "admin"


async def test_a_unix_user_of_somebody_else_is_not_given(world: World) -> None:
    async with transaction(world.maker) as session:
        await accounts.create_user(
            session, ADMIN_TOOL, username="holder", display_name="", role=Role.RESEARCHER,
            unix_user="u-new", slurm_account="lab",
        )  # fmt: skip
    assert await sign_in(world, asserted("new", "hpc")) == ("researcher", None, False)


async def test_names_that_no_account_can_have_are_refused_and_odd_texts_left_out(world: World) -> None:
    for name in ("", "root;id", "kim@lab.example", "../x", "a" * 33):
        with pytest.raises(Invalid):
            await sign_in(world, asserted(name))
    odd = Asserted("oidc", "https://sso.example", "odd", "odd", display_name="a\u202eb\n", email="no address")
    await sign_in(world, odd)
    async with world.maker() as session:
        user = await accounts.user_named(session, "odd")
        assert (user.display_name, user.email) == ("odd", "")


async def test_who_was_deactivated_stays_out(world: World) -> None:
    await sign_in(world, asserted("new", "hpc"))
    async with transaction(world.maker) as session:
        await accounts.deactivate(session, ADMIN_TOOL, "new")
    with pytest.raises(Unauthenticated):
        await sign_in(world, asserted("new", "admins"))


async def test_the_database_alone_opens_no_refresh_token(world: World) -> None:
    async with transaction(world.maker) as session:
        known = await identities.known(session, settings_of(world), SSO, asserted("new"))
        origin = Origin(known.identity, "sid", json.dumps({"refresh_token": "secret"}))
        cookie = await browsersessions.begin(
            session, known.user, address="", browser="", settings=world.context.settings, origin=origin
        )
    async with world.maker() as session:
        (row,) = await session.scalars(select(BrowserSession))
        assert row.sealed is not None
        assert "secret" not in row.sealed
        assert sealing.unseal("another cookie", row.sealed) is None
        assert json.loads(sealing.unseal(cookie, row.sealed) or "") == {"refresh_token": "secret"}
        (identity,) = await session.scalars(select(Identity))
        assert identity.trusted_until > now()
