"""P9, notifications: everything a person was told, and the bell's live parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from litestar import Request, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from portal.domain.notices import Kind
from portal.domain.noticewords import path
from portal.domain.permissions import VIEWER
from portal.services import inbox, notices
from portal.services.audit import Actor
from portal.services.errors import NotFound
from portal.services.notices import NoticeMarks
from portal.web.bell import Bell, Line, bell_of, lines_of
from portal.web.catalogue import translations
from portal.web.context import Asker, FormData, PageFrame, Session
from portal.web.frame import Frame
from portal.web.live import Topic
from portal.web.pageguards import VISIT
from portal.web.pages.answers import own_path, to
from portal.web.rendering import PageContext, rendered, shown
from portal.web.tables import Table, TableQuery

Asked = Request[Any, Any, Any]


@dataclass(frozen=True)
class NoticesPage(PageContext):
    """P9; `newest` is the number of the newest notice that the page can have shown."""

    template: ClassVar[str] = "notices/list.html"
    table: Table
    lines: tuple[Line, ...]
    unread: int
    newest: int
    keep_days: int


@dataclass(frozen=True)
class BellParts(PageContext):
    """What of the bell changes by itself, and the number of open requests in the menu: what changes it is told as a notice."""

    template: ClassVar[str] = "notices/bell.html"
    bell: Bell
    open_approvals: int


@get("/notifications", guards=[VISIT], include_in_schema=False)
async def notifications(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P9."""
    filters = {"show": ("unread",)}
    query = TableQuery.of(request, filters=filters, sorts=(), default_sort="", size=frame.rows_per_page)
    only_unread = query.filter("show") == "unread"
    found = await notices.page(session, actor, query.number, query.size, only_unread=only_unread)
    table = Table(query, (), found.total, len(found.items))
    lines, keep = lines_of(found.items, frame.language), request.app.state.settings.notify.keep_days
    return shown(frame, NoticesPage(table, lines, frame.bell.unread, frame.bell.newest, keep))


@get("/notifications/{notice_id:int}", guards=[VISIT], include_in_schema=False)
async def open_notice(request: Asked, session: Session, actor: Asker, notice_id: FromPath[int]) -> Response[None]:
    """Read one: off to what it is about. Written by a GET, as following a link is what reading is; again changes nothing."""
    notice = await notices.read_one(session, actor, notice_id)
    return to(request, path(Kind(notice.kind), notice.object_id))


@post("/notifications/read", guards=[VISIT], include_in_schema=False)
async def read_all(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, fields: FormData
) -> Response[None]:
    """Mark all read that the page has shown."""
    shown_last = fields.get("up_to", "")
    up_to = int(shown_last) if shown_last.isascii() and shown_last.isdigit() and len(shown_last) < 10 else 0
    await notices.read_all(session, actor, up_to)
    back = own_path(fields.get("back", ""), otherwise="/notifications")
    return to(request, back, toast=translations(frame.language).gettext("All notifications are read."))


class NoticesKind:
    """A person's bell as a live thing (portal.web.live.LiveKind); its key is the person's number, and nobody else's counts."""

    views = frozenset({"bell"})

    def __init__(self, marks: NoticeMarks) -> None:
        self._marks = marks

    async def marks(self, keys: Collection[str]) -> Mapping[str, str]:
        """See LiveKind."""
        return await self._marks.read(keys)

    async def viewpoint(self, session: AsyncSession, actor: Actor, key: str) -> str:
        """See LiveKind: one's own only."""
        if key != str(actor.user_id):
            raise NotFound("topic", key)
        return key

    async def parts(self, session: AsyncSession, actor: Actor, topic: Topic, frame: Frame) -> str:
        """See LiveKind."""
        bell = await bell_of(session, actor, frame.language)
        waiting = (await inbox.counts(session, actor))["open"] if actor.role != VIEWER else 0
        return rendered(frame, BellParts(bell, waiting), block="parts")


ROUTES = [notifications, open_notice, read_all]
