"""A browser between the portal and Keycloak: follows links, fills Keycloak's form, and stops where a test wants to look."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape

import httpx2
from litestar import Litestar

from tests.asgi import into
from tests.keycloak.realm import PASSWORD, PORTAL

_FORM = re.compile(r'<form[^>]*\baction="([^"]+)"', re.IGNORECASE)
_HIDDEN = re.compile(r'<input[^>]*\bname="(\w+)"[^>]*\bvalue="([^"]*)"', re.IGNORECASE)


class Loopback(httpx2.AsyncHTTPTransport):
    """Browsers send Secure cookies to loopback without TLS too; Python's cookie jar does not."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await super().handle_async_request(request)
        heads = [
            (name, re.sub(rb";\s*secure", b"", value, flags=re.IGNORECASE) if name.lower() == b"set-cookie" else value)
            for name, value in answer.headers.raw
        ]
        answer.headers = httpx2.Headers(heads)
        return answer


@dataclass(frozen=True)
class Posted:
    """A form that Keycloak's page posts by itself."""

    address: str
    fields: dict[str, str]


@dataclass
class Browser:
    """One browser: cookies of the portal and of Keycloak."""

    portal: httpx2.AsyncClient
    keycloak: httpx2.AsyncClient

    async def get(self, path: str) -> httpx2.Response:
        return await self.portal.get(path.removeprefix(PORTAL))

    async def at_keycloak(self, address: str, username: str, password: str = PASSWORD) -> httpx2.Response:
        """Keycloak's last answer before the browser leaves it: its form is filled where it asks."""
        answer = await self.keycloak.get(address)
        if "kc-form-login" in answer.text:
            action = form_of(answer)
            answer = await self.keycloak.post(action, data={"username": username, "password": password})
        while answer.is_redirect and not answer.headers["location"].startswith(PORTAL):
            answer = await self.keycloak.get(answer.headers["location"])
        return answer

    async def code(self, username: str = "kim", start: str = "/sso/oidc/start") -> str:
        """The address with the code that Keycloak sends the browser back to."""
        left = await self.get(start)
        assert left.status_code == 303, left.text
        answer = await self.at_keycloak(left.headers["location"], username)
        assert answer.is_redirect, answer.text
        return str(answer.headers["location"])

    async def assertion(self, username: str = "kim", start: str = "/sso/saml/start") -> Posted:
        """The form with the assertion that Keycloak's page would post."""
        left = await self.get(start)
        assert left.status_code == 303, left.text
        return posted(await self.at_keycloak(left.headers["location"], username))

    async def post(self, form: Posted) -> httpx2.Response:
        """As another site's page does: without the portal's cookies (SameSite=Lax)."""
        async with httpx2.AsyncClient(transport=self.portal._transport, base_url=PORTAL) as bare:
            return await bare.post(form.address.removeprefix(PORTAL), data=form.fields)

    async def by_oidc(self, username: str = "kim", goal: str = "/") -> httpx2.Response:
        """The whole way: the portal's answer to the code."""
        return await self.get(await self.code(username, f"/sso/oidc/start?next={goal}"))

    async def by_saml(self, username: str = "kim", goal: str = "/") -> httpx2.Response:
        """The whole way: the portal's answer to the browser that comes for its session."""
        answer = await self.post(await self.assertion(username, f"/sso/saml/start?next={goal}"))
        return await self.get(answer.headers["location"]) if answer.is_redirect else answer


def form_of(page: httpx2.Response) -> str:
    found = _FORM.search(page.text)
    assert found is not None, page.text
    return unescape(found.group(1))


def posted(page: httpx2.Response) -> Posted:
    return Posted(form_of(page), {name: unescape(value) for name, value in _HIDDEN.findall(page.text)})


@asynccontextmanager
async def browser_of(app: Litestar) -> AsyncIterator[Browser]:
    async with (
        httpx2.AsyncClient(transport=into(app), base_url=PORTAL, headers={"Accept-Language": "en"}) as portal,
        httpx2.AsyncClient(timeout=30, transport=Loopback()) as keycloak,
    ):
        yield Browser(portal, keycloak)
