"""P24's repairs: which side is taken is confirmed first, then the daemon does it and the page shows what came of it."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.params import QueryParameter

from portal.domain.findings import words_of
from portal.domain.repairs import Deed, Offer
from portal.services import repairs
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, PageFrame, Session
from portal.web.pageguards import VISIT_ADMIN
from portal.web.pages.adminframe import AdminConfirmPage
from portal.web.pages.answers import to
from portal.web.rendering import shown

Asked = Request[Any, Any, Any]
MISMATCHES: Final = "/admin/health?tab=mismatch"
REPAIR: Final = "/admin/health/repair"
VERBS: Final = {
    Deed.CANCEL_JOB: N_("Cancel in Slurm"),
    Deed.WRITE_PLACE: N_("Accept the portal"),
    Deed.KEEP_PLACE: N_("Accept Slurm"),
    Deed.END_LOST: N_("Accept Slurm"),
    Deed.TAKE_STATE: N_("Accept Slurm"),
    Deed.SETTLE_INTENT: N_("Accept Slurm"),
    Deed.END_RUN: N_("Accept Slurm"),
}
"""What the button of a deed says."""
Code = Annotated[str, QueryParameter(max_length=32, description="The kind of mismatch.")]
ObjectId = Annotated[str, QueryParameter(max_length=200, description="What it is about.")]
TakenSide = Annotated[str, QueryParameter(max_length=8, description="slurm or portal.")]


def address_of(code: str, object_id: str, offer: Offer) -> str:
    """Where taking this side is confirmed."""
    return f"{REPAIR}?{urlencode({'code': code, 'about': object_id, 'side': offer.side.value})}"


@get(REPAIR, guards=[VISIT_ADMIN], include_in_schema=False)
async def ask_to_repair(
    session: Session, actor: Asker, frame: PageFrame, code: Code, about: ObjectId, side: TakenSide
) -> Response[str]:
    """Sure?"""
    finding, offer = await repairs.offered(session, actor, code, about, side)
    say = translations(frame.language).gettext
    says, _cure = words_of(finding, frame.language)
    page = AdminConfirmPage(
        title=f"{finding.id}: {say(VERBS[offer.deed])}",
        sentence=f"{says}. {offer.ko if frame.language == 'ko' else offer.en}",
        action=address_of(code, about, offer),
        verb=say(VERBS[offer.deed]),
        back=MISMATCHES,
    )
    return shown(frame, page)


@post(REPAIR, guards=[VISIT_ADMIN], include_in_schema=False)
async def repair(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, code: Code, about: ObjectId, side: TakenSide
) -> Response[None]:
    """Have the daemon do it."""
    await repairs.ask(session, actor, code, about, side)
    text = translations(frame.language).gettext("The daemon is mending it.")
    return to(request, MISMATCHES, toast=text)


ROUTES = [ask_to_repair, repair]
