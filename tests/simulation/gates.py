"""Runs coroutines by hand, one step at a time and without an event loop, so that a seed decides who goes on at every await.

A `Gate` is the only thing that ever suspends: each session read and each call to Slurm, S3, registry or converter passes
one before and one after its effect. At a gate another process may go on, the daemon may die (`Killed`), or an error may
come out in place of the answer.
"""

from __future__ import annotations

import random
import types
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from typing import Any

Coro = Coroutine[Any, Any, Any]


class Killed(BaseException):
    """The process is gone at this very place; nothing in it may catch this."""


@dataclass(frozen=True)
class Gate:
    """Awaiting it gives the turn back to the scheduler; `after_effect` says that the outside has just changed."""

    after_effect: bool = False

    def __await__(self) -> Generator[Gate, None, None]:
        """Suspend once."""
        yield self


@dataclass(eq=False)
class Process:
    """A coroutine that the scheduler turns: one round of a daemon's loop, or one request of a person."""

    name: str
    coroutine: Coro
    is_daemon: bool
    after_effect: bool = False

    def step(self) -> bool:
        """Go on to the next gate; False at its end. Raises whatever the coroutine does not catch."""
        try:
            gate: Gate = self.coroutine.send(None)
        except StopIteration:
            return False
        self.after_effect = gate.after_effect
        return True

    def kill(self) -> None:
        """Die at the gate where it waits."""
        try:
            self.coroutine.throw(Killed())
        except Killed:
            return
        raise AssertionError(f"{self.name} survived being killed")


def finish(coroutine: Coro) -> Any:
    """Run to the end with nobody in between; the result."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value


def together(rng: random.Random) -> Callable[[Sequence[Callable[[], Coro]]], Coro]:
    """`Context.together` by hand: whenever one of them stands at a gate, `rng` says which goes on."""

    async def run(works: Sequence[Callable[[], Coro]]) -> None:
        await _turned([work() for work in works], rng)

    return run


@types.coroutine
def _turned(coroutines: list[Coro], rng: random.Random) -> Generator[Gate, None, None]:
    try:
        while coroutines:
            one = rng.choice(coroutines)
            try:
                gate = one.send(None)
            except StopIteration:
                coroutines.remove(one)
            else:
                yield gate
    except BaseException:
        for one in coroutines:  # the process dies, or one of them failed: none goes on
            one.close()
        raise
