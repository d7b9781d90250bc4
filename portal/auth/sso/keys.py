"""A provider's public keys: fetched when first needed, again when a token names one that is not known, never in a storm."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from portal.auth.sso.refusal import NotBelieved, ProviderAway

FRESH_S = 3600.0
"""Keys that the provider withdrew stop counting after this."""
REFETCH_S = 30.0
"""Least time between two fetches: anybody can send tokens that name unknown keys."""


class KeyRing:
    """The keys behind one JWKS address; `clock` counts seconds."""

    def __init__(
        self, fetch: Callable[[], Awaitable[dict[str, Any]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._tried_at = -REFETCH_S
        self._lock = anyio.Lock()

    async def holding(self, kid: str) -> KeySet:
        """The keys, the one of this id among them. Raises NotBelieved (no such key), ProviderAway (none could be had)."""
        async with self._lock:
            now = self._clock()
            stale = self._keys is None or now - self._fetched_at > FRESH_S
            if (stale or not self._has(kid)) and now - self._tried_at >= REFETCH_S:
                self._tried_at = now
                self._keys = await self._fetched()
                self._fetched_at = now
            elif stale:
                raise ProviderAway("the provider's keys could not be fetched a moment ago")
            if self._keys is None or not self._has(kid):
                raise NotBelieved(f"signed with a key that the provider does not show: {kid[:64]!r}")
            return self._keys

    def _has(self, kid: str) -> bool:
        return self._keys is not None and any(key.kid == kid for key in self._keys.keys)

    async def _fetched(self) -> KeySet:
        document = await self._fetch()
        try:
            return KeySet.import_key_set({"keys": [key for key in document["keys"] if key.get("use", "sig") == "sig"]})
        except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProviderAway(f"unreadable keys: {error}") from error
