"""P8: what waits, in Slurm's order, why, and an admin's changes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Workload
from portal.domain.permissions import ADMIN
from portal.domain.priority import Level
from portal.services import queue, queueview, workloads
from portal.services.audit import Actor
from portal.services.paging import Page
from portal.services.queueview import QueueView, Wanted
from portal.services.workloads import WorkloadFilter
from portal.settings import Settings
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.frame import Frame
from portal.web.labels import LABELS
from portal.web.live import query_topic
from portal.web.pageguards import VISIT, VISIT_ADMIN
from portal.web.pages.answers import own_path, to
from portal.web.rendering import PageContext, shown
from portal.web.tables import Chip, Table, TableQuery

Asked = Request[Any, Any, Any]
ROWS = 50
LEVELS = tuple(level.value for level in Level)
STATUSES = ("running", "completed", "failed", "cancelled")
"""Besides what waits (QU-04); those have no place."""
_STATES = {"running": "running,saving"}
_FILTERS: Final = {
    "scope": ("mine",),
    "status": STATUSES,
    "gpu": None,
    "priority": LEVELS,
    "external": ("0",),
    "q": None,
}
PATH, KIND, VIEW = "/queue", "queue", "parts"
"""The page, and the name of its live topics: `queue:<its query>:parts`."""


@dataclass(frozen=True)
class Ask:
    """A change of level that wants a yes first, and where in the level (none: at its end)."""

    workload_id: str
    name: str
    old: str
    new: str
    before: str
    after: str


@dataclass(frozen=True)
class QueuePage(PageContext):
    """P8; `others` instead of waiting rows where another status is asked for."""

    template: ClassVar[str] = "queue/queue.html"
    nav: ClassVar[str] = "queue"
    table: Table
    view: QueueView
    others: Page[Workload] | None
    is_admin: bool
    ask: Ask | None
    back: str

    @property
    def topic(self) -> str:
        """What the page watches."""
        query = self.table.query
        return query_topic(KIND, VIEW, {**query.filters, "page": str(query.number)})

    @property
    def may_change(self) -> bool:
        """Changes reach Slurm only while it answers."""
        return self.is_admin and self.view.unreachable_since is None

    def first_of_group(self, index: int) -> bool:
        """Whether a head stands above this row: the level is another one than that of the row before."""
        rows = self.view.rows.items
        group = rows[index].group
        before = next((row.group for row in reversed(rows[:index]) if row.group), "")
        return bool(group) and group != before


@get("/queue", guards=[VISIT], include_in_schema=False)
async def queue_page(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame
) -> Response[str]:
    """P8. With `ask` and `level` it asks whether a workload shall change its level."""
    query = query_of_page(request.query_params)
    ask = await _asked(session, actor, request) if actor.role == ADMIN else None
    return shown(frame, await page_of(session, actor, settings, frame, query, ask))


def query_of_page(given: Mapping[str, Any]) -> TableQuery:
    """What these parameters of the address ask for."""
    return TableQuery.read(PATH, given, filters=_FILTERS, size=ROWS)


async def page_of(
    session: AsyncSession, actor: Actor, settings: Settings, frame: Frame, query: TableQuery, ask: Ask | None = None
) -> QueuePage:
    """The page of this query as this person sees it."""
    mine, status = query.filter("scope") == "mine", query.filter("status")
    wanted = Wanted(
        mine, query.filter("gpu"), query.filter("priority"), query.filter("q"), outside=not query.filter("external")
    )
    seen = await queueview.view(session, actor, settings, wanted, query.number, query.size)
    others = None
    if status:
        listed = WorkloadFilter(
            owner="me" if mine else "", state=_STATES.get(status, status), q=query.filter("q"), sort="-submitted_at"
        )
        others = await workloads.page(session, actor, listed, query.number, query.size)
    found = others or seen.rows
    table = Table(query, (), found.total, len(found.items), _chips(query, translations(frame.language).gettext))
    return QueuePage(table, seen, others, actor.role == ADMIN, ask, query.href(page=query.number))


def _chips(query: TableQuery, words: Any) -> tuple[Chip, ...]:
    """The filters in force that have no switch of their own on the page."""
    level = query.filter("priority")
    texts = {
        "q": f"“{query.filter('q')}”",
        "gpu": query.filter("gpu") if query.filter("gpu") != "cpu" else words("CPU only"),
        "priority": words(LABELS.priority[level].text) if level else "",
    }
    without = {"q": query.href(q=""), "gpu": query.href(gpu=""), "priority": query.href(priority="")}
    return tuple(Chip(text, without[name]) for name, text in texts.items() if query.filter(name))


async def _asked(session: Session, actor: Asker, request: Asked) -> Ask | None:
    given = {name: str(request.query_params.get(name, ""))[:16] for name in ("ask", "level", "before", "after")}
    if not given["ask"] or given["level"] not in LEVELS:
        return None
    workload = await workloads.get(session, actor, given["ask"])
    return Ask(workload.id, workload.name, workload.priority, given["level"], given["before"], given["after"])


@post("/queue/{workload_id:str}/place", guards=[VISIT_ADMIN], include_in_schema=False)
async def place(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: FromPath[str],
    fields: FormData,
) -> Response[None]:
    """Another level, another place in it, or both; the undo of one is another. What is wanted is in the form or the address."""
    asked = {name: str(request.query_params.get(name, "")) for name in ("priority", "before", "after", "top")} | fields
    was = await queue.place_of(session, actor, workload_id)
    level = Level(asked["priority"]) if asked.get("priority") in LEVELS else was.level
    workload = await queue.set_priority(session, actor, settings, workload_id, level)
    await session.flush()
    if asked.get("before") or asked.get("after") or asked.get("top"):
        await queue.move(
            session,
            actor,
            settings,
            workload_id,
            before=asked.get("before") or None,
            after=asked.get("after") or None,
            to_top=bool(asked.get("top")),
        )
    words = translations(frame.language).gettext
    said = words(N_("%(name)s was moved")) if level == was.level else words(N_("%(name)s is now %(level)s"))
    text = said % {"name": workload.name, "level": words(LABELS.priority[level].text)}
    old = {"priority": was.level.value, "before": was.before or "", "after": was.after or ""}
    return _back(request, fields, workload_id, text, f"/queue/{workload_id}/place?{urlencode(old)}")


@post("/queue/{workload_id:str}/hold", guards=[VISIT_ADMIN], include_in_schema=False)
async def hold(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, workload_id: FromPath[str], fields: FormData
) -> Response[None]:
    """Keep it from starting; with `held=0` let it go."""
    held = {**request.query_params, **fields}.get("held", "1") != "0"
    workload = await queue.hold(session, actor, workload_id, held=held)
    words = translations(frame.language).gettext
    said = words(N_("%(name)s is held")) if held else words(N_("%(name)s was released"))
    undo = f"/queue/{workload_id}/hold?held={0 if held else 1}"
    return _back(request, fields, workload_id, said % {"name": workload.name}, undo)


def _back(request: Asked, fields: dict[str, str], workload_id: str, text: str, undo: str) -> Response[None]:
    """To the page that it came from, at the same row."""
    return to(request, f"{own_path(fields.get('back', ''), '/queue')}#row-{workload_id}", toast=text, undo=undo)


ROUTES = [queue_page, place, hold]
