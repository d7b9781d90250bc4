"""Home: what needs me, how my runs are, is there room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from litestar import Response, get

from portal.domain.permissions import Permission
from portal.services import appview, homeview, identities
from portal.services.access import allowed
from portal.services.appview import AppLine, Wanted
from portal.services.homeview import Home
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.pageguards import VISIT
from portal.web.rendering import PageContext, shown

LAST_APPS = 3


@dataclass(frozen=True)
class HomePage(PageContext):
    """P2; `apps` are those that changed last, one's own for those who may make some.

    `waiting`: this person signed in by SSO and has no role yet; `contact` is whom to ask.
    """

    template: ClassVar[str] = "home/home.html"
    nav: ClassVar[str] = "home"
    apps: tuple[AppLine, ...]
    may_create: bool
    home: Home
    waiting: bool
    contact: str


@get("/", guards=[VISIT], include_in_schema=False)
async def home(session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame) -> Response[str]:
    """P2."""
    may_create = allowed(actor, Permission.APP_CREATE)
    found = await appview.page(session, actor, settings, Wanted(mine=may_create), 1, LAST_APPS)
    seen = await homeview.look(session, actor, settings)
    waiting = actor.user_id is not None and await identities.waiting_for_role(session, actor.user_id)
    return shown(frame, HomePage(tuple(found.items), may_create, seen, waiting, settings.sso.contact))


ROUTES = [home]
