"""P7: removing a template of training settings asks first."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from portal.services import trainingtemplates
from portal.web.catalogue import translations
from portal.web.context import Asker, PageFrame, Session
from portal.web.pageguards import VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.pages.confirm import ConfirmPage
from portal.web.rendering import shown

_REMOVE = "/trainer/templates/{template_id:int}/remove"


@get(_REMOVE, guards=[VISIT_SUBMIT], include_in_schema=False)
async def ask_to_remove(session: Session, actor: Asker, frame: PageFrame, template_id: FromPath[int]) -> Response[str]:
    """Sure?"""
    found = await trainingtemplates.removable(session, actor, template_id)
    say = translations(frame.language)
    page = ConfirmPage(
        title=say.gettext("Remove the template %(name)s") % {"name": found.name},
        sentence=say.gettext("Requests that were made with it stay as they are. This cannot be taken back."),
        action=f"/trainer/templates/{found.id}/remove",
        verb=say.gettext("Remove"),
        back="/trainer",
    )
    return shown(frame, page)


@post(_REMOVE, guards=[VISIT_SUBMIT], include_in_schema=False)
async def remove_template(
    request: Request[Any, Any, Any], session: Session, actor: Asker, frame: PageFrame, template_id: FromPath[int]
) -> Response[None]:
    """Forget it."""
    found = await trainingtemplates.remove(session, actor, template_id)
    return to(
        request, "/trainer", toast=translations(frame.language).gettext("%(name)s removed") % {"name": found.name}
    )


ROUTES = [ask_to_remove, remove_template]
