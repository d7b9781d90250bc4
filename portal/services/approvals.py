"""The gate's decisions: approve only what a passed test of the same hash has shown to run, reject only with a reason."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Workload, now
from portal.domain.approval import Refusal, approve_refusal, reject_refusal
from portal.domain.lifecycle import Decision, Phase, State
from portal.domain.permissions import ADMIN, Permission
from portal.domain.priority import Level
from portal.services import queue, state
from portal.services.access import active_admins, demand, readable_workload, workload_facts
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Forbidden, Invalid
from portal.services.tests import facts_of
from portal.settings import Settings


async def approve(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    workload_id: str,
    *,
    spec_hash: str | None = None,
    priority: Level = Level.NORMAL,
) -> Workload:
    """Let a request into the queue. `spec_hash` is what was reviewed (None: what is there now).

    Raises NotFound, Forbidden, Conflict (decided, changed meanwhile, or without a passed test of the same hash).
    """
    workload = await _undecided(session, actor, workload_id, Permission.WORKLOAD_APPROVE)
    current = workload.spec_hash or ""
    test = workload.test
    refusal = approve_refusal(spec_hash=current, reviewed_hash=spec_hash or current, test=facts_of(test))
    if refusal is not None:
        raise _conflict(refusal)
    _decide(workload, actor, Decision.APPROVED)
    workload.approved_hash = current
    workload.priority = priority.value
    workload.queue_rank = await queue.rank_at_end(session, settings, priority)
    facts = {"spec_hash": current, "priority": priority.value, "test_run": test.run_id if test else None}
    self_approval = {"self_approval": True} if actor.user_id == workload.owner_id else {}
    record(session, actor, Action.WORKLOAD_APPROVE, "workload", workload.id, after={**facts, **self_approval})
    await state.change(session, workload, State.QUEUED, actor, phase=Phase.PREPARING)
    return workload


async def reject(session: AsyncSession, actor: Actor, workload_id: str, reason: str) -> Workload:
    """Turn a request down with a reason of 10 to 2,000 characters. Raises NotFound, Forbidden, Conflict, Invalid."""
    workload = await _undecided(session, actor, workload_id, Permission.WORKLOAD_REJECT)
    refusal = reject_refusal(reason)
    if refusal is not None:
        raise Invalid(refusal.code, refusal.text_en, refusal.text_ko)
    _decide(workload, actor, Decision.REJECTED)
    workload.reject_reason = reason.strip()
    record(session, actor, Action.WORKLOAD_REJECT, "workload", workload.id, after={"reason": workload.reject_reason})
    await state.change(session, workload, State.REJECTED, actor, detail={"reason": workload.reject_reason})
    return workload


async def _undecided(session: AsyncSession, actor: Actor, workload_id: str, permission: Permission) -> Workload:
    workload = await readable_workload(session, actor, workload_id)
    if actor.role == ADMIN and workload.state != State.AWAITING_APPROVAL:
        raise Conflict(
            "not_waiting",
            f"{workload_id} does not wait for a decision: it is {workload.state} ({workload.decision}).",
            f"{workload_id}은(는) 결정을 기다리지 않습니다: {workload.state} ({workload.decision}).",
        )
    admins = await active_admins(session)
    if actor.role == ADMIN and actor.user_id == workload.owner_id and admins > 1:
        raise Forbidden(
            "own_request",
            "Nobody decides on their own request; another administrator can.",
            "본인의 요청은 승인하거나 반려할 수 없습니다. 다른 관리자가 결정해야 합니다.",
        )
    demand(actor, permission, workload_facts(workload, admins))
    return workload


def _decide(workload: Workload, actor: Actor, decision: Decision) -> None:
    workload.decision = decision.value
    workload.decided_by_id = actor.user_id
    workload.decided_at = now()


def _conflict(refusal: Refusal) -> Conflict:
    return Conflict(refusal.code, refusal.text_en, refusal.text_ko)
