"""Notices as pages show them: in the person's language, with the address that opens them; and the bell of the top bar."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Notice
from portal.domain.notices import Kind
from portal.domain.noticewords import Words, words
from portal.services import notices
from portal.services.audit import Actor
from portal.web.catalogue import N_
from portal.web.language import Language

_ICONS = {
    Kind.NEEDS_APPROVAL: "gavel",
    Kind.TEST_FINISHED: "flask",
    Kind.APPROVED: "check",
    Kind.REJECTED: "ban",
    Kind.STARTED: "player-play",
    Kind.FINISHED: "circle-check",
    Kind.FAILED: "circle-x",
    Kind.IMAGE_FAILED: "circle-x",
    Kind.ANALYSIS_ENDED: "clipboard-data",
    Kind.PRIORITY: "gauge",
    Kind.ROLE: "user",
    Kind.NODE_DOWN: "plug-x",
    Kind.TRIAL: "bell",
}
_LOOKS = {
    Kind.APPROVED: "ok",
    Kind.FINISHED: "ok",
    Kind.STARTED: "run",
    Kind.NEEDS_APPROVAL: "await",
    Kind.REJECTED: "bad",
    Kind.FAILED: "bad",
    Kind.IMAGE_FAILED: "bad",
    Kind.NODE_DOWN: "bad",
}
CHANNELS = {"email": N_("E-mail"), "browser": N_("Browser"), "webhook": N_("Webhook")}


@dataclass(frozen=True)
class Line:
    """One notice; `browser`: shown outside the page too, where the person lets it."""

    id: int
    icon: str
    look: str
    words: Words
    told_at: datetime
    unread: bool
    browser: bool

    @property
    def href(self) -> str:
        """Marks it as read and goes to what it is about."""
        return f"/notifications/{self.id}"


@dataclass(frozen=True)
class Bell:
    """The newest, and how many are unread."""

    unread: int = 0
    lines: tuple[Line, ...] = ()

    @property
    def newest(self) -> int:
        """The number of the newest; 0 where there is none."""
        return self.lines[0].id if self.lines else 0


def lines_of(found: Iterable[Notice], language: Language) -> tuple[Line, ...]:
    """The notices as lines."""
    return tuple(_line(notice, language) for notice in found)


def _line(notice: Notice, language: Language) -> Line:
    kind = Kind(notice.kind)
    return Line(
        id=notice.id,
        icon=_ICONS[kind],
        look=_LOOKS.get(kind, "quiet"),
        words=words(kind, notice.object_id, notice.data, korean=language == "ko"),
        told_at=notice.told_at,
        unread=notice.read_at is None,
        browser=notice.browser,
    )


async def bell_of(session: AsyncSession, actor: Actor, language: Language) -> Bell:
    """The person's bell."""
    return Bell(await notices.unread(session, actor), lines_of(await notices.newest(session, actor), language))
