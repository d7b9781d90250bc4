"""Asks the provider every few minutes whether whoever it vouched for still is one, and with which groups."""

from __future__ import annotations

import json

import structlog

from portal.auth.sso.oidc import Answered
from portal.auth.sso.providers import Providers
from portal.auth.sso.refusal import NotBelieved, ProviderAway
from portal.db.engine import Sessions, transaction
from portal.db.models import BrowserSession
from portal.services import browsersessions, identities, sealing, ssosessions
from portal.services.audit import Actor
from portal.services.errors import ServiceError
from portal.settings import Settings

_log = structlog.get_logger("portal.auth")


async def recheck(
    maker: Sessions, settings: Settings, providers: Providers, cookie: str, found: BrowserSession
) -> None:
    """Confirm a session that is due; its person's role and mapping follow. Raises Unauthenticated when it is over."""
    async with transaction(maker) as session:
        if not await ssosessions.claim(session, found):
            return
    actor = Actor("sso-oidc")
    try:
        answered = await _ask(providers, cookie, found)
        async with transaction(maker) as session:
            await identities.known(session, settings, actor, answered.asserted)
            kept = {"refresh_token": answered.refresh_token, "id_token": answered.id_token}
            await ssosessions.confirmed(session, found.id, sealing.seal(cookie, json.dumps(kept)))
    except ProviderAway as error:
        _log.warning("session not confirmed: provider away", user=found.user.username, why=error.why)
        async with transaction(maker) as session:
            if await ssosessions.not_answered(session, found, settings):
                return
            await ssosessions.end_here(session, actor, found.id, "provider away for too long")
        raise browsersessions.expired() from error
    except ServiceError as error:
        why = error.why if isinstance(error, NotBelieved) else error.code
        async with transaction(maker) as session:
            await ssosessions.end_here(session, actor, found.id, why)
        raise browsersessions.expired() from error


async def _ask(providers: Providers, cookie: str, found: BrowserSession) -> Answered:
    """Raises NotBelieved (not any more, or no provider is left to ask), ProviderAway."""
    opened = sealing.unseal(cookie, found.sealed or "")
    if opened is None or found.identity is None or providers.oidc is None:
        raise NotBelieved("nothing left to ask with")
    return await providers.oidc.again(json.loads(opened)["refresh_token"], found.identity.subject)


async def logout_address(providers: Providers, cookie: str, found: BrowserSession, back: str) -> str | None:
    """Where the provider's own session ends; None for a session that has none, or when the provider is away."""
    opened = sealing.unseal(cookie, found.sealed) if found.sealed else None
    if opened is None or providers.oidc is None:
        return None
    try:
        return await providers.oidc.logout_address(json.loads(opened)["id_token"], back)
    except ProviderAway as error:
        _log.warning("provider away at sign-out", why=error.why)
        return None
