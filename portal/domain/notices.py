"""What people are told of, by which ways, and when a message that did not get through is tried again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from portal.domain.lifecycle import State


class Kind(StrEnum):
    """What happened."""

    NEEDS_APPROVAL = "needs_approval"
    TEST_FINISHED = "test_finished"
    APPROVED = "approved"
    REJECTED = "rejected"
    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    IMAGE_FAILED = "image_failed"
    ANALYSIS_ENDED = "analysis_ended"
    PRIORITY = "priority"
    ROLE = "role"
    NODE_DOWN = "node_down"
    TRIAL = "trial"
    """Somebody tries whether messages arrive: goes every way, and nobody chooses it."""


class Channel(StrEnum):
    """A way beside the bell, which shows everything."""

    EMAIL = "email"
    BROWSER = "browser"
    WEBHOOK = "webhook"


ADMINS_ONLY = frozenset({Kind.NEEDS_APPROVAL, Kind.NODE_DOWN})
CHOSEN = tuple(kind for kind in Kind if kind is not Kind.TRIAL)
"""What a person chooses ways for, in the order of the page."""
WAIT_MIN = 10
"""A start is told only after waiting this long, until a person says otherwise."""
MAX_WAIT_MIN = 7 * 24 * 60
GIVE_UP_AFTER = timedelta(days=1)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
_QUIET_BY_MAIL = frozenset({Kind.TEST_FINISHED, Kind.STARTED, Kind.ANALYSIS_ENDED, Kind.PRIORITY})
START, END = "start", "end"
WISHES = (START, END)
"""What a request can ask to be told by every way, whatever its owner chose."""
Choices = Mapping[str, Sequence[str]]


def kinds_for(role_is_admin: bool) -> tuple[Kind, ...]:
    """What this person can be told of."""
    return tuple(kind for kind in CHOSEN if role_is_admin or kind not in ADMINS_ONLY)


def ways(choices: Choices | None, kind: Kind, *, wished: bool = False) -> frozenset[Channel]:
    """By which ways one is told of `kind`; without choices by those that suit most, and by all where it was `wished`."""
    if kind is Kind.TRIAL or wished:
        return frozenset(Channel)
    if choices is None or kind.value not in choices:
        return frozenset(Channel) - ({Channel.EMAIL} if kind in _QUIET_BY_MAIL else frozenset())
    return frozenset(channel for channel in Channel if channel.value in choices[kind.value])


@dataclass(frozen=True)
class Change:
    """A workload's change of state, as far as telling looks at it."""

    before: State
    after: State
    hidden: bool = False
    """A test or an analysis: told of by what it was made for."""
    again: bool = False
    """It ran before: a new attempt after a lost node."""
    cause: str = ""


def of_change(change: Change) -> Kind | None:
    """What a change of state tells; None for what nobody needs to be told."""
    if change.hidden:
        return None
    if change.after is State.QUEUED and change.before is State.AWAITING_APPROVAL:
        return Kind.APPROVED
    if change.after is State.RUNNING:
        return None if change.again else Kind.STARTED
    if change.after is State.FAILED:
        return Kind.IMAGE_FAILED if change.cause == "image" else Kind.FAILED
    return {
        State.AWAITING_APPROVAL: Kind.NEEDS_APPROVAL,
        State.REJECTED: Kind.REJECTED,
        State.COMPLETED: Kind.FINISHED,
    }.get(change.after)


def wished(kind: Kind, wishes: Collection[str]) -> bool:
    """Whether the request itself asked to be told of this."""
    if kind is Kind.STARTED:
        return START in wishes
    return kind in (Kind.FINISHED, Kind.FAILED, Kind.IMAGE_FAILED) and END in wishes


def waited_enough(waited: timedelta, least_min: int) -> bool:
    """Whether a start comes late enough to be told; 0 tells every start."""
    return waited >= timedelta(minutes=least_min)


def next_try(tries: int, told_at: datetime, failed_at: datetime) -> datetime | None:
    """When to try again after `tries` failures: 30 s, 1 min, 2 min ... at most an hour apart; None after a day: given up."""
    pause = min(_FIRST_PAUSE * 2 ** min(tries - 1, 16), _LONGEST_PAUSE)
    at = failed_at + pause
    return at if at <= told_at + GIVE_UP_AFTER else None
