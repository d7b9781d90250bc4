"""P13 and P14: the requests at the gate, and one of them with its test and its decision."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter

from portal.db.models import Event
from portal.domain.approval import REASON_MAX_CHARS
from portal.domain.priority import Level
from portal.services import approvals, inbox, review, tests
from portal.services.errors import Conflict, Forbidden, Invalid, ServiceError
from portal.services.inbox import RequestLine, Wanted
from portal.services.review import Review
from portal.services.tests import EPISODES, ITERATIONS, RL, TestRequest
from portal.web.catalogue import N_, translations
from portal.web.charts import Chart
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.labels import LABELS
from portal.web.pageguards import VISIT_ADMIN, VISIT_SUBMIT
from portal.web.pages import testchart
from portal.web.pages.answers import to
from portal.web.rendering import PageContext, shown
from portal.web.schemas import loop_test_document
from portal.web.tables import Chip, Column, Table, TableQuery

Asked = Request[Any, Any, Any]
ROWS = 50
DOING = ("approve", "reject", "test")
_COLUMNS = (
    Column(N_("Workload"), "name"),
    Column(N_("App · version")),
    Column(N_("Kind"), css="wide-only"),
    Column(N_("Why")),
    Column(N_("Maximum resources"), css="wide-only"),
    Column(N_("Applicant")),
    Column(N_("Requested at"), "submitted_at"),
    Column(N_("Test")),
    Column(N_("Decision")),
    Column(N_("Status"), css="wide-only"),
    Column("", css="wide-only"),
)
_TABS = {
    "open": N_("Awaiting approval"),
    "approved": N_("Approved"),
    "rejected": N_("Rejected"),
    "queued": N_("Queued"),
    "all": N_("All"),
}
_HAPPENED = {
    **{f"state_{name}": found.text for name, found in LABELS.workload.items()},
    "test_started": N_("Test started"),
    "test_passed": N_("Test passed"),
    "test_failed": N_("Test failed"),
    "cancel_requested": N_("Cancel requested"),
    "workload_priority": N_("Priority changed"),
    "workload_move": N_("Place in the queue changed"),
    "workload_hold": N_("Held"),
    "workload_release": N_("Released"),
    "changed_outside": N_("Changed in Slurm"),
}


@dataclass(frozen=True)
class ApprovalsPage(PageContext):
    """P13."""

    template: ClassVar[str] = "approvals/list.html"
    nav: ClassVar[str] = "approvals"
    tab: str
    tabs: tuple[tuple[str, str, str], ...]
    table: Table
    lines: tuple[RequestLine, ...]
    filtered: bool


@dataclass(frozen=True)
class ReviewPage(PageContext):
    """P14. `doing` is the dialog that is open without scripts, `seen` the hash that the person looks at."""

    template: ClassVar[str] = "approvals/review.html"
    nav: ClassVar[str] = "approvals"
    found: Review
    form: Form
    doing: str
    seen: str
    rewards: Chart | None
    counts: range

    @property
    def changed(self) -> bool:
        """Whether the request is another one than what the person looks at."""
        return self.seen != (self.found.workload.spec_hash or "")

    @property
    def history(self) -> tuple[tuple[Event, str], ...]:
        """What happened, with the word for each; what only machines need is left out."""
        return tuple((event, _HAPPENED[event.kind]) for event in self.found.events if event.kind in _HAPPENED)

    @property
    def loop_test(self) -> str:
        """The specification's loopTest as text."""
        return json.dumps(loop_test_document(self.found.test), ensure_ascii=False, indent=2)

    @property
    def spec_text(self) -> str:
        """The whole spec file that would run."""
        document = self.found.workload.resolved or self.found.workload.spec
        return json.dumps(document, ensure_ascii=False, indent=2)

    @property
    def is_rl(self) -> bool:
        """Whether it is tested by episodes."""
        return self.found.workload.kind == RL


@get("/approvals", guards=[VISIT_SUBMIT], include_in_schema=False)
async def approval_list(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P13: all requests for admins, their own for researchers."""
    filters = {"tab": inbox.TABS, "test": inbox.TEST_FILTER, "owner": None, "q": None}
    query = TableQuery.of(request, filters=filters, sorts=inbox.SORTS, default_sort=inbox.FIRST, size=ROWS)
    tab = query.filter("tab") or inbox.TABS[0]
    wanted = Wanted(
        tab, query.filter("q"), query.filter("test"), query.filter("owner"), query.sort, descending=query.descending
    )
    found = await inbox.page(session, actor, wanted, query.number, query.size)
    counts = await inbox.counts(session, actor)
    words = translations(frame.language).gettext
    chips = _chips(query, words)
    tabs = tuple((key, query.href(tab=key), f"{words(text)} {counts[key]}") for key, text in _TABS.items())
    table = Table(query, _COLUMNS, found.total, len(found.items), chips)
    return shown(frame, ApprovalsPage(tab, tabs, table, tuple(found.items), filtered=bool(chips)))


def _chips(query: TableQuery, words: Any) -> tuple[Chip, ...]:
    """The filters in force; the tab is none of them."""
    status = query.filter("test")
    texts = {
        "q": f"“{query.filter('q')}”",
        "owner": query.filter("owner"),
        "test": words(LABELS.test[status].text) if status else "",
    }
    without = {"q": query.href(q=""), "owner": query.href(owner=""), "test": query.href(test="")}
    return tuple(Chip(text, without[name]) for name, text in texts.items() if query.filter(name))


@get("/approvals/{workload_id:str}", guards=[VISIT_SUBMIT], include_in_schema=False)
async def review_page(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: FromPath[str],
    do: Annotated[str, QueryParameter(max_length=16, description="approve, reject or test: its form is open.")] = "",
    seen: Annotated[str, QueryParameter(max_length=64, description="The spec hash that the page shows.")] = "",
) -> Response[str]:
    """P14."""
    found = await review.review(session, actor, settings, workload_id)
    return shown(frame, _page(frame, found, doing=do if do in DOING else "", seen=seen))


def _page(frame: PageFrame, found: Review, *, form: Form | None = None, doing: str = "", seen: str = "") -> ReviewPage:
    counts = EPISODES if found.workload.kind == RL else ITERATIONS
    looked_at = seen or found.workload.spec_hash or ""
    chart = testchart.rewards(found.test, translations(frame.language), frame.formats)
    return ReviewPage(found, form or Form(), doing, looked_at, chart, counts)


@post("/approvals/{workload_id:str}/approve", guards=[VISIT_ADMIN], include_in_schema=False)
async def approve(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: FromPath[str],
    fields: FormData,
) -> Response[str] | Response[None]:
    """Let it into the queue, if it is still what was reviewed."""
    level = fields.get("priority", "")
    try:
        await approvals.approve(
            session,
            actor,
            settings,
            workload_id,
            spec_hash=fields.get("spec_hash") or None,
            priority=Level(level) if level in set(Level) else Level.NORMAL,
        )
    except (Conflict, Forbidden) as error:
        return await _refused(session, actor, settings, frame, workload_id, error, fields, "")
    return to(request, f"/approvals/{workload_id}", toast=translations(frame.language).gettext("Approved: queued."))


@post("/approvals/{workload_id:str}/reject", guards=[VISIT_ADMIN], include_in_schema=False)
async def reject(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: FromPath[str],
    fields: FormData,
) -> Response[str] | Response[None]:
    """Turn it down, with the reason that the applicant reads."""
    try:
        await approvals.reject(session, actor, workload_id, fields.get("reason", "")[: REASON_MAX_CHARS + 1])
    except (Conflict, Forbidden, Invalid) as error:
        return await _refused(session, actor, settings, frame, workload_id, error, fields, "reject")
    words = translations(frame.language).gettext
    return to(request, f"/approvals/{workload_id}", toast=words(N_("Rejected. The applicant sees the reason.")))


@post("/approvals/{workload_id:str}/test", guards=[VISIT_SUBMIT], include_in_schema=False)
async def start_test(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: FromPath[str],
    fields: FormData,
) -> Response[str] | Response[None]:
    """Run the minimal run test."""
    try:
        wanted = TestRequest(
            episodes=_number(fields, "episodes"),
            iterations=_number(fields, "iterations"),
            gpus=_number(fields, "gpus"),
            memory=fields.get("memory", "").strip()[:32] or None,
        )
        await tests.start(session, actor, settings, workload_id, wanted)
    except (Conflict, Forbidden, Invalid) as error:
        return await _refused(session, actor, settings, frame, workload_id, error, fields, "test")
    return to(request, f"/approvals/{workload_id}", toast=translations(frame.language).gettext("The test was started."))


def _number(fields: dict[str, str], name: str) -> int | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise Invalid(f"test_{name}", "Write a whole number.", "정수를 쓰세요.")
    return int(text)


_FIELD_OF = {
    "reason_length": "reason",
    "test_episodes": "episodes",
    "test_iterations": "iterations",
    "test_gpus": "gpus",
    "memory": "memory",
}


async def _refused(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: str,
    error: ServiceError,
    fields: FormData,
    doing: str,
) -> Response[str]:
    """The page as it is now, with what was said against the change."""
    found = await review.review(session, actor, settings, workload_id)
    form = refused(error, frame.language, fields, field_of=_FIELD_OF)
    page = _page(frame, found, form=form, doing=doing if form.errors else "", seen=fields.get("spec_hash", ""))
    return shown(frame, page, status=error.status)


ROUTES = [approval_list, review_page, approve, reject, start_test]
