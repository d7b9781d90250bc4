"""P10: every run there ever was, mine first, with what one may do to each; cancelling asks before it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from portal.domain.permissions import RESEARCHER, Permission
from portal.services import workloadlist, workloads
from portal.services.access import allowed
from portal.services.audit import Actor
from portal.services.errors import ServiceError
from portal.services.workloadlist import WorkloadLine
from portal.services.workloads import NO_GPU, SORTS, WorkloadFilter
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session
from portal.web.csvfile import csv_file
from portal.web.forms import Form, refused
from portal.web.frame import Frame
from portal.web.labels import LABELS
from portal.web.pageguards import VISIT, VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.rendering import PageContext, shown
from portal.web.tables import Chip, Column, Table, TableQuery

Asked = Request[Any, Any, Any]
ROWS = 50
MAX_AT_ONCE = 100
STATUSES: Final = ("awaiting_approval", "queued", "running", "completed", "failed", "cancelled", "rejected")
"""In the order of the road; saving counts as running, and what was just submitted is under no chip but "all"."""
KINDS: Final = ("rl", "general", "test", "analysis")
_FILTERS: Final = {
    "status": STATUSES,
    "kind": KINDS,
    "owner": None,
    "app": None,
    "gpu": None,
    "from": None,
    "to": None,
    "q": None,
}
EVERYBODY, ME = "all", "me"
_STATES = {"running": "running,saving"}
_COLUMNS = (
    Column(N_("Name"), "name"),
    Column(N_("Status"), "state"),
    Column(N_("App · version")),
    Column(N_("Kind")),
    Column(N_("Priority")),
    Column(N_("Requested resources")),
    Column(N_("Applicant")),
    Column(N_("Requested at"), "submitted_at"),
    Column(N_("Started"), "started_at"),
    Column(N_("Duration"), css="num"),
    Column(N_("Model")),
    Column(""),
)


@dataclass(frozen=True)
class StatusChip:
    """One state with how many are in it."""

    key: str
    text: str
    count: int
    href: str
    current: bool


@dataclass(frozen=True)
class WorkloadListPage(PageContext):
    """P10."""

    template: ClassVar[str] = "workloads/list.html"
    nav: ClassVar[str] = "workloads"
    table: Table
    lines: tuple[WorkloadLine, ...]
    statuses: tuple[StatusChip, ...]
    owner: str
    may_submit: bool
    export_href: str
    here: str

    @property
    def filtered(self) -> bool:
        """Whether a filter beyond one's own hides something."""
        return any(name != "owner" for name in self.table.query.filters)


@dataclass(frozen=True)
class CancelPage(PageContext):
    """The question before workloads are cancelled; those that cannot be any more are named too."""

    template: ClassVar[str] = "workloads/cancel.html"
    nav: ClassVar[str] = "workloads"
    lines: tuple[WorkloadLine, ...]
    gone: tuple[WorkloadLine, ...]
    foreign: bool
    form: Form


@get("/workloads", guards=[VISIT], include_in_schema=False)
async def workload_list(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P10."""
    query = _query(request)
    wanted = _wanted(query, actor, frame)
    found = await workloadlist.page(session, actor, wanted, query.number, query.size)
    counts = await workloads.counts(session, actor, wanted)
    table = Table(query, _COLUMNS, found.total, len(found.items), _chips(query, frame))
    page = WorkloadListPage(
        table=table,
        lines=tuple(found.items),
        statuses=_statuses(query, counts, translations(frame.language).gettext),
        owner=wanted.owner or EVERYBODY,
        may_submit=allowed(actor, Permission.APP_CREATE),
        export_href=replace(query, path="/workloads.csv").href(),
        here=frame.here,
    )
    return shown(frame, page)


def _query(request: Asked) -> TableQuery:
    return TableQuery.of(request, filters=_FILTERS, sorts=tuple(SORTS), default_sort="-submitted_at", size=ROWS)


def _wanted(query: TableQuery, actor: Actor, frame: Frame) -> WorkloadFilter:
    """The address as a filter; researchers begin with their own."""
    owner = query.filter("owner") or (ME if actor.role == RESEARCHER else EVERYBODY)
    status = query.filter("status")
    return WorkloadFilter(
        owner="" if owner == EVERYBODY else owner,
        state=_STATES.get(status, status),
        kind=query.filter("kind"),
        app=query.filter("app"),
        gpu=query.filter("gpu"),
        q=query.filter("q"),
        since=_day(query.filter("from"), frame),
        until=_day(query.filter("to"), frame, days=1),
        sort=query.order,
    )


def _day(text: str, frame: Frame, days: int = 0) -> datetime | None:
    """The beginning of a day of the person's zone; what is no day is as if not there."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=frame.formats.zone)
        return day + timedelta(days=days)
    except (ValueError, OverflowError):
        return None


def _statuses(query: TableQuery, counts: Mapping[str, int], words: Callable[[str], str]) -> tuple[StatusChip, ...]:
    now = query.filter("status")
    chips = [StatusChip("", words(N_("All")), sum(counts.values()), query.href(status=""), not now)]
    for key in STATUSES:
        count = sum(counts.get(state, 0) for state in _STATES.get(key, key).split(","))
        chips.append(StatusChip(key, words(LABELS.workload[key].text), count, query.href(status=key), now == key))
    return tuple(chips)


def _chips(query: TableQuery, frame: Frame) -> tuple[Chip, ...]:
    words = translations(frame.language).gettext
    texts = {
        "q": f"“{query.filter('q')}”",
        "app": query.filter("app"),
        "gpu": words(N_("no GPU")) if query.filter("gpu") == NO_GPU else query.filter("gpu"),
        "from": words(N_("from %(day)s")) % {"day": query.filter("from")},
        "to": words(N_("to %(day)s")) % {"day": query.filter("to")},
    }
    if kind := query.filter("kind"):
        texts["kind"] = words(LABELS.kind[kind].text)
    without = {name: replace(query, filters={k: v for k, v in query.filters.items() if k != name}) for name in texts}
    return tuple(Chip(texts[name], without[name].href()) for name in query.filters if name in texts)


@get("/workloads.csv", guards=[VISIT], include_in_schema=False)
async def workload_csv(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[bytes]:
    """The rows of the current filter as a file."""
    found = await workloadlist.exported(session, actor, _wanted(_query(request), actor, frame))
    words = translations(frame.language).gettext
    head = [words(text) for text in _EXPORT_HEAD]
    return csv_file("workloads.csv", head, (_export(line, frame) for line in found))


_EXPORT_HEAD: Final = (
    N_("Id"),
    N_("Name"),
    N_("Status"),
    N_("Reason"),
    N_("App"),
    N_("Version"),
    N_("Kind"),
    N_("Priority"),
    N_("Requested resources"),
    N_("Applicant"),
    N_("Requested at"),
    N_("Started"),
    N_("Ended"),
    N_("Duration (s)"),
    N_("Slurm id"),
    N_("Model"),
)


def _export(line: WorkloadLine, frame: Frame) -> list[object]:
    words, one = translations(frame.language).gettext, line.workload
    ran = (one.ended_at - one.started_at).total_seconds() if one.ended_at and one.started_at else ""
    moments = (one.submitted_at, one.started_at, one.ended_at)
    return [
        one.id,
        one.name,
        words(LABELS.workload[one.state].text),
        line.reason_ko if frame.language == "ko" else line.reason_en,
        one.app_id,
        one.app_version,
        words(LABELS.kind[one.kind].text),
        words(LABELS.priority[one.priority].text),
        line.resources,
        one.owner.display_name,
        *(frame.formats.second(moment) if moment else "" for moment in moments),
        ran,
        " ".join(str(number) for number in line.slurm_ids),
        f"{line.model.name} v{line.model.version}" if line.model else "",
    ]


@get("/workloads/cancel", guards=[VISIT_SUBMIT], include_in_schema=False)
async def ask_cancel(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """The question, for one or several."""
    return shown(frame, await _cancel_page(session, actor, request.query_params.getall("id", []), Form()))


@post("/workloads/cancel", guards=[VISIT_SUBMIT], include_in_schema=False)
async def cancel(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, fields: FormData
) -> Response[str] | Response[None]:
    """Ask for the end of each; what has ended meanwhile is left alone."""
    ids = [str(value) for value in (await request.form()).getall("id", [])]
    page = await _cancel_page(session, actor, ids, Form(fields))
    try:
        for line in page.lines:
            await workloads.cancel(session, actor, line.workload.id, fields.get("reason", "")[:500])
    except ServiceError as error:
        form = refused(error, frame.language, fields, field_of={"reason": "reason"})
        return shown(frame, replace(page, form=form), status=error.status)
    translated = translations(frame.language)
    said = translated.ngettext(
        "%(num)s workload is being cancelled", "%(num)s workloads are being cancelled", len(page.lines)
    )
    return to(request, "/workloads", toast=said % {"num": len(page.lines)})


async def _cancel_page(session: AsyncSession, actor: Actor, ids: list[str], form: Form) -> CancelPage:
    found = [await workloads.get(session, actor, one) for one in list(dict.fromkeys(ids))[:MAX_AT_ONCE]]
    lines = await workloadlist.lines(session, actor, found)
    others = tuple(line for line in lines if line.may_cancel and line.workload.owner_id != actor.user_id)
    mine = tuple(line for line in lines if line.may_cancel and line.workload.owner_id == actor.user_id)
    # Others' first: they need a reason, and without one nothing is cancelled.
    return CancelPage(others + mine, tuple(line for line in lines if not line.may_cancel), bool(others), form)


ROUTES = [workload_list, workload_csv, ask_cancel, cancel]
