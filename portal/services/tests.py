"""The minimal run test: a small run of exactly the images and graph of a request, before an admin may approve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import LoopTest, User, Workload, now
from portal.domain.approval import (
    StepSize,
    TestFacts,
    TestStatus,
    TestTooLarge,
    default_sizes,
    sizes_for_test,
    test_refusal,
)
from portal.domain.lifecycle import Decision, Phase, State
from portal.domain.permissions import ADMIN, RESEARCHER, Permission
from portal.services import state
from portal.services.access import demand, readable_workload, thresholds, workload_facts
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid
from portal.services.ids import new_workload_id
from portal.settings import Settings
from portal.spec.load import load_resolved
from slurm.units import memory_mib

KIND = "test"
RL = "rl"
EPISODES = range(10, 1001)
ITERATIONS = range(5, 21)


@dataclass(frozen=True)
class TestRequest:
    """What the asker wants otherwise than the site's defaults; sizes count for every component that asks for more."""

    __test__ = False  # not a test class

    episodes: int | None = None
    iterations: int | None = None
    gpus: int | None = None
    memory: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def facts_of(test: LoopTest | None) -> TestFacts | None:
    """A test as the rules see it."""
    return None if test is None else TestFacts(TestStatus(test.status), test.spec_hash)


async def start(
    session: AsyncSession, actor: Actor, settings: Settings, workload_id: str, wanted: TestRequest
) -> LoopTest:
    """Start a test for a request. Raises NotFound, Forbidden, Conflict (not waiting, or one runs), Invalid (too large)."""
    workload = await readable_workload(session, actor, workload_id)
    refusal = test_refusal(needs_approval=workload.needs_approval, test=facts_of(workload.test))
    if refusal is None and workload.state != State.AWAITING_APPROVAL:
        raise Conflict(
            "not_waiting",
            f"{workload_id} does not wait for approval (it is {workload.state}), so there is nothing to test.",
            f"{workload_id}은(는) 승인대기 상태가 아니라 테스트할 것이 없습니다 (지금: {workload.state}).",
        )
    if refusal is not None:
        raise Conflict(refusal.code, refusal.text_en, refusal.text_ko)
    demand(actor, Permission.WORKLOAD_TEST, workload_facts(workload), role=RESEARCHER)
    executed_by = await session.get_one(User, actor.user_id)
    return await start_for(session, workload, executed_by, settings, wanted, actor=actor)


async def start_for(
    session: AsyncSession,
    workload: Workload,
    executed_by: User,
    settings: Settings,
    wanted: TestRequest | None = None,
    *,
    actor: Actor | None = None,
) -> LoopTest:
    """Make the test's own workload (it runs as the applicant's Unix user) and its row; one is one change."""
    wanted = wanted or TestRequest()
    counts = _counts(settings, workload.kind, wanted)
    sizes = _sizes(settings, workload, wanted, is_admin=executed_by.role == ADMIN)
    run = Workload(
        id=new_workload_id(),
        name=f"{workload.name} · test"[:128],
        kind=KIND,
        app_id=workload.app_id,
        app_version=workload.app_version,
        owner_id=workload.owner_id,
        state=State.QUEUED.value,
        phase=Phase.PREPARING.value,
        decision=Decision.NOT_REQUIRED.value,
        spec=workload.spec,
        gpu_types=workload.gpu_types,
        resolved=workload.resolved,
        spec_hash=workload.spec_hash,
        options={"tested_kind": workload.kind, "params": dict(wanted.params), "sizes": _as_json(sizes), **counts},
        time_limit_min=settings.policy.test_time_limit_min,
        queued_at=now(),
    )
    session.add(run)
    await session.flush()
    test = LoopTest(
        spec_hash=workload.spec_hash or "",
        requested_for_id=workload.id,
        run_id=run.id,
        status=TestStatus.RUNNING.value,
        episodes=counts.get("episodes") or counts.get("iterations"),
        size=_as_json(sizes),
        executed_by_id=executed_by.id,
    )
    session.add(test)
    await session.flush()
    who = actor or Actor(name=executed_by.username, user_id=executed_by.id, role=executed_by.role)
    facts = {"run": run.id, "spec_hash": workload.spec_hash, **counts}
    record(session, who, Action.TEST_START, "workload", workload.id, after=facts)
    state.event(session, workload, "portal", "test_started", text=who.name, data=facts)
    await session.refresh(test, ["executed_by"])
    return test


def _counts(settings: Settings, kind: str, wanted: TestRequest) -> dict[str, int]:
    """Episodes of an RL test or iterations of a general one. Raises Invalid outside their ranges."""
    if kind == RL:
        name, value, allowed = "episodes", wanted.episodes or settings.policy.test_episodes, EPISODES
    else:
        name, value, allowed = "iterations", wanted.iterations or settings.policy.test_iterations, ITERATIONS
    if value not in allowed:
        raise Invalid(
            f"test_{name}",
            f"{name} must be {allowed.start} to {allowed.stop - 1}; it is {value}.",
            f"{name}은(는) {allowed.start}~{allowed.stop - 1}이어야 합니다 (지금: {value}).",
        )
    return {name: value}


def _sizes(settings: Settings, workload: Workload, wanted: TestRequest, *, is_admin: bool) -> dict[str, StepSize]:
    spec = load_resolved(workload.resolved or {})
    policy = settings.policy
    defaults = default_sizes(spec, gpus=policy.test_gpus, memory_mib=memory_mib(policy.test_memory))
    changed: dict[str, StepSize] = {}
    if wanted.gpus is not None or wanted.memory is not None:
        gpus = policy.test_gpus if wanted.gpus is None else wanted.gpus
        memory = memory_mib(policy.test_memory) if wanted.memory is None else _memory(wanted.memory)
        changed = default_sizes(spec, gpus=gpus, memory_mib=memory)
        changed = {step: replace(size, nodes=defaults[step].nodes) for step, size in changed.items()}
    try:
        return sizes_for_test(spec, changed, defaults=defaults, thresholds=thresholds(settings), is_admin=is_admin)
    except TestTooLarge as error:
        raise Invalid(
            "test_too_large",
            f"The test is larger than you may make it: {error}.",
            f"테스트 크기가 허용된 것보다 큽니다: {error}.",
        ) from error


def _memory(text: str) -> int:
    try:
        return memory_mib(text)
    except ValueError as error:
        raise Invalid("memory", str(error), f"메모리를 읽을 수 없습니다: {text}") from error


def _as_json(sizes: Mapping[str, StepSize]) -> dict[str, Any]:
    return {step: size.as_json() for step, size in sizes.items()}
