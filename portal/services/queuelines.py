"""The portal's own waiting lines, read by columns: a queue of thousands costs one statement, and its specs are read once.

What a line says of its spec and plan (resources, GPUs) is kept by this process as long as they stay the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Row, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.compile.steps import CpuPolicy
from portal.db.models import App, Attempt, SlurmJob, User, Workload
from portal.domain.lifecycle import State
from portal.domain.permissions import AppFacts, Permission, WorkloadFacts, may
from portal.domain.priority import PriorityScale
from portal.domain.resources_text import largest, resources_text
from portal.services.access import SHARE_LOGS, person_of
from portal.services.audit import Actor
from portal.services.planning import gpus_of_plan
from portal.services.queueentry import QueueEntry
from portal.services.site import site_policy
from portal.settings import Settings
from portal.spec.load import load_resolved
from portal.spec.models import Resources

HIDDEN_KINDS = frozenset({"test"})
_MOST_KEPT = 20_000
_AT_ONCE = 500
Key = tuple[str, str, int]
"""A workload with its spec as it is now, and its attempt with its plan."""


@dataclass(frozen=True)
class Asked:
    """What a spec and a plan say that a line shows."""

    resources: str
    gpus: Mapping[str, int]
    largest: Resources


_KEPT: WeakKeyDictionary[Engine, OrderedDict[Key, Asked]] = WeakKeyDictionary()


async def read(session: AsyncSession, actor: Actor, settings: Settings, *, mine: bool = False) -> list[QueueEntry]:
    """All waiting workloads but tests, in the order of level, rank and age; their `order` is 0, no place yet."""
    rows = await _rows(session, actor if mine else None)
    asked = await _asked(session, {_key(row) for row in rows})
    scale, cpus = PriorityScale.of(settings), site_policy(settings).cpus
    return [_line(actor, scale, cpus, row, asked[_key(row)]) for row in rows]


async def _rows(session: AsyncSession, owner: Actor | None) -> Sequence[Row[Any]]:
    """One row a workload: its first Slurm job of the last attempt that has not ended, if there is one."""
    newest = (
        select(func.max(Attempt.number)).where(Attempt.workload_id == Workload.id).correlate(Workload).scalar_subquery()
    )
    first = (
        select(func.min(SlurmJob.job_index))
        .where(SlurmJob.attempt_id == Attempt.id, SlurmJob.status == "submitted")
        .correlate(Attempt)
        .scalar_subquery()
    )
    query = (
        select(
            Workload.id,
            Workload.name,
            Workload.kind,
            Workload.owner_id,
            Workload.state,
            Workload.phase,
            Workload.priority,
            Workload.queue_rank,
            Workload.held,
            Workload.submitted_at,
            Workload.spec_hash,
            Workload.revision,
            Workload.needs_approval,
            Workload.options,
            User.display_name,
            App.owner_id.label("app_owner_id"),
            App.visibility,
            App.share_logs,
            App.editor_ids,
            Attempt.id.label("attempt_id"),
            SlurmJob.leader_id,
            SlurmJob.slurm_priority,
            SlurmJob.reason,
            SlurmJob.estimated_start,
            SlurmJob.changed_outside_at,
            SlurmJob.applied_qos,
            SlurmJob.applied_nice,
            SlurmJob.applied_held,
            SlurmJob.reorder_error,
            SlurmJob.id.label("job_id"),
        )
        .join(User, Workload.owner_id == User.id)
        .join(App, Workload.app_id == App.id)
        .outerjoin(Attempt, and_(Attempt.workload_id == Workload.id, Attempt.number == newest))
        .outerjoin(SlurmJob, and_(SlurmJob.attempt_id == Attempt.id, SlurmJob.job_index == first))
        .where(Workload.state == State.QUEUED.value, Workload.kind.not_in(HIDDEN_KINDS))
        .order_by(Workload.queue_rank, Workload.queued_at, Workload.id)
    )
    if owner is not None:
        query = query.where(Workload.owner_id == owner.user_id)
    rows: Sequence[Row[Any]] = list(await session.execute(query))  # the columns have names; their types are too many
    return rows


def _key(row: Row[Any]) -> Key:
    return row.id, row.spec_hash or f"r{row.revision}", row.attempt_id or 0


async def _asked(session: AsyncSession, keys: set[Key]) -> Mapping[Key, Asked]:
    """Of each line; the specs and plans of those that this process does not know are read together."""
    engine = session.get_bind()
    kept: OrderedDict[Key, Asked] = (
        _KEPT.setdefault(engine, OrderedDict()) if isinstance(engine, Engine) else OrderedDict()
    )
    found = {key: kept[key] for key in keys if key in kept}
    missing = sorted(keys - found.keys())
    for start in range(0, len(missing), _AT_ONCE):
        some = {key[0]: key for key in missing[start : start + _AT_ONCE]}
        query = (
            select(Workload.id, Workload.resolved, Workload.spec, Attempt.plan)
            .outerjoin(
                Attempt, and_(Attempt.workload_id == Workload.id, Attempt.id.in_([key[2] for key in some.values()]))
            )
            .where(Workload.id.in_(some))
        )
        for workload_id, resolved, spec, plan in await session.execute(query):
            found[some[workload_id]] = _of_spec(resolved or spec, plan)
    kept.update({key: found[key] for key in missing if key in found})
    while len(kept) > _MOST_KEPT:
        kept.popitem(last=False)
    return found


def _of_spec(document: Any, plan: Any) -> Asked:
    spec = load_resolved(document)
    return Asked(resources_text(spec), gpus_of_plan(plan or {}), largest(spec).resources)


def _line(actor: Actor, scale: PriorityScale, cpus: CpuPolicy, row: Row[Any], asked: Asked) -> QueueEntry:
    wanted = scale.slurm_values(row.priority, row.queue_rank, row.kind)
    private = not may(person_of(actor), Permission.WORKLOAD_READ, _facts(row))
    has_job = row.job_id is not None
    return QueueEntry(
        order=0,
        workload_id=None if private else row.id,
        name="" if private else row.name,
        priority=row.priority,
        resources=asked.resources,
        applicant=row.display_name,
        state=row.state,
        phase=row.phase,
        submitted_at=row.submitted_at,
        slurm_id=row.leader_id,
        slurm_priority=row.slurm_priority,
        slurm_reason=row.reason or "",
        estimated_start=row.estimated_start,
        held=row.held,
        changed_outside_at=row.changed_outside_at,
        private=private,
        gpus=asked.gpus,
        cpus=cpus.cpus(asked.largest),
        nice=row.applied_nice,
        wanted_nice=wanted[1],
        applying=has_job and (row.applied_qos, row.applied_nice, row.applied_held) != (*wanted, row.held),
        not_changed=row.reorder_error or "",
        own=row.owner_id == actor.user_id,
    )


def _facts(row: Row[Any]) -> WorkloadFacts:
    editors = frozenset(int(one) for one in (row.editor_ids or "").split())
    return WorkloadFacts(
        owner_id=row.owner_id,
        app=AppFacts(row.app_owner_id, row.visibility == "lab", row.share_logs, editors),
        state=State(row.state),
        needs_approval=row.needs_approval,
        share_logs=bool(row.options.get(SHARE_LOGS)),
        active_admins=2,
    )
