"""Writes what people are told, in the transaction of what happened; `portal.domain.notices` says what and by which ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import LoopTest, Notice, NoticeDelivery, User, Workload, now
from portal.domain import failure, notices
from portal.domain.lifecycle import State
from portal.domain.nodes import is_lost
from portal.domain.notices import Channel, Kind
from portal.domain.permissions import ADMIN, Permission, Person, may
from portal.services import reports
from portal.services.access import workload_facts
from portal.services.audit import Actor
from slurm.records import NodeRecord

NOTIFY = "notify"
"""The option of a workload whose owner asked to be told of its start or end (`portal.domain.notices.WISHES`)."""
_HIDDEN_KINDS = frozenset({"test", "analysis"})
_LOST_NODES = "lost_nodes"
_EVER = timedelta(days=36500)


def tell(
    session: AsyncSession,
    user: User,
    kind: Kind,
    object_id: str,
    data: dict[str, Any],
    *,
    wished: bool = False,
) -> None:
    """Add the notice to the session of what happened, with a delivery for every way this person wants and has."""
    if not user.active:
        return
    wanted = notices.ways(user.notice_ways, kind, wished=wished)
    out = [way for way, there in ((Channel.EMAIL, user.email), (Channel.WEBHOOK, user.notice_webhook)) if there]
    notice = Notice(user_id=user.id, kind=kind.value, object_id=object_id, data=data, browser=Channel.BROWSER in wanted)
    notice.deliveries = [NoticeDelivery(channel=way.value) for way in out if way in wanted]
    session.add(notice)


async def changed(session: AsyncSession, actor: Actor, workload: Workload, before: State, *, again: bool) -> None:
    """A workload changed its state: its owner is told, or whoever may approve it; nobody of what they did themselves."""
    after, hidden = State(workload.state), workload.kind in _HIDDEN_KINDS
    cause = str((workload.failure or {}).get("cause", ""))
    kind = notices.of_change(notices.Change(before, after, hidden, again, cause))
    if kind is Kind.NEEDS_APPROVAL:
        await _ask_approvers(session, workload)
    elif kind is not None and actor.user_id != workload.owner_id:
        _tell_owner(session, actor, workload, kind)


def _tell_owner(session: AsyncSession, actor: Actor, workload: Workload, kind: Kind) -> None:
    wished = notices.wished(kind, workload.options.get(NOTIFY, ()))
    waited = now() - (workload.queued_at or workload.submitted_at)
    if kind is Kind.STARTED and not wished and not notices.waited_enough(waited, workload.owner.notice_wait_min):
        return
    data: dict[str, Any] = {"name": workload.name, "by": actor.name}
    if kind is Kind.REJECTED:
        data["reason"] = workload.reject_reason
    if kind is Kind.STARTED:
        data["waited"] = int(waited.total_seconds() // 60)
    if workload.failure and kind in (Kind.FAILED, Kind.IMAGE_FAILED):
        data["why_ko"], data["why_en"] = failure.words_of(workload.failure)
    tell(session, workload.owner, kind, workload.id, data, wished=wished)


async def _ask_approvers(session: AsyncSession, workload: Workload) -> None:
    with session.no_autoflush:
        admins = await _admins(session)
    facts = workload_facts(workload, len(admins))
    data = {"name": workload.name, "by": workload.owner.display_name}
    for admin in admins:
        if may(Person(admin.id, admin.role), Permission.WORKLOAD_APPROVE, facts):
            tell(session, admin, Kind.NEEDS_APPROVAL, workload.id, data)


def tested(session: AsyncSession, workload: Workload, test: LoopTest) -> None:
    """A minimal run test has its result: the applicant is told, and whoever ran it."""
    results = test.results or {}
    data = {"name": workload.name, "result": test.status}
    data |= {name: results[name] for name in ("why_ko", "why_en") if name in results}
    for user in {user.id: user for user in (workload.owner, test.executed_by)}.values():
        tell(session, user, Kind.TEST_FINISHED, workload.id, data)


def analysed(session: AsyncSession, actor: Actor, run: Workload, to: State) -> None:
    """An Operator has ended: whoever ran it is told, unless they ended it themselves."""
    if actor.user_id == run.owner_id:
        return
    data: dict[str, Any] = {"name": run.name, "result": to.value}
    if run.failure:
        data["why_ko"], data["why_en"] = failure.words_of(run.failure)
    tell(session, run.owner, Kind.ANALYSIS_ENDED, run.id, data)


def reprioritised(session: AsyncSession, actor: Actor, workload: Workload, before: str) -> None:
    """Somebody else gave a workload another priority."""
    if actor.user_id != workload.owner_id:
        data = {"name": workload.name, "by": actor.name, "before": before, "after": workload.priority}
        tell(session, workload.owner, Kind.PRIORITY, workload.id, data)


def given_role(session: AsyncSession, actor: Actor, user: User, before: str) -> None:
    """Somebody has another role than before."""
    if user.role != before:
        tell(session, user, Kind.ROLE, user.username, {"by": actor.name, "before": before, "after": user.role})


async def nodes_seen(session: AsyncSession, nodes: Sequence[NodeRecord]) -> None:
    """Admins are told of nodes that were well at the look before; the first look of all tells nothing."""
    lost = {node.name: node for node in nodes if is_lost(node)}
    told = await reports.read(session, _LOST_NODES, _EVER)
    if told is not None and set(told[1].get("names", ())) == lost.keys():
        return
    await reports.write(session, _LOST_NODES, {"names": sorted(lost)})
    if told is None:
        return
    await _tell_lost(session, [node for name, node in lost.items() if name not in told[1].get("names", ())])


async def _tell_lost(session: AsyncSession, nodes: Iterable[NodeRecord]) -> None:
    if not (found := list(nodes)):
        return
    for admin in await _admins(session):
        for node in found:
            state = "+".join([node.state, *sorted(node.flags)])
            tell(session, admin, Kind.NODE_DOWN, node.name, {"state": state, "reason": node.reason})


async def _admins(session: AsyncSession) -> list[User]:
    return list(await session.scalars(select(User).where(User.role == ADMIN, User.active.is_(True)).order_by(User.id)))
