"""One OpenID Connect provider: where to send a browser, what its code is worth, whether a person still is one.

Source: OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0; RFC 7636 (PKCE), RFC 9207 (`iss` of the answer).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from portal.auth.sso import tokens
from portal.auth.sso.fetching import Fetcher
from portal.auth.sso.keys import KeyRing
from portal.auth.sso.refusal import NotBelieved, ProviderAway
from portal.auth.sso.tokens import Expected
from portal.domain.ssorules import Asserted
from portal.services.ssoflows import Flow
from portal.settings import Oidc

METADATA_FRESH_S = 3600.0
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Answered:
    """A person whom the provider vouches for, and what asks it again."""

    asserted: Asserted
    sid: str
    id_token: str
    refresh_token: str


class OidcProvider:
    """The provider of the settings; `secret` "" is a public client, which PKCE alone protects."""

    def __init__(
        self,
        oidc: Oidc,
        secret: str,
        fetcher: Fetcher,
        redirect_uri: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._oidc, self._secret, self._fetcher, self._redirect_uri = oidc, secret, fetcher, redirect_uri
        self._clock = clock
        self._expected = Expected(oidc.issuer, oidc.client_id)
        self._metadata: dict[str, Any] | None = None
        self._metadata_at = 0.0
        self._keys = KeyRing(self._fetch_keys, clock)

    async def metadata(self, *, older_than_s: float = METADATA_FRESH_S) -> dict[str, Any]:
        """What the provider says of itself, asked again when older. Raises ProviderAway, also when it claims another name."""
        if self._metadata is None or self._clock() - self._metadata_at > older_than_s:
            found = await self._fetcher.json(f"{self._oidc.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self._oidc.issuer or not all(isinstance(found.get(key), str) for key in NEEDED):
                raise ProviderAway(f"discovery: issuer {found.get('issuer')!r} instead of {self._oidc.issuer!r}")
            self._metadata, self._metadata_at = found, self._clock()
        return self._metadata

    async def address(self, flow: Flow) -> str:
        """Where to send the browser. Raises ProviderAway."""
        asked = {
            "response_type": "code",
            "client_id": self._oidc.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._oidc.scopes),
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": create_s256_code_challenge(flow.verifier),
            "code_challenge_method": "S256",
        }
        return _with_query((await self.metadata())["authorization_endpoint"], asked)

    async def answered(self, flow: Flow, query: Mapping[str, str]) -> Answered:
        """Whom the answer to this flow proves. Raises NotBelieved, ProviderAway."""
        if query.get("error") or not query.get("code"):
            raise NotBelieved(f"the provider said {query.get('error', 'nothing')[:64]!r}")
        if query.get("iss", self._oidc.issuer) != self._oidc.issuer:
            raise NotBelieved("an answer of another issuer")
        got = await self._tokens(
            grant_type="authorization_code",
            code=query["code"],
            redirect_uri=self._redirect_uri,
            code_verifier=flow.verifier,
        )
        return await self._read(got, nonce=flow.nonce)

    async def again(self, refresh_token: str, subject: str) -> Answered:
        """The same person, if the provider still vouches for one. Raises NotBelieved (not any more), ProviderAway."""
        got = await self._tokens(grant_type="refresh_token", refresh_token=refresh_token)
        answered = await self._read({"refresh_token": refresh_token, **got}, nonce=None)
        if answered.asserted.subject != subject:
            raise NotBelieved("another person's token")
        return answered

    async def ended(self, logout_token: str) -> tuple[str, str]:
        """Subject and session id ("" without) that the provider says have ended. Raises NotBelieved, ProviderAway."""
        claims = await tokens.logout_token(logout_token, self._keys, self._expected)
        return str(claims.get("sub") or ""), str(claims.get("sid") or "")

    async def logout_address(self, id_token: str, back: str) -> str | None:
        """Where the provider's own session ends; None when it names no such place. Raises ProviderAway."""
        place = (await self.metadata()).get("end_session_endpoint")
        if not isinstance(place, str):
            return None
        return _with_query(
            place, {"id_token_hint": id_token, "client_id": self._oidc.client_id, "post_logout_redirect_uri": back}
        )

    async def _fetch_keys(self) -> dict[str, Any]:
        return await self._fetcher.json((await self.metadata())["jwks_uri"])

    async def _tokens(self, **asked: str) -> dict[str, Any]:
        """What the token endpoint gives for this. Raises NotBelieved (its 4xx), ProviderAway."""
        # RFC 6749 section 2.3.1: both are form-encoded before they become a Basic header.
        auth = (quote(self._oidc.client_id, safe=""), quote(self._secret, safe="")) if self._secret else None
        if auth is None:
            asked["client_id"] = self._oidc.client_id
        answer = await self._fetcher.post((await self.metadata())["token_endpoint"], asked, auth)
        try:
            found = answer.json()
        except ValueError as error:
            raise ProviderAway("token endpoint: not JSON") from error
        if not isinstance(found, dict):
            raise ProviderAway("token endpoint: not a JSON object")
        if answer.status_code != 200:
            why = str(found.get("error", answer.status_code))[:64]
            if why in ("invalid_client", "unauthorized_client"):
                # Our own secret is wrong, which says nothing about the person.
                raise ProviderAway(f"token endpoint: {why}: check sso.oidc.client_id and oidc_client_secret")
            raise NotBelieved(f"token endpoint: {why}")
        return found

    async def _read(self, got: Mapping[str, Any], *, nonce: str | None) -> Answered:
        value = got.get("id_token")
        if not isinstance(value, str):
            raise NotBelieved("no ID token")
        access_token = str(got.get("access_token") or "")
        claims = await tokens.id_token(value, self._keys, self._expected, nonce=nonce, access_token=access_token)
        refresh_token = got.get("refresh_token")
        return Answered(
            self._asserted(claims),
            sid=str(claims.get("sid") or ""),
            id_token=value,
            refresh_token=refresh_token if isinstance(refresh_token, str) else "",
        )

    def _asserted(self, claims: Mapping[str, Any]) -> Asserted:
        texts = {name: texts_of(value) for name, value in claims.items()}
        username = texts.get(self._oidc.username_claim, ())
        if len(username) != 1:
            raise NotBelieved(f"no claim {self._oidc.username_claim!r} with the user's name")
        email = texts.get("email", ("",))[0] if claims.get("email_verified", True) is True else ""
        return Asserted(
            provider="oidc",
            issuer=self._oidc.issuer,
            subject=str(claims["sub"]),
            username=username[0],
            display_name=" ".join(texts.get("name", ())),
            email=email,
            groups=texts.get(self._oidc.groups_claim, ()),
            claims=texts,
        )


def texts_of(value: object) -> tuple[str, ...]:
    """A claim's value or values as texts; objects inside are left out."""
    values = value if isinstance(value, list) else [value]
    return tuple(str(item) for item in values if isinstance(item, (str, int, float)))


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"
