"""Language and theme: kept in a cookie for the browser, and with the account of whoever is signed in."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, post

from portal.services import preferences
from portal.web import cookies
from portal.web.context import FormData, Session, SiteSettings
from portal.web.pageguards import either, visitor_here
from portal.web.pages.answers import own_path, to

Asked = Request[Any, Any, Any]


@post("/preferences/language", guards=[either], include_in_schema=False)
async def set_language(request: Asked, session: Session, settings: SiteSettings, fields: FormData) -> Response[None]:
    """Speak this language from now on, and go back to where one was."""
    language = preferences.known_language(fields.get("language", ""))
    visitor = visitor_here(request)
    if visitor is not None:
        await preferences.change(session, visitor.actor, language=language)
    kept = [cookies.remembered(settings, cookies.LANGUAGE, language)]
    return to(request, own_path(fields.get("back", "/")), set_cookies=kept)


@post("/preferences/theme", guards=[either], include_in_schema=False)
async def set_theme(request: Asked, session: Session, settings: SiteSettings, fields: FormData) -> Response[None]:
    """Light, dark, or as the browser says."""
    theme = preferences.known_theme(fields.get("theme", ""))
    visitor = visitor_here(request)
    if visitor is not None:
        await preferences.change(session, visitor.actor, theme=theme)
    kept = [cookies.remembered(settings, cookies.THEME, theme)]
    return to(request, own_path(fields.get("back", "/")), set_cookies=kept)


ROUTES = [set_language, set_theme]
