"""P25, notifications: by which ways one is told of what, the webhook of one's own, and a test message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from litestar import Request, Response, post
from sqlalchemy.ext.asyncio import AsyncSession

from portal.domain.notices import Channel, Kind
from portal.domain.noticewords import path, title, words
from portal.services import noticechoices
from portal.services.audit import Actor
from portal.services.errors import Invalid, TooMany
from portal.services.noticechoices import Choosing
from portal.settings import Settings
from portal.web.bell import CHANNELS
from portal.web.catalogue import translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.frame import Frame
from portal.web.pageguards import VISIT
from portal.web.pages.answers import to
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]
TAB = "/account?tab=notifications"


@dataclass(frozen=True)
class Failed:
    """A message that did not get through, in words."""

    text: str
    href: str
    channel: str
    error: str
    given_up: bool


@dataclass(frozen=True)
class AccountNoticesPage(PageContext):
    """P25, notifications; `secret` is the new webhook's, in this answer only."""

    template: ClassVar[str] = "account/notifications.html"
    tab: ClassVar[str] = "notifications"
    choosing: Choosing
    titles: Mapping[Kind, str]
    channels: Mapping[str, str]
    failed: tuple[Failed, ...]
    mails: bool
    form: Form
    secret: str = ""

    @property
    def started(self) -> str:
        """What a start is called."""
        return self.titles[Kind.STARTED]


async def page_of(
    session: AsyncSession, actor: Actor, settings: Settings, frame: Frame, form: Form | None = None, secret: str = ""
) -> AccountNoticesPage:
    """The tab."""
    found, korean = await noticechoices.choosing(session, actor), frame.language == "ko"
    titles = {kind: title(kind, korean=korean) for kind in found.ways}
    failed = tuple(
        Failed(
            words(Kind(one.notice.kind), one.notice.object_id, one.notice.data, korean=korean).line,
            path(Kind(one.notice.kind), one.notice.object_id),
            one.delivery.channel,
            one.delivery.error,
            one.delivery.state == "failed",
        )
        for one in found.undelivered
    )
    mails = bool(settings.notify.smtp_host)
    return AccountNoticesPage(found, titles, CHANNELS, failed, mails, form or Form(), secret)


@post("/account/notifications", guards=[VISIT], include_in_schema=False)
async def choose(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, settings: SiteSettings
) -> Response[str] | Response[None]:
    """Keep the grid."""
    posted = await request.form()
    ways: dict[Kind, list[Channel]] = {}
    for value in posted.getall("way", []):
        kind, _, channel = str(value).partition(":")
        if kind in set(Kind) and channel in set(Channel):
            ways.setdefault(Kind(kind), []).append(Channel(channel))
    minutes = str(posted.get("wait_min", "")).strip()
    try:
        wait_min = int(minutes) if minutes.isascii() and minutes.isdigit() and len(minutes) < 7 else -1
        await noticechoices.choose(session, actor, ways, wait_min)
    except Invalid as error:
        form = refused(error, frame.language, {"wait_min": minutes})
        return shown(frame, await page_of(session, actor, settings, frame, form), status=error.status)
    return to(request, TAB, toast=translations(frame.language).gettext("Saved."))


@post("/account/notifications/webhook", guards=[VISIT], include_in_schema=False)
async def set_webhook(
    session: Session, actor: Asker, frame: PageFrame, settings: SiteSettings, fields: FormData
) -> Response[str]:
    """Another address; its secret stands in this answer and nowhere else."""
    try:
        secret = await noticechoices.set_webhook(session, actor, settings, fields.get("url", "").strip())
    except Invalid as error:
        form = refused(error, frame.language, fields)
        return shown(frame, await page_of(session, actor, settings, frame, form), status=error.status)
    return shown(frame, await page_of(session, actor, settings, frame, secret=secret), status=201)


@post("/account/notifications/webhook/remove", guards=[VISIT], include_in_schema=False)
async def remove_webhook(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[None]:
    """No address any more."""
    await noticechoices.remove_webhook(session, actor)
    return to(request, TAB, toast=translations(frame.language).gettext("Webhook removed."))


@post("/account/notifications/test", guards=[VISIT], include_in_schema=False)
async def send_test(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, settings: SiteSettings
) -> Response[str] | Response[None]:
    """Tell me by every way that is set up."""
    try:
        await noticechoices.try_out(session, actor)
    except TooMany as error:
        form = refused(error, frame.language, {})
        return shown(frame, await page_of(session, actor, settings, frame, form), status=error.status)
    said = translations(frame.language).gettext("Test notification on its way. If nothing arrives, this page says why.")
    return to(request, TAB, toast=said)


ROUTES = [choose, set_webhook, remove_webhook, send_test]
