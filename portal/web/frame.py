"""What surrounds every page: who looks, in which language, theme and zone, the navigation, and the cluster at a glance."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from litestar import Request
from litestar.datastructures import Cookie, State

from portal.auth.browser import Visitor, form_token
from portal.services.glance import Glance
from portal.settings import Settings
from portal.web import cookies
from portal.web.bell import Bell, bell_of
from portal.web.cookies import Connection
from portal.web.formats import Formats, formats
from portal.web.language import DEFAULT, Language
from portal.web.navigation import Entry, navigation
from portal.web.pageguards import visitor_here
from portal.web.paths import own_path
from portal.web.requestid import request_id_of

Theme = Literal["", "light", "dark"]
"""Without a choice the browser's own."""
ROWS_PER_PAGE = 50


@dataclass(frozen=True)
class Frame:
    """The site around a page; `visitor` is None before the sign-in."""

    language: Language
    theme: Theme
    formats: Formats
    path: str
    query: str
    visitor: Visitor | None
    form_token: str
    request_id: str
    htmx: bool
    groups: tuple[tuple[Entry, ...], ...] = ()
    glance: Glance = field(default_factory=Glance)
    bell: Bell = field(default_factory=Bell)
    toast: str = ""
    undo: str = ""
    """The address that takes back what the toast says; "" where nothing can be."""
    toast_shown: Cookie | None = None
    """Takes the toast's cookie away with the page that shows it."""

    def before_sign_in(self, token: str) -> Frame:
        """With the form token of a visit that begins with this very answer."""
        return replace(self, form_token=token)

    @property
    def rows_per_page(self) -> int:
        """How many rows of a table this person wants to see at once."""
        return self.visitor.rows_per_page if self.visitor else ROWS_PER_PAGE

    @property
    def here(self) -> str:
        """The address of this page with its query, to come back to."""
        return f"{self.path}?{self.query}" if self.query else self.path


def frame_of(request: Request[Any, Any, Any], glance: Glance | None = None) -> Frame:
    """The frame of a request; nothing is asked of the database."""
    visitor = visitor_here(request)
    settings: Settings = request.app.state.settings
    language = language_here(request)
    secret = cookies.read(request, cookies.SESSION if visitor else cookies.VISIT)
    paths: frozenset[str] = request.app.state.page_paths
    toast, _, undo = cookies.read(request, cookies.TOAST).partition("\n")  # the framework has taken the quoting off
    return Frame(
        language=language,
        theme=_theme(request, visitor),
        formats=formats(language, (visitor.time_zone if visitor else "") or settings.web.time_zone),
        path=request.url.path,
        query=request.url.query,
        visitor=visitor,
        form_token=form_token(secret) if secret else "",
        request_id=request_id_of(request.scope),
        htmx=request.headers.get("hx-request") == "true",
        groups=navigation(visitor.actor.role, paths) if visitor else (),
        glance=glance or Glance(),
        toast=toast,
        undo=own_path(undo, otherwise=""),
        toast_shown=cookies.forget(settings, cookies.TOAST) if toast else None,
    )


def language_here(connection: Connection) -> Language:
    """The person's setting, else the browser's cookie, else Korean."""
    visitor = visitor_here(connection)
    chosen = (visitor.language if visitor else "") or cookies.read(connection, cookies.LANGUAGE)
    return cast(Language, chosen) if chosen in ("ko", "en") else DEFAULT


def _theme(connection: Connection, visitor: Visitor | None) -> Theme:
    chosen = visitor.theme if visitor else cookies.read(connection, cookies.THEME)
    return cast(Theme, chosen) if chosen in ("light", "dark") else ""


async def provide_frame(request: Request[Any, Any, State], state: State) -> Frame:
    """The frame of a page: with the cluster's numbers, the bell and the counts of the navigation when somebody is signed in."""
    visitor = visitor_here(request)
    if visitor is None:
        return frame_of(request)
    frame = frame_of(request, await state.glances.look(visitor.actor))
    async with state.sessions() as session:
        return replace(frame, bell=await bell_of(session, visitor.actor, frame.language))
