"""P22: who did what to what, when, from where and with which result; found, looked at whole, and taken as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Stream

from portal.db.models import Audit, AuditCheck
from portal.domain.auditfindings import ChainFinding
from portal.services import auditchecks, auditlog
from portal.services.audit import Action
from portal.services.auditchecks import SealState
from portal.services.auditlog import RESULTS, LogPage, Wanted
from portal.web.auditfiles import MEDIA_TYPES, as_csv, as_jsonl, audit_document
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, PageFrame, Session
from portal.web.frame import Frame
from portal.web.objects import href_of
from portal.web.pageguards import VISIT_ADMIN
from portal.web.pages.adminframe import AdminPage
from portal.web.pages.answers import to
from portal.web.rendering import shown
from portal.web.tables import TableQuery

Asked = Request[Any, Any, Any]
PATH: Final = "/admin/audit"
FINDINGS_SHOWN: Final = 20
_FILTERS: Final = {
    "from": None,
    "to": None,
    "actor": None,
    "action": tuple(action.value for action in Action),
    "object": None,
    "result": RESULTS,
    "q": None,
}


@dataclass(frozen=True)
class Change:
    """One fact that became another; None where there was, or is, none."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class AuditLine:
    """One row, what it changed, and where its object's page is ("" without one)."""

    row: Audit
    changes: tuple[Change, ...]
    href: str


@dataclass(frozen=True)
class Checked:
    """The newest verification: what it looked at, and what it found in words."""

    at: datetime
    intact: bool
    rows: int
    findings: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class AuditPage(AdminPage):
    """P22; `older` and `newer` are addresses, "" at the ends."""

    template: ClassVar[str] = "admin/audit.html"
    section: ClassVar[str] = "audit"
    query: TableQuery
    lines: tuple[AuditLine, ...]
    found: LogPage
    older: str
    newer: str
    exports: Mapping[str, str]
    seals: SealState
    checked: Checked | None
    actions: tuple[str, ...] = _FILTERS["action"] or ()
    results: tuple[str, ...] = RESULTS


@dataclass(frozen=True)
class AuditRowPage(AdminPage):
    """P22, one row whole."""

    template: ClassVar[str] = "admin/audit-row.html"
    section: ClassVar[str] = "audit"
    line: AuditLine
    text: str


@get(PATH, guards=[VISIT_ADMIN], include_in_schema=False)
async def audit_log(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P22."""
    query = _query(request)
    before, after = _row_id(request, "before"), _row_id(request, "after")
    found = await auditlog.page(session, actor, _wanted(query, frame), before=before, after=after)
    paths = request.app.state.page_paths
    lines = tuple(_line(row, paths) for row in found.rows)
    older = _href(query, before=found.older) if found.older else ""
    newer = _href(query, after=found.newer) if found.newer else ""
    exports = {form: _href(query, f"{PATH}/export", format=form) for form in MEDIA_TYPES}
    seals = await auditchecks.state(session, actor)
    checked = _checked(seals.check, frame)
    return shown(frame, AuditPage(query, lines, found, older, newer, exports, seals, checked))


@post(f"{PATH}/verify", guards=[VISIT_ADMIN], include_in_schema=False)
async def verify(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[None]:
    """Have the daemon verify the log."""
    await auditchecks.ask(session, actor)
    said = translations(frame.language).gettext(N_("The audit log is being verified. Reload the page in a moment."))
    return to(request, PATH, toast=said)


@get(f"{PATH}/{{row_id:int}}", guards=[VISIT_ADMIN], include_in_schema=False)
async def audit_row(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, row_id: FromPath[int]
) -> Response[str]:
    """P22, one row."""
    row = await auditlog.get(session, actor, row_id)
    text = json.dumps(audit_document(row), ensure_ascii=False, indent=2)
    return shown(frame, AuditRowPage(_line(row, request.app.state.page_paths), text))


@get(f"{PATH}/export", guards=[VISIT_ADMIN], include_in_schema=False)
async def export(request: Asked, session: Session, state: State, actor: Asker, frame: PageFrame) -> Stream:
    """The rows of the filter as a file; that it was taken stands in the log."""
    wanted = _wanted(_query(request), frame)
    form = "jsonl" if request.query_params.get("format") == "jsonl" else "csv"
    last = await auditlog.begin_export(session, actor, wanted, form)
    pieces = auditlog.exported(state.sessions, wanted, last)
    headers = {"Content-Disposition": f'attachment; filename="one-audit.{form}"', "Cache-Control": "no-store"}
    written = as_jsonl(pieces) if form == "jsonl" else as_csv(pieces)
    return Stream(written, media_type=MEDIA_TYPES[form], headers=headers)


def _query(request: Asked) -> TableQuery:
    return TableQuery.of(request, filters=_FILTERS, sorts=(), default_sort="-at", size=auditlog.PAGE)


def _wanted(query: TableQuery, frame: Frame) -> Wanted:
    end = _day(query.filter("to"), frame)
    return Wanted(
        start=_day(query.filter("from"), frame),
        end=end + timedelta(days=1) if end else None,
        actor=query.filter("actor"),
        action=query.filter("action"),
        object=query.filter("object"),
        result=query.filter("result"),
        q=query.filter("q"),
    )


def _day(text: str, frame: Frame) -> datetime | None:
    """The beginning of that day where the person is; anything but a date is as if not there."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=frame.formats.zone)
    except ValueError:
        return None


def _checked(check: AuditCheck | None, frame: Frame) -> Checked | None:
    if check is None or check.found is None or check.done_at is None:
        return None
    found = check.found
    findings = [ChainFinding.from_json(one).words(frame.language) for one in found["findings"]]
    more = found["more"] + len(findings) - FINDINGS_SHOWN if len(findings) > FINDINGS_SHOWN else found["more"]
    return Checked(check.done_at, found["intact"], found["rows"], tuple(findings[:FINDINGS_SHOWN]), more)


def _row_id(request: Asked, name: str) -> int | None:
    text = str(request.query_params.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _href(query: TableQuery, path: str = PATH, **more: object) -> str:
    return f"{path}?{urlencode({**query.filters, **more})}"


def _line(row: Audit, paths: frozenset[str]) -> AuditLine:
    return AuditLine(row, changes_of(row), href_of(row.object_type, row.object_id, paths))


def changes_of(row: Audit) -> tuple[Change, ...]:
    """What differs between before and after, by name."""
    before, after = row.before or {}, row.after or {}
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return tuple(Change(name, _text(before, name), _text(after, name)) for name in names)


def _text(facts: Mapping[str, Any], name: str) -> str | None:
    value = facts.get(name)
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


ROUTES = [audit_log, audit_row, export, verify]
