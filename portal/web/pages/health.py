"""P20's door and P24: what works, which images are there, what does not agree; looked at again when an admin asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter

from portal.db.models import Image, Repair
from portal.domain.findings import Finding, words_of
from portal.domain.repairs import offers
from portal.services import doctor, health, images, repairs
from portal.services.doctor import Wishes
from portal.services.health import Health, Mismatches
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session
from portal.web.objects import href_of
from portal.web.pageguards import VISIT_ADMIN
from portal.web.pages.adminframe import AdminConfirmPage, AdminPage
from portal.web.pages.answers import to
from portal.web.pages.repairs import VERBS, address_of
from portal.web.rendering import shown
from portal.web.tables import Chip, Column, Table, TableQuery

Asked = Request[Any, Any, Any]
HEALTH: Final = "/admin/health"
_IMAGES: Final = f"{HEALTH}?tab=images"
_IMAGE_COLUMNS = (
    Column(N_("Image")),
    Column(N_("Digest")),
    Column(N_("Size"), css="num"),
    Column(N_("Status")),
    Column(N_("Used at")),
    Column(""),
)


@dataclass(frozen=True)
class HealthPage(AdminPage):
    """P24, services."""

    template: ClassVar[str] = "admin/health.html"
    section: ClassVar[str] = "health"
    tab: ClassVar[str] = "services"
    found: Health


@dataclass(frozen=True)
class ImagesPage(AdminPage):
    """P24, images: what was converted and may go."""

    template: ClassVar[str] = "admin/images.html"
    section: ClassVar[str] = "health"
    tab: ClassVar[str] = "images"
    table: Table
    images: tuple[Image, ...]


@dataclass(frozen=True)
class FindingLine:
    """One thing that does not agree: in words, the cure, and where its page is ("" without one)."""

    finding: Finding
    says: str
    cure: str
    href: str
    buttons: tuple[tuple[str, str], ...]
    """(word, where it is confirmed) of each side that may be taken."""
    waits: bool
    """A repair was asked for and is not done."""


@dataclass(frozen=True)
class MismatchPage(AdminPage):
    """P24, mismatches, and what came of the newest repairs."""

    template: ClassVar[str] = "admin/mismatch.html"
    section: ClassVar[str] = "health"
    tab: ClassVar[str] = "mismatch"
    found: Mismatches
    lines: tuple[FindingLine, ...]
    repairs: tuple[Repair, ...]
    mending: bool


@get("/admin", guards=[VISIT_ADMIN], include_in_schema=False)
async def admin(request: Asked, session: Session, actor: Asker) -> Response[None]:
    """P20: to what is red, else to the users."""
    return to(request, HEALTH if (await health.look(session, actor)).red else "/admin/users")


@get(HEALTH, guards=[VISIT_ADMIN], include_in_schema=False)
async def health_page(
    request: Asked,
    session: Session,
    actor: Asker,
    frame: PageFrame,
    tab: Annotated[str, QueryParameter(max_length=16, description="services, images or mismatch.")] = "services",
) -> Response[str]:
    """P24."""
    if tab == "images":
        query = TableQuery.of(
            request, filters={"tab": ("images",), "q": None}, sorts=(), default_sort="-used", size=frame.rows_per_page
        )
        found = await images.page(session, query.filter("q"), query.number, query.size)
        chips = (Chip(f"“{query.filter('q')}”", query.without("q")),) if query.filter("q") else ()
        table = Table(query, _IMAGE_COLUMNS, found.total, len(found.items), chips)
        return shown(frame, ImagesPage(table, tuple(found.items)))
    if tab == "mismatch":
        different = await health.mismatches(session, actor)
        paths = request.app.state.page_paths
        asked = tuple(await repairs.newest(session, actor))
        waiting = {(one.code, one.object_id) for one in asked if one.state == repairs.WANTED}
        lines = tuple(_line(finding, frame.language, paths, waiting) for finding in different.findings)
        return shown(frame, MismatchPage(different, lines, asked, bool(waiting)))
    return shown(frame, HealthPage(await health.look(session, actor)))


def _line(finding: Finding, language: str, paths: frozenset[str], waiting: Collection[tuple[str, str]]) -> FindingLine:
    says, cure = words_of(finding, language)
    href = href_of("workload", finding.about, paths) if finding.about else ""
    buttons = tuple((VERBS[offer.deed], address_of(finding.code, finding.id, offer)) for offer in offers(finding))
    return FindingLine(finding, says, cure, href, buttons, (finding.code, finding.id) in waiting)


@post(f"{HEALTH}/check", guards=[VISIT_ADMIN], include_in_schema=False)
async def check_now(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, fields: FormData
) -> Response[None]:
    """Have the daemon look at the parts, on request also whether portal, Slurm and S3 agree."""
    compare = fields.get("tab") == "mismatch"
    await doctor.ask(session, actor, Wishes(reconcile=compare))
    text = translations(frame.language).gettext("The daemon is checking.")
    return to(request, f"{HEALTH}?tab=mismatch" if compare else HEALTH, toast=text)


@get(f"{HEALTH}/images/{{digest:str}}/remove", guards=[VISIT_ADMIN], include_in_schema=False)
async def ask_to_remove(frame: PageFrame, session: Session, digest: FromPath[str]) -> Response[str]:
    """Sure?"""
    image = await images.get(session, digest)
    say = translations(frame.language)
    page = AdminConfirmPage(
        title=say.gettext("Remove %(name)s") % {"name": image.reference},
        sentence=say.gettext("The converted file is deleted. The next run that needs it converts the image again."),
        action=f"{HEALTH}/images/{digest}/remove",
        verb=say.gettext("Remove"),
        back=_IMAGES,
    )
    return shown(frame, page)


@post(f"{HEALTH}/images/{{digest:str}}/remove", guards=[VISIT_ADMIN], include_in_schema=False)
async def remove_image(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, digest: FromPath[str]
) -> Response[None]:
    """Have the daemon delete an image that nothing uses."""
    image = await images.remove(session, actor, digest)
    text = translations(frame.language).gettext("%(name)s is being removed.")
    return to(request, _IMAGES, toast=text % {"name": image.reference})


ROUTES = [admin, health_page, check_now, ask_to_remove, remove_image]
