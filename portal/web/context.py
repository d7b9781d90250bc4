"""What handlers are given: the transaction of the request, who asks, settings, language, and the page of a list."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.engine import transaction
from portal.services.audit import Actor
from portal.services.sitesettings import effective
from portal.settings import Settings
from portal.web.frame import Frame, provide_frame
from portal.web.language import Language, language_of

MAX_PAGE_SIZE = 200
Session = NamedDependency[AsyncSession]
"""The transaction of the request: committed before the answer is sent, rolled back on any error."""
Asker = NamedDependency[Actor]
"""Who the guard found out."""
SiteSettings = NamedDependency[Settings]
"""As admins have them now."""
SettingsFile = NamedDependency[Settings]
"""As the file has them: for what needs no transaction, and for changing them."""
InLanguage = NamedDependency[Language]
PageFrame = NamedDependency[Frame]
"""The site around a page; only routes of pages have it."""
FormData = NamedDependency[dict[str, str]]
"""The fields of a posted form; of several values with one name the last (all of them: `await request.form()`)."""
PageNumber = Annotated[int, QueryParameter(ge=1, le=1_000_000, description="Which page, from 1.")]
PageSize = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE_SIZE, description="Rows a page.")]


async def _session(state: State) -> AsyncGenerator[AsyncSession, None]:
    async with transaction(state.sessions) as session:
        yield session


async def _actor(request: Request[Actor, Any, State]) -> Actor:
    return request.user


async def _settings(state: State, session: Session) -> Settings:
    """The file's, with what admins have changed."""
    return await effective(session, state.settings)


async def _settings_file(state: State) -> Settings:
    settings: Settings = state.settings
    return settings


async def _language(request: Request[Any, Any, State]) -> Language:
    return language_of(request.headers.get("accept-language", ""))


async def _fields(request: Request[Any, Any, State]) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).multi_items() if isinstance(value, str)}


DEPENDENCIES = {
    "session": Provide(_session),
    "actor": Provide(_actor),
    "settings": Provide(_settings),
    "settings_file": Provide(_settings_file),
    "language": Provide(_language),
    "frame": Provide(provide_frame),
    "fields": Provide(_fields),  # not "form": that is a query parameter of the plan
}


def page_document(items: list[dict[str, Any]], page: int, size: int, total: int) -> dict[str, Any]:
    """A page of a list: `items`, where they lie and how many there are."""
    return {"items": items, "page": page, "size": size, "total": total}
