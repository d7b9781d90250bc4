"""The heaviest set of steps that can all run at the same moment: a maximum-weight antichain."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.plan.order import members


def heaviest_antichain(mask: int, weights: Sequence[int], later: Sequence[int]) -> int:
    """The largest sum of `weights` over steps of `mask` of which none is in `later` of another.

    `later` must be transitive (a partial order). By Dilworth's theorem with weights the answer is all weight less the
    most that can be handed on from a step to a later one, each step giving and taking at most its own weight: a
    maximum flow, found here by augmenting paths.
    Source: R. P. Dilworth, A decomposition theorem for partially ordered sets, Annals of Mathematics 51 (1950).
    """
    steps = [i for i in members(mask) if weights[i] > 0]
    if len(steps) < 2:
        return weights[steps[0]] if steps else 0
    chosen = 0
    for i in steps:
        chosen |= 1 << i
    following = {i: later[i] & chosen for i in steps}
    gives = {i: weights[i] for i in steps}
    takes = dict(gives)
    flow: dict[int, dict[int, int]] = {i: {} for i in steps}
    handed_on = 0
    for source in steps:
        while gives[source] > 0:
            pushed = _augment(source, following, gives, takes, flow)
            if not pushed:
                break
            handed_on += pushed
    return sum(weights[i] for i in steps) - handed_on


def _augment(
    source: int,
    following: dict[int, int],
    gives: dict[int, int],
    takes: dict[int, int],
    flow: dict[int, dict[int, int]],
) -> int:
    """Push flow along one path from `source`; 0 when there is none. `flow[j][i]` is what i hands on to j."""
    giver_from: dict[int, int] = {source: -1}
    taker_from: dict[int, int] = {}
    unseen = -1
    stack = [source]
    while stack:
        giver = stack.pop()
        reachable = following[giver] & unseen
        unseen &= ~reachable
        for taker in members(reachable):
            taker_from[taker] = giver
            if takes[taker] > 0:
                return _push(source, taker, giver_from, taker_from, gives, takes, flow)
            for other, amount in flow[taker].items():
                if amount > 0 and other not in giver_from:
                    giver_from[other] = taker
                    stack.append(other)
    return 0


def _push(
    source: int,
    end: int,
    giver_from: dict[int, int],
    taker_from: dict[int, int],
    gives: dict[int, int],
    takes: dict[int, int],
    flow: dict[int, dict[int, int]],
) -> int:
    path: list[tuple[int, int]] = []
    amount = min(gives[source], takes[end])
    taker = end
    while True:
        giver = taker_from[taker]
        path.append((giver, taker))
        back = giver_from[giver]
        if back < 0:
            break
        amount = min(amount, flow[back][giver])
        taker = back
    for giver, taker in path:
        flow[taker][giver] = flow[taker].get(giver, 0) + amount
        back = giver_from[giver]
        if back >= 0:
            flow[back][giver] -= amount
    gives[source] -= amount
    takes[end] -= amount
    return amount
