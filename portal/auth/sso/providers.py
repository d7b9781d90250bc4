"""The site's identity providers, made of its settings once a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import httpx2
import structlog

from portal.auth.sso.fetching import Fetcher
from portal.auth.sso.oidc import OidcProvider
from portal.auth.sso.refusal import ProviderAway
from portal.auth.sso.saml import SamlProvider
from portal.settings import Settings

ANSWER_FRESH_S = 30.0
"""How long the sign-in page believes what it last saw of a provider."""
PATIENCE_S = 2.0
"""How long the sign-in page waits for one."""
_log = structlog.get_logger("portal.auth")


@dataclass(frozen=True)
class Door:
    """A provider's button on the sign-in page; `open` is False when it does not answer."""

    key: str
    name: str
    open: bool


class Providers:
    """What of OIDC and SAML the site has; `transport` and `clock` (seconds) are given by tests."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        base, sso = settings.web.public_url.rstrip("/"), settings.sso
        self._fetchers: list[Fetcher] = []
        self.oidc: OidcProvider | None = None
        self.saml: SamlProvider | None = None
        self._names: dict[str, str] = {}
        self._seen: dict[str, tuple[float, bool]] = {}
        if sso.oidc is not None:
            secret = settings.oidc_client_secret.get_secret_value()
            fetcher = self._fetcher(sso.oidc.allow_http, transport)
            self.oidc = OidcProvider(sso.oidc, secret, fetcher, f"{base}/sso/oidc/callback", clock)
            self._names["oidc"] = sso.oidc.name
        if sso.saml is not None:
            entity_id = sso.saml.entity_id or f"{base}/sso/saml/metadata"
            fetcher = self._fetcher(sso.saml.allow_http, transport)
            self.saml = SamlProvider(sso.saml, fetcher, entity_id, f"{base}/sso/saml/acs", clock)
            self._names["saml"] = sso.saml.name

    def _fetcher(self, allow_http: bool, transport: httpx2.AsyncBaseTransport | None) -> Fetcher:
        self._fetchers.append(Fetcher(allow_http=allow_http, transport=transport))
        return self._fetchers[-1]

    async def doors(self) -> tuple[Door, ...]:
        """The buttons of the sign-in page; providers that were not asked lately are asked, all at once."""
        async with anyio.create_task_group() as group:
            for key in self._names:
                group.start_soon(self._look, key)
        return tuple(Door(key, name, self._seen[key][1]) for key, name in self._names.items())

    async def close(self) -> None:
        """Close the connections."""
        for fetcher in self._fetchers:
            await fetcher.close()

    async def _look(self, key: str) -> None:
        at, _ = self._seen.get(key, (float("-inf"), False))
        if self._clock() - at < ANSWER_FRESH_S:
            return
        answers = False
        try:
            with anyio.move_on_after(PATIENCE_S):
                await self._reached(key)
                answers = True
        except ProviderAway as error:
            _log.warning("identity provider away", provider=key, why=error.why)
        self._seen[key] = (self._clock(), answers)

    async def _reached(self, key: str) -> None:
        if key == "oidc" and self.oidc is not None:
            await self.oidc.metadata(older_than_s=ANSWER_FRESH_S)
        elif self.saml is not None:
            await self.saml.client(older_than_s=ANSWER_FRESH_S)
