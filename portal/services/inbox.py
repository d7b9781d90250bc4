"""The requests that wait for a decision, and those that were decided: the list of approvals (AP-01, decision D2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import LoopTest, User, Workload, now
from portal.domain.approval import TestStatus
from portal.domain.kinds import NO_REQUESTS
from portal.domain.lifecycle import TERMINAL, Decision, State
from portal.domain.permissions import ADMIN, RESEARCHER, Permission
from portal.domain.resources_text import resources_text
from portal.services.access import demand
from portal.services.audit import Actor
from portal.services.paging import Page, contains, paged
from portal.spec.load import load_resolved

TABS = ("open", "approved", "rejected", "queued", "all")
TEST_FILTER = (TestStatus.PENDING.value, TestStatus.RUNNING.value, TestStatus.PASSED.value, TestStatus.FAILED.value)
FIRST = "first"
"""The order of a tab: open ones with a passed test before the others, then the oldest; decided ones newest first."""
SORTS = (FIRST, "name", "submitted_at")
OVERDUE = timedelta(hours=24)
"""Kinds that are made by others and never wait at the gate."""


@dataclass(frozen=True)
class Wanted:
    """Which requests, and in which order (one of SORTS)."""

    tab: str = TABS[0]
    q: str = ""
    test: str = ""
    owner: str = ""
    sort: str = FIRST
    descending: bool = False


@dataclass(frozen=True)
class RequestLine:
    """One request. `test` is "" where no test applies, `decided_by` "" while nobody decided."""

    workload: Workload
    resources: str
    test: str
    decided_by: str
    open: bool
    overdue: bool

    @property
    def decision(self) -> str:
        """The decision; "" for one that ended before anybody decided."""
        undecided = self.workload.decision == Decision.AWAITING and State(self.workload.state) in TERMINAL
        return "" if undecided else self.workload.decision


async def page(session: AsyncSession, actor: Actor, wanted: Wanted, number: int, size: int) -> Page[RequestLine]:
    """A page of the requests: all of them for admins, their own for researchers. Raises Forbidden for viewers."""
    demand(actor, Permission.APPROVALS_READ, role=RESEARCHER)
    query = select(Workload).join(User, User.id == Workload.owner_id).where(*_theirs(actor), *_conditions(wanted))
    found = await paged(session, query.order_by(*_order(wanted), Workload.id), number, size)
    names = await _names(session, {one.decided_by_id for one in found.items if one.decided_by_id})
    return Page([_line(one, names) for one in found.items], found.total)


async def counts(session: AsyncSession, actor: Actor) -> dict[str, int]:
    """How many requests each tab holds, without any other filter."""
    demand(actor, Permission.APPROVALS_READ, role=RESEARCHER)
    sums = [func.sum(case((_of_tab(tab), 1), else_=0)) for tab in TABS]
    row = (await session.execute(select(*sums).where(*_theirs(actor)))).one()
    return dict(zip(TABS, (count or 0 for count in row), strict=True))


def _theirs(actor: Actor) -> list[ColumnElement[bool]]:
    requests: list[ColumnElement[bool]] = [Workload.kind.not_in(NO_REQUESTS)]
    return requests if actor.role == ADMIN else [*requests, Workload.owner_id == actor.user_id]


def _of_tab(tab: str) -> ColumnElement[bool]:
    return {
        "open": Workload.state == State.AWAITING_APPROVAL.value,
        "approved": Workload.decision == Decision.APPROVED.value,
        "rejected": Workload.decision == Decision.REJECTED.value,
        "queued": Workload.state == State.QUEUED.value,
    }.get(tab, true())


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found = [_of_tab(wanted.tab)]
    if wanted.test:
        found += [Workload.needs_approval.is_(True), _test_status() == wanted.test]
    if wanted.owner:
        found.append(User.username == wanted.owner)
    if wanted.q:
        columns = (Workload.id, Workload.name, Workload.app_id, User.username, User.display_name)
        found.append(or_(*(contains(column, wanted.q) for column in columns)))
    return found


def _test_status() -> ColumnElement[Any]:
    """The status of `Workload.test` in SQL: a passed test of the hash before the newest one."""
    of_hash = LoopTest.spec_hash == Workload.spec_hash
    passed = select(LoopTest.id).where(of_hash, LoopTest.status == TestStatus.PASSED.value).exists()
    newest = select(LoopTest.status).where(of_hash).order_by(LoopTest.id.desc()).limit(1)
    other = func.coalesce(newest.correlate(Workload).scalar_subquery(), TestStatus.PENDING.value)
    return case((passed.correlate(Workload), TestStatus.PASSED.value), else_=other)


def _order(wanted: Wanted) -> list[ColumnElement[Any]]:
    if wanted.sort == FIRST:
        if wanted.tab == "open":
            ready: ColumnElement[Any] = case((_test_status() == TestStatus.PASSED.value, 0), else_=1)
            return [ready, Workload.submitted_at.asc()]
        return [func.coalesce(Workload.decided_at, Workload.submitted_at).desc()]
    column: ColumnElement[Any] = (
        func.lower(Workload.name) if wanted.sort == "name" else Workload.submitted_at.expression
    )
    return [column.desc() if wanted.descending else column.asc()]


async def _names(session: AsyncSession, ids: set[int]) -> dict[int, str]:
    rows = await session.execute(select(User.id, User.display_name).where(User.id.in_(ids)))
    return {row[0]: row[1] for row in rows}


def _line(workload: Workload, names: dict[int, str]) -> RequestLine:
    is_open = workload.state == State.AWAITING_APPROVAL
    return RequestLine(
        workload=workload,
        resources=resources_text(load_resolved(workload.resolved or workload.spec)),
        test=test_status(workload),
        decided_by=names.get(workload.decided_by_id or 0, ""),
        open=is_open,
        overdue=is_open and waited(workload.submitted_at) > OVERDUE,
    )


def test_status(workload: Workload) -> str:
    """loopTest's status; "" where approval is not needed, so that no test applies."""
    if not workload.needs_approval:
        return ""
    return workload.test.status if workload.test else TestStatus.PENDING.value


test_status.__test__ = False  # type: ignore[attr-defined]  # not a test


def waited(since: datetime) -> timedelta:
    """How long ago it was."""
    return now() - since
