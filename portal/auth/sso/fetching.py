"""Asks an identity provider over HTTP: short timeouts, no redirects, answers of a sane size."""

from __future__ import annotations

from typing import Any

import httpx2

from portal.auth.sso.refusal import ProviderAway

TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 1024 * 1024


class Fetcher:
    """One client for all requests to a provider; `allow_http` permits addresses without TLS."""

    def __init__(self, *, allow_http: bool, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._allow_http = allow_http
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, transport=transport)

    async def get(self, url: str) -> httpx2.Response:
        """The answer to a GET, which is 200. Raises ProviderAway."""
        answer = await self._ask("GET", url)
        if answer.status_code != httpx2.codes.OK:
            raise ProviderAway(f"{url}: {answer.status_code}")
        return answer

    async def json(self, url: str) -> dict[str, Any]:
        """The JSON object at this address. Raises ProviderAway."""
        try:
            found = (await self.get(url)).json()
        except ValueError as error:
            raise ProviderAway(f"{url}: not JSON") from error
        if not isinstance(found, dict):
            raise ProviderAway(f"{url}: not a JSON object")
        return found

    async def post(self, url: str, data: dict[str, str], auth: tuple[str, str] | None) -> httpx2.Response:
        """The answer to a posted form, whatever it is short of a fault of the server. Raises ProviderAway."""
        answer = await self._ask("POST", url, data=data, auth=auth)
        if answer.is_server_error:
            raise ProviderAway(f"{url}: {answer.status_code}")
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, url: str, **more: Any) -> httpx2.Response:
        if not url.startswith("https://") and not (self._allow_http and url.startswith("http://")):
            raise ProviderAway(f"{url}: not https (allow_http is off)")
        try:
            answer = await self._client.request(method, url, **more)
        except httpx2.HTTPError as error:
            raise ProviderAway(f"{url}: {error or type(error).__name__}") from error
        if len(answer.content) > MAX_ANSWER_BYTES:
            raise ProviderAway(f"{url}: an answer of {len(answer.content)} bytes")
        return answer
