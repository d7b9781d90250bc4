"""When a node was not active, read from samples: stretches of one state, with what nobody sampled as a stretch of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

ACTIVE: Final = "active"
NOT_SAMPLED: Final = ""
_TOLERATED = 1.5
"""A sample may be late by half its span before there is a hole."""


@dataclass(frozen=True)
class Look:
    """One sample of a node: its state, and the seconds that it stands for."""

    at: datetime
    span_s: int
    state: str

    @property
    def until(self) -> datetime:
        """Where it ends."""
        return self.at + timedelta(seconds=self.span_s)


@dataclass(frozen=True)
class Stretch:
    """A time in one state (NOT_SAMPLED: nobody looked). `ended_at` None: until now. Known to `span_s` seconds."""

    state: str
    began_at: datetime
    ended_at: datetime | None
    span_s: int


def stretches(looks: Iterable[Look]) -> list[Stretch]:
    """All of them in order, the active ones too; `looks` are in order of time, coarse ones before fine ones."""
    found: list[Stretch] = []
    for look in looks:
        if found and found[-1].ended_at is not None and look.at - found[-1].ended_at > _hole(look.span_s):
            found.append(Stretch(NOT_SAMPLED, found[-1].ended_at, look.at, look.span_s))
        if found and found[-1].state == look.state:
            found[-1] = replace(found[-1], ended_at=look.until, span_s=max(found[-1].span_s, look.span_s))
        else:
            if found:
                found[-1] = replace(found[-1], ended_at=look.at)
            found.append(Stretch(look.state, look.at, look.until, look.span_s))
    return found


def _hole(span_s: int) -> timedelta:
    return timedelta(seconds=(_TOLERATED - 1) * span_s)


def troubles(looks: Iterable[Look], now: datetime) -> list[Stretch]:
    """Those in which the node was not active or nobody looked, the newest first; one that reaches the present has no end."""
    all_of_it = stretches(looks)
    if all_of_it and all_of_it[-1].ended_at is not None:
        last = all_of_it[-1]
        if now - all_of_it[-1].ended_at <= timedelta(seconds=2 * last.span_s):
            all_of_it[-1] = replace(last, ended_at=None)
    return [one for one in reversed(all_of_it) if one.state != ACTIVE]
