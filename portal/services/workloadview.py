"""One workload as its page shows it: the road, every step as it is now, rewards, why it waits, and what one may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, Event, Model, SlurmJob, User, Workload, now
from portal.domain.efficiency import Report
from portal.domain.failure import words_of
from portal.domain.lifecycle import LIVE, State
from portal.domain.permissions import Permission, granted
from portal.domain.resources_text import largest_text, resources_text
from portal.domain.road import RoadFacts, Station, road
from portal.domain.series import Figures, Point, best_row, figures, in_a_row
from portal.domain.usage import Use
from portal.services import efficiency, queue, why
from portal.services.access import person_of, readable_workload, workload_facts
from portal.services.audit import Actor
from portal.services.planning import plan_of, plan_words
from portal.services.runwatch import RunNow, RunWatch
from portal.services.why import Why
from portal.settings import Settings
from portal.spec.graph import components_of
from portal.spec.load import load_resolved
from portal.spec.models import AppSpec, Component, GoalCondition

REWARD = "reward"


@dataclass(frozen=True)
class StepView:
    """One component of the run: what it is, what it asks for, and how it is doing."""

    number: int
    step: str
    name: str
    image: str
    gpu_type: str
    gpus: int
    nodes: int
    memory_mib: int
    service: bool
    state: str
    attempt_try: int
    hosts: tuple[str, ...]
    gpu_indices: tuple[int, ...]
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    signal: int | None
    reason: str
    use: Use | None

    @property
    def task_id(self) -> str:
        """The Task that it belongs to."""
        return self.step.partition("/")[0]

    @property
    def node_id(self) -> str:
        """Its id within the Task."""
        return self.step.partition("/")[2]

    @property
    def seconds(self) -> float | None:
        """How long it ran, or has been running."""
        return None if self.started_at is None else ((self.ended_at or now()) - self.started_at).total_seconds()


@dataclass(frozen=True)
class GoalView:
    """A goal and how far it is: `row` values in a row meet it now, `best` ever did; None: nothing was reported."""

    goal: GoalCondition
    row: int | None
    best: int | None

    @property
    def met(self) -> bool:
        """Reached at some time."""
        return self.best is not None and self.best >= self.goal.episodes


@dataclass(frozen=True)
class Reward:
    """The reward that the run reports: which step, its points, and their figures."""

    step: StepView
    points: tuple[Point, ...]
    figures: Figures


@dataclass(frozen=True)
class RunView:
    """Everything that the head and the overview of a workload's page show."""

    workload: Workload
    spec: AppSpec
    held: frozenset[Permission]
    is_owner: bool
    why: Why
    road: tuple[Station, ...]
    attempt: Attempt | None
    job: SlurmJob | None
    now: RunNow
    steps: tuple[StepView, ...]
    plan_ko: tuple[str, ...]
    plan_en: tuple[str, ...]
    reward: Reward | None
    goals: tuple[GoalView, ...]
    efficiency: tuple[Report, ...]
    episodes: int | None
    model: Model | None
    events: int
    reruns: tuple[str, ...]
    no_model: bool

    @property
    def state(self) -> State:
        """Where it is."""
        return State(self.workload.state)

    @property
    def resources(self) -> str:
        """`A100 x 4, 128GB +4`."""
        return resources_text(self.spec)

    @property
    def largest(self) -> str:
        """`A100 x 4, 128GB`."""
        return largest_text([component for _path, _task, component in components_of(self.spec)])

    @property
    def episode(self) -> int | None:
        """The newest episode that was reported."""
        return int(self.reward.points[-1][0]) if self.reward else None

    @property
    def ran_s(self) -> float | None:
        """Running time so far, by Slurm's clock, over the jobs of this attempt."""
        began = self.workload.started_at
        return None if began is None else ((self.workload.ended_at or now()) - began).total_seconds()

    @property
    def failure(self) -> Mapping[str, Any]:
        """Why it failed; the step that died first already before the run has ended."""
        return self.workload.failure or {}

    @property
    def failure_words(self) -> tuple[str, str]:
        """(Korean, English) sentence of the failure, naming the component as people do."""
        names = {step.step: step.name for step in self.steps}
        step = self.failure.get("step")
        return words_of({**self.failure, **({"step": names.get(step, step)} if step else {})})

    @property
    def stopped_after(self) -> tuple[StepView, ...]:
        """What was stopped or never started because of the failure."""
        return tuple(step for step in self.steps if step.state in {"cancelled", "skipped"})

    @property
    def states(self) -> Mapping[str, str]:
        """Step id -> state, and Task id -> "completed" when all of its steps are."""
        tasks = {step.task_id: "completed" for step in self.steps}
        tasks |= {step.task_id: step.state for step in self.steps if step.state != "completed"}
        return {**{step.step: step.state for step in self.steps}, **tasks}

    @property
    def groups(self) -> int:
        """Het groups of the plan, over all its Slurm jobs."""
        return sum(len(job["groups"]) for job in self.attempt.plan["jobs"]) if self.attempt else 0

    def name_of(self, step: str) -> str:
        """The name of the component that this step is."""
        return next((one.name for one in self.steps if one.step == step), step)

    @property
    def live(self) -> bool:
        """It may still change."""
        return self.state in LIVE

    def may(self, name: str) -> bool:
        """Whether who looks holds `workload:NAME` on it now."""
        return Permission(f"workload:{name}") in self.held

    @property
    def running_steps(self) -> tuple[StepView, ...]:
        """What a cancel would stop."""
        return tuple(step for step in self.steps if step.state == "running")


async def view(
    session: AsyncSession, actor: Actor, settings: Settings, runs: RunWatch, workload_id: str, number: int | None = None
) -> RunView:
    """The workload as this person may see it; `number` chooses an earlier attempt. Raises NotFound."""
    workload = await readable_workload(session, actor, workload_id)
    spec = load_resolved(workload.resolved or workload.spec)
    attempt = _attempt(workload, number)
    seen = await runs.look(workload, attempt)
    steps = steps_of(spec, seen)
    reward = _reward(steps, seen)
    words_en, words_ko = plan_words(plan_of(attempt.plan), spec, settings) if attempt else ((), ())
    kinds, count, saving_at = await _story(session, workload)
    return RunView(
        workload=workload,
        spec=spec,
        held=granted(person_of(actor), workload_facts(workload)),
        is_owner=actor.user_id == workload.owner_id,
        why=await why.explain(session, actor, settings, workload.id),
        road=road(await _road_facts(session, workload, saving_at)),
        attempt=attempt,
        job=queue.current_job(workload) or (attempt.jobs[-1] if attempt and attempt.jobs else None),
        now=seen,
        steps=steps,
        plan_ko=words_ko,
        plan_en=words_en,
        reward=reward,
        goals=_goals(spec, seen, steps),
        efficiency=efficiency.reports(attempt) if attempt else (),
        episodes=_episodes(workload, spec),
        model=await session.scalar(select(Model).where(Model.workload_id == workload.id)),
        events=count,
        reruns=tuple(await session.scalars(select(Workload.id).where(Workload.rerun_of == workload.id))),
        no_model="no_model" in kinds,
    )


def _attempt(workload: Workload, number: int | None) -> Attempt | None:
    chosen = [attempt for attempt in workload.attempts if number in {None, attempt.number}]
    return chosen[-1] if chosen else (workload.attempts[-1] if workload.attempts else None)


async def _story(session: AsyncSession, workload: Workload) -> tuple[set[str], int, datetime | None]:
    """Kinds of its events, how many, and when its results began to be saved (the newest time)."""
    query = select(Event.kind, func.count(), func.max(Event.at)).where(Event.workload_id == workload.id)
    rows = list(await session.execute(query.group_by(Event.kind)))
    saving = next((at for kind, _count, at in rows if kind == "state_saving"), None)
    return {kind for kind, _count, _at in rows}, sum(count for _kind, count, _at in rows), saving


async def _road_facts(session: AsyncSession, workload: Workload, saving_at: datetime | None) -> RoadFacts:
    test = workload.test if workload.needs_approval else None
    decider = await session.get(User, workload.decided_by_id) if workload.decided_by_id else None
    handed_over = workload.attempts[-1].created_at if workload.attempts else None
    return RoadFacts(
        state=State(workload.state),
        needs_approval=workload.needs_approval,
        owner=workload.owner.display_name,
        submitted_at=workload.submitted_at,
        test=test.status if test else "",
        test_began_at=test.created_at if test else None,
        test_ended_at=test.executed_at if test else None,
        decided_at=workload.decided_at,
        decided_by=decider.display_name if decider else "",
        queued_at=workload.queued_at,
        handed_over_at=handed_over,
        started_at=workload.started_at,
        saving_at=saving_at,
        ended_at=workload.ended_at,
    )


def steps_of(spec: AppSpec, seen: RunNow) -> tuple[StepView, ...]:
    """Every component in the spec's order with what the run says of it."""
    said = seen.report.get("steps", {})
    return tuple(
        _step(number, f"{task.task_id}/{component.id}", component, said.get(f"{task.task_id}/{component.id}", {}), seen)
        for number, (_path, task, component) in enumerate(components_of(spec), 1)
    )


def _step(number: int, step: str, component: Component, said: Mapping[str, Any], seen: RunNow) -> StepView:
    asked = component.resources
    return StepView(
        number=number,
        step=step,
        name=component.name,
        image=component.image.reference,
        gpu_type=asked.gpu_type or "",
        gpus=asked.gpu_count,
        nodes=asked.nodes,
        memory_mib=asked.memory_mib,
        service=component.service,
        state=said.get("state", "waiting"),
        attempt_try=said.get("try") or 0,
        hosts=tuple(said.get("hosts") or ()),
        gpu_indices=seen.gpus.get(step, ()),
        started_at=_time(said.get("started")),
        ended_at=_time(said.get("ended")),
        exit_code=said.get("exit_code"),
        signal=said.get("signal"),
        reason=said.get("reason") or "",
        use=seen.uses.get(step),
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _reward(steps: Sequence[StepView], seen: RunNow) -> Reward | None:
    """Of the last component in order that reports rewards, as the minimal run test takes it."""
    for step in reversed(steps):
        points = seen.series.get(step.step, {}).get(REWARD, ())
        found = figures(points)
        if found is not None:
            return Reward(step, tuple(points), found)
    return None


def _goals(spec: AppSpec, seen: RunNow, steps: Iterable[StepView]) -> tuple[GoalView, ...]:
    config = spec.training_config
    ids = [step.step for step in steps]
    return tuple(_goal(goal, seen, ids) for goal in (config.goal_conditions if config else ()))


def _goal(goal: GoalCondition, seen: RunNow, steps: Sequence[str]) -> GoalView:
    for step in reversed(steps):
        points = seen.series.get(step, {}).get(goal.metric, ())
        if points:
            values = [y for _, y in points]
            return GoalView(goal, in_a_row(values, goal.op, goal.value), best_row(values, goal.op, goal.value))
    return GoalView(goal, None, None)


def _episodes(workload: Workload, spec: AppSpec) -> int | None:
    """How many episodes the run is to have; None where it has none."""
    asked = workload.options.get("episodes")
    if asked is None and spec.training_config is not None and workload.kind == "rl":
        asked = spec.training_config.episodes
    return None if asked is None else int(asked)
