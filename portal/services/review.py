"""One request with everything that a decision needs: what is asked, what was tested, what it would take (AP-02, AP-04)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import AppVersion, Event, LoopTest, User, Workload
from portal.domain.approval import Refusal, Thresholds, approve_refusal, test_refusal
from portal.domain.kinds import NO_REQUESTS
from portal.domain.lifecycle import Decision, State
from portal.domain.permissions import ADMIN, RESEARCHER, Permission
from portal.services import cluster, efficiency, planning, workloads
from portal.services.access import active_admins, allowed, demand, readable_workload, thresholds, workload_facts
from portal.services.audit import Actor
from portal.services.errors import NotFound, ServiceError
from portal.services.planning import PlanPreview
from portal.services.tests import facts_of
from portal.settings import Settings
from portal.spec.diff import DiffGroup, diff_specs
from portal.spec.graph import components_of
from portal.spec.load import load_resolved
from portal.spec.models import AppSpec, Component


@dataclass(frozen=True)
class Asked:
    """One component: what it asks for a node, whether that reaches a threshold, and what its test got and took (MiB)."""

    step: str
    name: str
    component: Component
    over_gpus: bool
    over_memory: bool
    test_size: Mapping[str, int] | None
    peak_memory_mib: float | None

    @property
    def memory_mib(self) -> int:
        """Over all its nodes, as the threshold counts."""
        return self.component.resources.memory_mib * self.component.resources.nodes


@dataclass(frozen=True)
class Past:
    """How many requests the applicant made before this one, by decision."""

    total: int
    by_decision: Mapping[str, int]


@dataclass(frozen=True)
class Effect:
    """What a start would take of one GPU type: asked for at once, idle now (None: not known), and others that wait for it."""

    label: str
    wanted: int
    idle: int | None
    waiting: int


@dataclass(frozen=True)
class Compared:
    """The last approved run of the App before this request, and what differs."""

    workload: Workload
    groups: tuple[DiffGroup, ...]

    @property
    def count(self) -> int:
        """How many fields differ; a part that came or went is one."""
        return sum(max(len(group.changes), 1) for group in self.groups)


@dataclass(frozen=True)
class Review:
    """Everything of P14. `tests` are those of its hash, newest first, then the void ones; `plan` is None with `plan_problem`
    saying why."""

    workload: Workload
    spec: AppSpec
    past: Past
    thresholds: Thresholds
    asked: tuple[Asked, ...]
    tests: tuple[LoopTest, ...]
    compared: Compared | None
    newer_version: str
    plan: PlanPreview | None
    plan_problem: ServiceError | None
    effects: tuple[Effect, ...]
    events: tuple[Event, ...]
    decided_by: str
    approve_refusal: Refusal | None
    test_refusal: Refusal | None
    may_decide: bool
    own_request: bool
    may_test: bool

    @property
    def test(self) -> LoopTest | None:
        """The test that counts."""
        return self.workload.test

    @property
    def open(self) -> bool:
        """Whether it waits for its decision."""
        return self.workload.state == State.AWAITING_APPROVAL


async def review(session: AsyncSession, actor: Actor, settings: Settings, workload_id: str) -> Review:
    """A request as its reviewer and its applicant see it. Raises NotFound (also another's request), Forbidden for viewers."""
    demand(actor, Permission.APPROVALS_READ, role=RESEARCHER)
    workload = await readable_workload(session, actor, workload_id)
    if workload.kind in NO_REQUESTS or (actor.role != ADMIN and workload.owner_id != actor.user_id):
        raise NotFound("workload", workload_id)
    spec = load_resolved(workload.resolved or workload.spec)
    plan, problem = await _plan(session, settings, workload, spec)
    facts = workload_facts(workload, await active_admins(session))
    tested = facts_of(workload.test)
    reviewed = workload.spec_hash or ""
    return Review(
        workload=workload,
        spec=spec,
        past=await _past(session, workload),
        thresholds=thresholds(settings),
        asked=await _asked(session, workload, spec),
        tests=(*reversed(workload.tests), *await _void_tests(session, workload)),
        compared=await _compared(session, workload, spec),
        newer_version=await _newer_version(session, workload),
        plan=plan,
        plan_problem=problem,
        effects=await _effects(session, settings, workload, plan),
        events=tuple(await workloads.events(session, actor, workload.id)),
        decided_by=await _name(session, workload.decided_by_id),
        approve_refusal=approve_refusal(spec_hash=reviewed, reviewed_hash=reviewed, test=tested),
        test_refusal=test_refusal(needs_approval=workload.needs_approval, test=tested),
        may_decide=allowed(actor, Permission.WORKLOAD_APPROVE, facts),
        own_request=actor.role == ADMIN and actor.user_id == workload.owner_id,
        may_test=allowed(actor, Permission.WORKLOAD_TEST, facts),
    )


async def _void_tests(session: AsyncSession, workload: Workload) -> Sequence[LoopTest]:
    """Tests of what the request was before it was changed, newest first; none of them counts any more (D7)."""
    query = select(LoopTest).where(
        LoopTest.requested_for_id == workload.id, LoopTest.spec_hash != (workload.spec_hash or "")
    )
    return (await session.scalars(query.order_by(LoopTest.id.desc()))).all()


async def _asked(session: AsyncSession, workload: Workload, spec: AppSpec) -> tuple[Asked, ...]:
    over = {(reason["step"], reason["resource"]) for reason in workload.approval_reasons}
    test = workload.test
    sizes: Mapping[str, Any] = test.size if test else {}
    run = await session.get(Workload, test.run_id) if test else None
    peaks = efficiency.peaks(run) if run else {}
    found = []
    for _path, task, component in components_of(spec):
        step = f"{task.task_id}/{component.id}"
        found.append(
            Asked(
                step,
                component.name,
                component,
                (step, "gpu") in over,
                (step, "memory") in over,
                sizes.get(step),
                peaks.get(step),
            )
        )
    return tuple(found)


async def _past(session: AsyncSession, workload: Workload) -> Past:
    query = (
        select(Workload.decision, func.count())
        .where(
            Workload.owner_id == workload.owner_id,
            Workload.kind.not_in(NO_REQUESTS),
            Workload.submitted_at < workload.submitted_at,
        )
        .group_by(Workload.decision)
    )
    counts = {row[0]: row[1] for row in await session.execute(query)}
    return Past(sum(counts.values()), counts)


async def _compared(session: AsyncSession, workload: Workload, spec: AppSpec) -> Compared | None:
    query = (
        select(Workload)
        .where(
            Workload.app_id == workload.app_id,
            Workload.id != workload.id,
            Workload.decision == Decision.APPROVED.value,
            Workload.submitted_at <= workload.submitted_at,
        )
        .order_by(Workload.decided_at.desc())
        .limit(1)
    )
    earlier = await session.scalar(query)
    if earlier is None:
        return None
    return Compared(earlier, diff_specs(load_resolved(earlier.resolved or earlier.spec), spec))


async def _newer_version(session: AsyncSession, workload: Workload) -> str:
    """The App's newest version, "" when the request has it already; it changes nothing in the request (D7)."""
    query = (
        select(AppVersion.version).where(AppVersion.app_id == workload.app_id).order_by(AppVersion.id.desc()).limit(1)
    )
    newest = await session.scalar(query)
    return "" if newest in (None, workload.app_version) else str(newest)


async def _plan(
    session: AsyncSession, settings: Settings, workload: Workload, spec: AppSpec
) -> tuple[PlanPreview | None, ServiceError | None]:
    options = workload.options
    try:
        plan = await planning.preview(
            session,
            settings,
            spec,
            form=options.get("form", "auto"),
            smallest=options.get("smallest", False),
            account=workload.owner.slurm_account,
            time_limit_min=workload.time_limit_min,
        )
    except ServiceError as error:
        return None, error
    return plan, None


async def _effects(
    session: AsyncSession, settings: Settings, workload: Workload, plan: PlanPreview | None
) -> tuple[Effect, ...]:
    """By GPU type of the plan: the most that one of its jobs holds at once."""
    wanted = planning.gpus_of_plan(plan.plan if plan else {})
    if not wanted:
        return ()
    view = await cluster.nodes(session, settings)
    waiting = await _waiting_types(session, workload)
    return tuple(
        Effect(
            label,
            count,
            view.gpus[label].idle if label in view.gpus else None,
            sum(label in types for types in waiting),
        )
        for label, count in wanted.items()
    )


async def _waiting_types(session: AsyncSession, workload: Workload) -> list[set[str]]:
    """The GPU types of each workload that waits in the queue."""
    query = select(Workload.resolved, Workload.spec).where(
        Workload.state == State.QUEUED.value, Workload.id != workload.id, Workload.kind.not_in(NO_REQUESTS)
    )
    rows = (await session.execute(query)).all()
    return [
        {
            component["resources"]["gpu_type"]
            for task in (resolved or spec)["tasks"]
            for component in task["components"]
            if component["resources"].get("gpu_type")
        }
        for resolved, spec in rows
    ]


async def _name(session: AsyncSession, user_id: int | None) -> str:
    user = await session.get(User, user_id) if user_id else None
    return user.display_name if user else ""
