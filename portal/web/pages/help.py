"""P27: short topics in both languages, for everybody, also before the sign-in."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import FromPath

from portal.services.errors import NotFound, Unauthenticated
from portal.web.catalogue import N_
from portal.web.frame import Frame, provide_frame
from portal.web.pageguards import find_visitor
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]
TOPICS: Final = (
    ("getting-started", N_("Getting started")),
    ("approval", N_("Approval and tests")),
    ("states", N_("What the states mean")),
    ("waiting", N_("Why a workload waits")),
    ("cli", N_("Command line")),
    ("api", "API"),
    ("keyboard", N_("Keyboard")),
    ("contact", N_("Whom to ask")),
)
"""The topics in their order: the name in the address, which is the name of the template too, and the title (msgid)."""


@dataclass(frozen=True)
class HelpPage(PageContext):
    """P27; `text` is the topic's template in the reader's language."""

    template: ClassVar[str] = "help/help.html"
    nav: ClassVar[str] = "help"
    topic: str
    title: str
    text: str
    site: str
    topics: tuple[tuple[str, str], ...] = TOPICS


@get("/help", include_in_schema=False)
async def first_topic(request: Asked, state: State) -> Response[str]:
    """P27, the first topic."""
    return await _shown(request, state, TOPICS[0][0])


@get("/help/{topic:str}", include_in_schema=False)
async def one_topic(request: Asked, state: State, topic: FromPath[str]) -> Response[str]:
    """P27, one topic. Raises NotFound."""
    return await _shown(request, state, topic)


async def _shown(request: Asked, state: State, topic: str) -> Response[str]:
    title = dict(TOPICS).get(topic)
    if title is None:
        raise NotFound("help", topic)
    frame = await _frame(request, state)
    text = f"help/{frame.language}/{topic}.html"
    return shown(frame, HelpPage(topic, title, text, state.settings.web.public_url))


async def _frame(request: Asked, state: State) -> Frame:
    """With the navigation of whoever is signed in; an ended session is nobody's, not an error."""
    with suppress(Unauthenticated):
        await find_visitor(request)
    return await provide_frame(request, state)


ROUTES = [first_topic, one_topic]
