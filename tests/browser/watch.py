"""What a browser must never see while somebody walks: a script's error, a blocked resource, an answer of 500 and above."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

SERVER_ERROR = 500
CLIENT_ERROR = 400
LEFT = "net::ERR_ABORTED"
"""What a page still asked for when it was left, such as its stream of events."""
STATUS_SAID_TWICE = "Failed to load resource"
"""The console repeats every status of 400 and above; here the response itself is judged."""
ABORTED = ("htmx:sendAbort", "htmx:afterRequest")
"""htmx reports a request that its page was left in the middle of; one that failed is an "htmx:sendError" besides."""
PARTS_OF_A_PAGE = {"script", "stylesheet", "font", "image"}


@dataclass
class Watch:
    """Troubles of one context, in order; `allow` names what the test itself brings about."""

    troubles: list[str] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        """Troubles that this matches are expected from here on."""
        self.allowed.append(re.compile(pattern))

    def over(self, context: BrowserContext) -> Watch:
        """Watch all pages of a context."""
        context.on("console", self._console)
        context.on("weberror", self._script)
        context.on("response", self._response)
        context.on("requestfailed", self._failed)
        return self

    def _note(self, trouble: str) -> None:
        if not any(pattern.search(trouble) for pattern in self.allowed):
            self.troubles.append(trouble)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith((STATUS_SAID_TWICE, *ABORTED)):
            self._note(f"console: {message.text} ({message.location.get('url', '')})")

    def _script(self, error: WebError) -> None:
        self._note(f"script: {error.error}")

    def _response(self, response: Response) -> None:
        is_part = response.request.resource_type in PARTS_OF_A_PAGE
        if response.status >= (CLIENT_ERROR if is_part else SERVER_ERROR):
            self._note(f"answer: {response.status} of {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        if LEFT not in (request.failure or ""):
            self._note(f"request: {request.method} {request.url}: {request.failure}")
