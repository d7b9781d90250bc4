"""How a person wants pages: language, theme, time zone, single keys, rows a page."""

from __future__ import annotations

from zoneinfo import available_timezones

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import User
from portal.services.accounts import user_of
from portal.services.audit import Actor
from portal.services.errors import Invalid

LANGUAGES = ("ko", "en")
THEMES = ("system", "light", "dark")
ROWS = (25, 50, 100)


async def change(
    session: AsyncSession,
    actor: Actor,
    *,
    language: str | None = None,
    theme: str | None = None,
    time_zone: str | None = None,
    single_keys: bool | None = None,
    rows_per_page: int | None = None,
) -> User:
    """Keep what is given; None leaves as it is. One's own taste leaves no audit row. Raises Invalid."""
    user = await user_of(session, actor)
    if time_zone is not None and time_zone not in available_timezones():
        raise _unknown("time zone", "시간대")
    if rows_per_page is not None and rows_per_page not in ROWS:
        raise _unknown("number of rows", "행 수")
    user.language = user.language if language is None else known_language(language)
    user.theme = user.theme if theme is None else known_theme(theme)
    user.time_zone = user.time_zone if time_zone is None else time_zone
    user.single_keys = user.single_keys if single_keys is None else single_keys
    user.rows_per_page = user.rows_per_page if rows_per_page is None else rows_per_page
    return user


def known_language(text: str) -> str:
    """One of the two. Raises Invalid."""
    if text not in LANGUAGES:
        raise _unknown("language", "언어")
    return text


def known_theme(text: str) -> str:
    """`system`, `light` or `dark`. Raises Invalid."""
    if text not in THEMES:
        raise _unknown("theme", "테마")
    return text


def _unknown(english: str, korean: str) -> Invalid:
    return Invalid("unknown_choice", f"Not a known {english}.", f"알 수 없는 {korean}입니다.")
