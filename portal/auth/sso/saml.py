"""One SAML 2.0 identity provider: where to send a browser, and whom a signed assertion proves.

Source: SAML 2.0 profiles, section 4.1 (Web Browser SSO); pysaml2 reads the XML, the program xmlsec1 checks the signatures.
"""

from __future__ import annotations

import shutil
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio import to_thread

from portal.auth.sso.fetching import Fetcher
from portal.auth.sso.refusal import NotBelieved, ProviderAway
from portal.domain.ssorules import Asserted
from portal.settings import Saml

if TYPE_CHECKING:
    from saml2.client import Saml2Client
    from saml2.response import AuthnResponse

METADATA_FRESH_S = 3600.0
REFETCH_S = 30.0
"""Least time between two looks at the metadata because of an answer that could not be verified."""
MAX_RESPONSE_CHARS = 256 * 1024
CHECK_TIMEOUT_S = 10.0
LEEWAY_S = 60
_PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_log = structlog.get_logger("portal.auth")


@dataclass(frozen=True)
class Vouched:
    """A person whom an assertion proves, and when the provider's own session ends (None: it does not say)."""

    asserted: Asserted
    ends_at: datetime | None


class SamlProvider:
    """The provider of the settings; `entity_id` and `acs` are this portal's name and the address that gets the answers."""

    def __init__(
        self, saml: Saml, fetcher: Fetcher, entity_id: str, acs: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._saml, self._fetcher = saml, fetcher
        self.entity_id, self._acs = entity_id, acs
        self._clock = clock
        self._client: Saml2Client | None = None
        self._read_at = 0.0
        self._lock = anyio.Lock()

    async def client(self, *, older_than_s: float = METADATA_FRESH_S) -> Saml2Client:
        """The provider as its metadata describes it, read anew when it is older. Raises ProviderAway."""
        async with self._lock:
            if self._client is None or self._clock() - self._read_at > older_than_s:
                self._client = await to_thread.run_sync(self._made, await self._metadata())
                self._read_at = self._clock()
            return self._client

    async def address(self, relay_state: str) -> tuple[str, str]:
        """Where to send the browser, and the id of the request that the answer must name. Raises ProviderAway."""
        client = await self.client()
        (idp,) = client.metadata.identity_providers()
        request_id, sent = client.prepare_for_authenticate(
            entityid=idp, relay_state=relay_state, binding=_REDIRECT, response_binding=_POST
        )
        return str(dict(sent["headers"])["Location"]), str(request_id)

    async def vouched(self, response: str, request_id: str) -> Vouched:
        """Whom this answer to that request proves. Raises NotBelieved, ProviderAway.

        An answer that cannot be verified may be signed with the provider's new key: then its metadata is looked at again.
        """
        if len(response) > MAX_RESPONSE_CHARS:
            raise NotBelieved("an answer without end")
        client = await self.client()
        try:
            return await self._checked(client, response, request_id)
        except NotBelieved:
            fresh = await self.client(older_than_s=REFETCH_S)
            if fresh is client:
                raise
            return await self._checked(fresh, response, request_id)

    def description(self) -> str:
        """This portal's own metadata, for the provider's administrator."""
        from saml2.config import SPConfig
        from saml2.metadata import entity_descriptor

        return str(entity_descriptor(SPConfig().load(self._config())))

    async def _checked(self, client: Saml2Client, response: str, request_id: str) -> Vouched:
        with anyio.move_on_after(CHECK_TIMEOUT_S):
            return await to_thread.run_sync(self._check, client, response, request_id, abandon_on_cancel=True)
        raise NotBelieved(f"not verified within {CHECK_TIMEOUT_S:g} s")

    def _check(self, client: Saml2Client, response: str, request_id: str) -> Vouched:
        """pysaml2 raises whatever it meets, bare Exceptions among it: none of them is a yes."""
        try:
            b64decode(response, validate=True)
            found = client.parse_authn_request_response(response, _POST, outstanding={request_id: "/"})
        except Exception as error:
            raise NotBelieved(f"assertion: {type(error).__name__}: {error}"[:300]) from error
        if found is None or found.assertion is None or found.name_id is None:
            raise NotBelieved("no assertion for this portal")
        self._demand(client, found)
        return Vouched(self._asserted(found), _moment(found.session_not_on_or_after))

    def _demand(self, client: Saml2Client, found: AuthnResponse) -> None:
        """What pysaml2 lets pass: an assertion without audience, one of several, another issuer than the configured one."""
        (idp,) = client.metadata.identity_providers()
        assertion = found.assertion
        restrictions = (assertion.conditions.audience_restriction if assertion.conditions else None) or []
        audiences = {audience.text.strip() for each in restrictions for audience in each.audience if audience.text}
        if self.entity_id not in audiences:
            raise NotBelieved(f"for another audience: {sorted(audiences)}")
        if len(found.assertions) != 1 or assertion.issuer.text.strip() != idp:
            raise NotBelieved("not one assertion of the configured issuer")

    def _asserted(self, found: AuthnResponse) -> Asserted:
        claims = {name: tuple(str(value) for value in values) for name, values in found.ava.items()}
        saml = self._saml
        username = claims.get(saml.username_attribute, ())
        if len(username) != 1:
            raise NotBelieved(f"no attribute {saml.username_attribute!r} with the user's name")
        return Asserted(
            provider="saml",
            issuer=found.assertion.issuer.text.strip(),
            subject=found.name_id.text.strip(),
            username=username[0],
            display_name=" ".join(claims.get(saml.name_attribute, ())),
            email=claims.get(saml.email_attribute, ("",))[0],
            groups=claims.get(saml.groups_attribute, ()),
            claims=claims,
        )

    async def _metadata(self) -> str:
        if self._saml.metadata_file is not None:
            try:
                return await anyio.Path(self._saml.metadata_file).read_text()
            except OSError as error:
                raise ProviderAway(f"{self._saml.metadata_file}: {error}") from error
        return (await self._fetcher.get(self._saml.metadata_url)).text

    def _made(self, metadata: str) -> Saml2Client:
        from saml2.client import Saml2Client
        from saml2.config import SPConfig

        try:
            client = Saml2Client(SPConfig().load({**self._config(), "metadata": {"inline": [metadata]}}))
            idps = list(client.metadata.identity_providers())
        except Exception as error:
            raise ProviderAway(f"metadata: {type(error).__name__}: {error}"[:300]) from error
        if len(idps) != 1:
            raise ProviderAway(f"metadata: {len(idps)} identity providers, expected one")
        return client

    def _config(self) -> Mapping[str, Any]:
        program = shutil.which("xmlsec1")
        if program is None:
            raise ProviderAway("the program xmlsec1 is missing: install the package xmlsec1")
        return {
            "entityid": self.entity_id,
            "xmlsec_binary": program,
            "accepted_time_diff": LEEWAY_S,
            "allow_unknown_attributes": True,
            "only_use_keys_in_metadata": True,
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(self._acs, _POST)]},
                    "name_id_policy_format": _PERSISTENT,
                    "want_assertions_signed": True,
                    "want_response_signed": False,
                    "authn_requests_signed": False,
                    "allow_unsolicited": False,
                }
            },
        }


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
