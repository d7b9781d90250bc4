"""The one state table of a workload: states, phases, and which change by which event is allowed.

    submitted -> awaiting_approval -> queued -> running -> saving -> completed
                                   -> rejected        `-> failed        cancelled: from every live state
State and decision are two things (decision D1): no workload is ever in a state "approved".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a workload is."""

    SUBMITTED = "submitted"
    AWAITING_APPROVAL = "awaiting_approval"
    QUEUED = "queued"
    RUNNING = "running"
    SAVING = "saving"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Phase(StrEnum):
    """What is being done inside a state; small text beside it."""

    NONE = ""
    CHECKING = "checking"
    PREPARING = "preparing"
    SLURM_PENDING = "slurm_pending"
    HELD = "held"
    STARTING = "starting"
    CANCELLING = "cancelling"


class Decision(StrEnum):
    """What was decided about a request; never a state."""

    AWAITING = "awaiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    NOT_REQUIRED = "not_required"


LIVE = frozenset({State.SUBMITTED, State.AWAITING_APPROVAL, State.QUEUED, State.RUNNING, State.SAVING})
TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.REJECTED})

PHASES: dict[State, frozenset[Phase]] = {
    State.SUBMITTED: frozenset({Phase.NONE, Phase.CHECKING, Phase.CANCELLING}),
    State.AWAITING_APPROVAL: frozenset({Phase.NONE, Phase.CANCELLING}),
    State.QUEUED: frozenset(
        {Phase.NONE, Phase.CHECKING, Phase.PREPARING, Phase.SLURM_PENDING, Phase.HELD, Phase.CANCELLING}
    ),
    State.RUNNING: frozenset({Phase.NONE, Phase.STARTING, Phase.CANCELLING}),
    State.SAVING: frozenset({Phase.NONE, Phase.CANCELLING}),
    **{state: frozenset({Phase.NONE}) for state in TERMINAL},
}
"""Which phases a state can show."""


@dataclass(frozen=True)
class Transition:
    """One allowed change and what brings it about."""

    before: State
    after: State
    event: str


TABLE = (
    Transition(State.SUBMITTED, State.AWAITING_APPROVAL, "over_threshold"),
    Transition(State.SUBMITTED, State.QUEUED, "under_threshold"),
    Transition(State.SUBMITTED, State.FAILED, "image_failed"),
    Transition(State.SUBMITTED, State.CANCELLED, "cancelled"),
    Transition(State.AWAITING_APPROVAL, State.SUBMITTED, "edited"),
    Transition(State.AWAITING_APPROVAL, State.QUEUED, "approved"),
    Transition(State.AWAITING_APPROVAL, State.REJECTED, "rejected"),
    Transition(State.AWAITING_APPROVAL, State.CANCELLED, "cancelled"),
    Transition(State.QUEUED, State.RUNNING, "started"),
    Transition(State.QUEUED, State.FAILED, "cannot_start"),
    Transition(State.QUEUED, State.CANCELLED, "cancelled"),
    Transition(State.RUNNING, State.SAVING, "ended_well"),
    Transition(State.RUNNING, State.QUEUED, "attempt_lost"),
    Transition(State.RUNNING, State.FAILED, "ended_badly"),
    Transition(State.RUNNING, State.CANCELLED, "cancelled"),
    Transition(State.SAVING, State.COMPLETED, "saved"),
    Transition(State.SAVING, State.FAILED, "results_lost"),
    Transition(State.SAVING, State.CANCELLED, "cancelled"),
)
_EVENTS = {(change.before, change.after): change.event for change in TABLE}

LABELS: dict[State, tuple[str, str]] = {
    State.SUBMITTED: ("접수됨", "Submitted"),
    State.AWAITING_APPROVAL: ("승인대기", "Awaiting approval"),
    State.QUEUED: ("대기", "Queued"),
    State.RUNNING: ("실행 중", "Running"),
    State.SAVING: ("실행 중", "Running"),
    State.COMPLETED: ("완료", "Completed"),
    State.FAILED: ("실패", "Failed"),
    State.CANCELLED: ("취소", "Cancelled"),
    State.REJECTED: ("반려", "Rejected"),
}
"""(Korean, English). Saving is shown under "Running", with its phase label beside it."""

PHASE_LABELS: dict[Phase, tuple[str, str]] = {
    Phase.NONE: ("", ""),
    Phase.CHECKING: ("시작 전 확인", "Checks before start"),
    Phase.PREPARING: ("이미지 준비 중", "Preparing images"),
    Phase.SLURM_PENDING: ("자원 대기 중", "Waiting for resources"),
    Phase.HELD: ("보류됨", "Held"),
    Phase.STARTING: ("시작 중", "Starting"),
    Phase.CANCELLING: ("취소 중", "Cancelling"),
}


class IllegalTransition(ValueError):
    """The table does not have this change."""

    def __init__(self, before: State, after: State) -> None:
        super().__init__(f"a workload cannot go from {before.value} to {after.value}")
        self.before = before
        self.after = after


def check_transition(before: State, after: State) -> str:
    """The event that leads from `before` to `after`. Raises IllegalTransition."""
    event = _EVENTS.get((before, after))
    if event is None:
        raise IllegalTransition(before, after)
    return event


def label(state: State, phase: Phase = Phase.NONE) -> tuple[str, str]:
    """What people read, (Korean, English): "대기 · 이미지 준비 중", "Queued · Preparing images"."""
    small = ("결과 저장 중", "Saving results") if state is State.SAVING and not phase else PHASE_LABELS[phase]
    korean, english = (
        f"{word} · {detail}" if detail else word for word, detail in zip(LABELS[state], small, strict=True)
    )
    return korean, english
