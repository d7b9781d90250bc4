"""Workloads as a list shows them: what each asks for, why it is where it is, its model, and what one may do with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Model, Workload
from portal.domain.failure import words_of
from portal.domain.lifecycle import TERMINAL, State
from portal.domain.permissions import Permission
from portal.domain.reasons import Waiting, explain, explain_before_slurm
from portal.domain.resources_text import resources_text
from portal.services import queue, workloads
from portal.services.access import allowed, workload_facts
from portal.services.audit import Actor
from portal.services.paging import Page
from portal.services.reruns import RERUN_KINDS
from portal.services.workloads import WorkloadFilter
from portal.spec.load import load_resolved

EXPORTED = 10_000
"""Rows of one export at most."""
_EXPORT_BATCH = 500


@dataclass(frozen=True)
class WorkloadLine:
    """One row; the reason is in plain words, "" where there is nothing to say. `model` is None until one is stored."""

    workload: Workload
    resources: str
    reason_ko: str
    reason_en: str
    model: Model | None
    slurm_ids: tuple[int, ...]
    may_cancel: bool
    may_rerun: bool
    may_clone: bool


async def page(
    session: AsyncSession, actor: Actor, wanted: WorkloadFilter, number: int, size: int
) -> Page[WorkloadLine]:
    """A page of the visible workloads. Raises Invalid for an unknown sort."""
    found = await workloads.page(session, actor, wanted, number, size)
    return Page(await lines(session, actor, found.items), found.total)


async def exported(session: AsyncSession, actor: Actor, wanted: WorkloadFilter) -> list[WorkloadLine]:
    """All rows of a filter, up to EXPORTED."""
    found: list[WorkloadLine] = []
    for number in range(1, EXPORTED // _EXPORT_BATCH + 1):
        part = await page(session, actor, wanted, number, _EXPORT_BATCH)
        found += part.items
        if len(part.items) < _EXPORT_BATCH:
            break
    return found


async def lines(session: AsyncSession, actor: Actor, found: Sequence[Workload]) -> list[WorkloadLine]:
    """The rows of these workloads; one query for all their models."""
    query = select(Model).where(Model.workload_id.in_([one.id for one in found]))
    models = {model.workload_id: model for model in (await session.scalars(query)).unique()}
    return [_line(actor, workload, models.get(workload.id)) for workload in found]


def _line(actor: Actor, workload: Workload, model: Model | None) -> WorkloadLine:
    facts = workload_facts(workload)
    reason_ko, reason_en = _reason(workload)
    jobs = workload.attempts[-1].jobs if workload.attempts else []
    again = workload.kind in RERUN_KINDS and allowed(actor, Permission.WORKLOAD_RERUN, facts)
    asks = workload.kind in RERUN_KINDS and allowed(actor, Permission.APP_SUBMIT, facts.app)
    return WorkloadLine(
        workload=workload,
        resources=resources_text(load_resolved(workload.resolved or workload.spec)),
        reason_ko=reason_ko,
        reason_en=reason_en,
        model=model,
        slurm_ids=tuple(job.leader_id for job in jobs if job.leader_id is not None),
        may_cancel=workload.cancel_requested_at is None
        and workload.state != State.SAVING
        and allowed(actor, Permission.WORKLOAD_CANCEL, facts),
        may_rerun=again and State(workload.state) in TERMINAL,
        may_clone=asks and workload.app.archived_at is None,
    )


def _reason(workload: Workload) -> tuple[str, str]:
    """(Korean, English): why it waits or what became of it, from the row alone; the workload's page knows more."""
    current = State(workload.state)
    if current is State.AWAITING_APPROVAL:
        passed = workload.test is not None and workload.test.status == "passed"
        found = explain_before_slurm(Waiting.APPROVAL if passed else Waiting.TEST)
        return found.text_ko, found.text_en
    if current is State.QUEUED and (job := queue.current_job(workload)) is not None and job.reason not in ("", "None"):
        found = explain(job.reason)
        return found.text_ko, found.text_en
    if current is State.REJECTED:
        return workload.reject_reason, workload.reject_reason
    if current is State.CANCELLED:
        return workload.cancel_reason, workload.cancel_reason
    return words_of(workload.failure) if workload.failure else ("", "")
