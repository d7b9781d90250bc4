"""The way of a sign-in by a provider: the browser leaves, comes back once, and gets a session of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from portal.auth.sso.oidc import Answered
from portal.auth.sso.providers import Providers
from portal.auth.sso.refusal import NotBelieved, ProviderAway
from portal.auth.sso.saml import Vouched
from portal.db.engine import Sessions, transaction
from portal.db.models import SsoFlow, User, now
from portal.domain.ssorules import Asserted
from portal.services import browsersessions, identities, ssoflows, ssosessions
from portal.services.audit import Action, Actor, record
from portal.services.browsersessions import Origin
from portal.services.errors import Conflict, NotFound, ServiceError
from portal.services.ssoflows import Flow
from portal.settings import Settings

OIDC, SAML = "oidc", "saml"
_NAME_CHARS = 64


@dataclass(frozen=True)
class Visit:
    """From where the browser asks, and which sign-in its cookie says it began."""

    cookie: str
    address: str
    browser: str
    request_id: str


@dataclass(frozen=True)
class Departure:
    """Where to send the browser, and the cookie that it must bring back."""

    address: str
    cookie: str


@dataclass(frozen=True)
class Arrival:
    """The new session's cookie, whose it is, and where the person wanted to go."""

    cookie: str
    user: User
    goal: str


@dataclass
class Attempt:
    """A sign-in under way: whom it concerns, as soon as that is proven."""

    username: str = "?"


class SignIns:
    """Sign-in by the site's providers, on its database."""

    def __init__(self, maker: Sessions, settings: Settings, providers: Providers) -> None:
        self._maker, self._settings, self._providers = maker, settings, providers

    async def leave(self, provider: str, goal: str, address: str) -> Departure:
        """Send the browser to a provider. Raises NotFound (the site has none of that kind), ProviderAway, TooMany."""
        flow = ssoflows.new_flow()
        request_id = ""
        if provider == OIDC and self._providers.oidc is not None:
            place = await self._providers.oidc.address(flow)
        elif provider == SAML and self._providers.saml is not None:
            place, request_id = await self._providers.saml.address(flow.state)
        else:
            raise NotFound("sign-in service", provider)
        async with transaction(self._maker) as session:
            await ssoflows.begin(session, flow, provider=provider, goal=goal, address=address, request_id=request_id)
        return Departure(place, flow.cookie)

    async def come_back(self, query: Mapping[str, str], visit: Visit) -> Arrival:
        """OIDC's answer. Raises Unauthenticated (NotBelieved and more), Conflict, Invalid, ProviderAway."""
        provider = self._providers.oidc
        if provider is None:
            raise NotFound("sign-in service", OIDC)
        async with self._refusals_audited(OIDC, visit) as attempt:
            flow, row = await self._end(OIDC, visit, query.get("state", ""))
            answered = await provider.answered(flow, query)
            attempt.username = answered.asserted.username
            return await self._arrive(answered.asserted, row, visit, kept=_kept(answered), sid=answered.sid)

    async def take_assertion(self, response: str, relay_state: str, visit: Visit) -> str:
        """SAML's answer, which comes without our cookies: kept for its browser, whose state this returns."""
        provider = self._providers.saml
        if provider is None:
            raise NotFound("sign-in service", SAML)
        async with self._refusals_audited(SAML, visit):
            async with transaction(self._maker) as session:
                row = await ssoflows.asked_for(session, provider=SAML, state=relay_state)
            vouched = await provider.vouched(response, row.request_id)
            async with transaction(self._maker) as session:
                await ssoflows.arrive(session, row, _document(vouched))
        return row.state

    async def collect(self, state: str, visit: Visit) -> Arrival:
        """The browser that began a sign-in by SAML comes for what arrived."""
        async with self._refusals_audited(SAML, visit) as attempt:
            _, row = await self._end(SAML, visit, state)
            if row.arrived is None:
                raise ssoflows.not_begun_here()
            vouched = _vouched(row.arrived)
            attempt.username = vouched.asserted.username
            return await self._arrive(vouched.asserted, row, visit, ends_at=vouched.ends_at)

    async def ended_there(self, logout_token: str, visit: Visit) -> int:
        """The provider ended sessions (back-channel logout): ours of the same end too. Raises NotBelieved, ProviderAway."""
        provider = self._providers.oidc
        if provider is None or self._settings.sso.oidc is None:
            raise NotFound("sign-in service", OIDC)
        subject, sid = await provider.ended(logout_token)
        issuer = self._settings.sso.oidc.issuer
        async with transaction(self._maker) as session:
            return await ssosessions.end_at_provider(session, actor_of(OIDC, visit), issuer, subject, sid)

    async def _end(self, provider: str, visit: Visit, state: str) -> tuple[Flow, SsoFlow]:
        """Committed before anything is asked: whatever comes of it, this answer was used."""
        async with transaction(self._maker) as session:
            return await ssoflows.end(session, provider=provider, cookie=visit.cookie, state=state)

    async def _arrive(
        self,
        asserted: Asserted,
        row: SsoFlow,
        visit: Visit,
        *,
        kept: str = "",
        sid: str = "",
        ends_at: datetime | None = None,
    ) -> Arrival:
        """A session for the account behind the identity, which the first time is made."""
        if not kept:
            soon = now() + timedelta(minutes=self._settings.sso.unconfirmed_session_min)
            ends_at = min(ends_at or soon, soon)
        try:
            async with transaction(self._maker) as session:
                known = await identities.known(session, self._settings, actor_of(asserted.provider, visit), asserted)
                origin = Origin(known.identity, sid, kept, ends_at)
                cookie = await self._begin(session, known.user, visit, origin)
        except IntegrityError as error:  # the same person for the first time in two browsers at once
            raise Conflict(
                "sso_twice",
                "You are signing in somewhere else at this moment. Start again.",
                "다른 곳에서 동시에 로그인하고 있습니다. 다시 시작하세요.",
            ) from error
        return Arrival(cookie, known.user, row.goal)

    async def _begin(self, session: AsyncSession, user: User, visit: Visit, origin: Origin) -> str:
        cookie = await browsersessions.begin(
            session, user, address=visit.address, browser=visit.browser, settings=self._settings, origin=origin
        )
        actor = Actor(user.username, user.id, user.role, address=visit.address, request_id=visit.request_id)
        facts = {"by": origin.identity.provider, "issuer": origin.identity.issuer}
        record(session, actor, Action.SIGN_IN, "user", user.username, after=facts)
        return cookie

    @asynccontextmanager
    async def _refusals_audited(self, provider: str, visit: Visit) -> AsyncIterator[Attempt]:
        """Whatever a sign-in is refused for leaves a row, although the answer is an error."""
        attempt = Attempt()
        try:
            yield attempt
        except ServiceError as error:
            why = error.why if isinstance(error, NotBelieved | ProviderAway) else error.code
            async with transaction(self._maker) as session:
                facts = {"why": why, "by": provider}
                name = attempt.username[:_NAME_CHARS]
                record(session, actor_of(provider, visit), Action.SIGN_IN, "user", name, after=facts, result="refused")
            raise


def actor_of(provider: str, visit: Visit) -> Actor:
    """The part of the portal that acts on what a provider says."""
    return Actor(f"sso-{provider}", address=visit.address, request_id=visit.request_id)


def _kept(answered: Answered) -> str:
    if not answered.refresh_token:
        return ""
    return json.dumps({"refresh_token": answered.refresh_token, "id_token": answered.id_token})


def _document(vouched: Vouched) -> dict[str, object]:
    ends_at = vouched.ends_at.timestamp() if vouched.ends_at else None
    return {**asdict(vouched.asserted), "ends_at": ends_at}


def _vouched(document: Mapping[str, object]) -> Vouched:
    facts = dict(document)
    ends_at = facts.pop("ends_at")
    facts["groups"] = tuple(facts["groups"])  # type: ignore[arg-type]
    facts["claims"] = {name: tuple(values) for name, values in facts["claims"].items()}  # type: ignore[attr-defined]
    moment = datetime.fromtimestamp(ends_at, UTC) if isinstance(ends_at, (int, float)) else None
    return Vouched(Asserted(**facts), moment)  # type: ignore[arg-type]
