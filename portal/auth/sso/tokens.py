"""Checks what a provider signed: signature by one of its keys, issuer, audience, time, nonce; nothing else is believed."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError

from portal.auth.sso.keys import KeyRing
from portal.auth.sso.refusal import NotBelieved

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Public keys only: a token signed with the client's secret, or not at all, proves nothing here."""
LEEWAY_S = 60
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_TOKEN_CHARS = 64 * 1024


@dataclass(frozen=True)
class Expected:
    """Who must have issued a token, and for whom."""

    issuer: str
    client_id: str


async def id_token(
    value: str, keys: KeyRing, expected: Expected, *, nonce: str | None, access_token: str = ""
) -> dict[str, Any]:
    """The claims of an ID token; `nonce` None is a refreshed one, which has none to compare. Raises NotBelieved, ProviderAway.

    Source: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
    """
    header, claims = await _signed(value, keys)
    params = {"client_id": expected.client_id, "nonce": nonce, "access_token": access_token}
    _demand(claims, header, expected, params)
    return claims


async def logout_token(value: str, keys: KeyRing, expected: Expected) -> dict[str, Any]:
    """The claims of a logout token: whose sessions (`sub`), or which (`sid`), the provider ended. Raises NotBelieved.

    Source: https://openid.net/specs/openid-connect-backchannel-1_0.html#Validation
    """
    header, claims = await _signed(value, keys)
    _demand({"sub": "of no matter", **claims}, header, expected, {"client_id": None})
    events = claims.get("events")
    if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in claims:
        raise NotBelieved("no logout token")
    if not (claims.get("sub") or claims.get("sid")):
        raise NotBelieved("a logout token of nobody")
    return claims


async def _signed(value: str, keys: KeyRing) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token whose signature is right."""
    if len(value) > MAX_TOKEN_CHARS:
        raise NotBelieved("a token without end")
    kid = _kid(value)
    try:
        token = jwt.decode(value, await keys.holding(kid), algorithms=list(ALGORITHMS))
    except (JoseError, ValueError) as error:
        raise NotBelieved(f"signature: {error}") from error
    return dict(token.header), dict(token.claims)


def _kid(value: str) -> str:
    """The id of the key that a token says it is signed with; nothing else of the unproven header is used."""
    try:
        head = value.split(".")[0]
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        return str(header["kid"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotBelieved("no signed token") from error


def _demand(claims: dict[str, Any], header: dict[str, Any], expected: Expected, params: dict[str, Any]) -> None:
    options = {
        "iss": {"essential": True, "value": expected.issuer},
        "aud": {"essential": True, "value": expected.client_id},
    }
    try:
        CodeIDToken(claims, header, options, params).validate(int(time.time()), LEEWAY_S)
    except (JoseError, TypeError, ValueError) as error:  # the latter two for values of a wrong kind
        raise NotBelieved(f"claims: {error}") from error
