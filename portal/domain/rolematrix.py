"""What each role may, as a table made from the rules themselves: every permission tried on things of one's own and others'.

role_matrix()[0] -> Row(Permission.CLUSTER_READ, {"admin": "all", "researcher": "all", "viewer": "all"})
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from portal.domain.lifecycle import State
from portal.domain.permissions import (
    ROLES,
    SITE,
    AnalysisFacts,
    AppFacts,
    ComponentFacts,
    ModelFacts,
    Object,
    OperatorFacts,
    Permission,
    Person,
    TokenFacts,
    WorkloadFacts,
    granted,
)

ALL, VISIBLE, OWN, NEVER = "all", "visible", "own", "never"
"""On everything; on everything that is lab-visible or one's own; only on one's own; on nothing."""
_ME, _OTHER = 1, 2


@dataclass(frozen=True)
class Row:
    """One permission and how far each role holds it."""

    permission: Permission
    held: Mapping[str, str]


def role_matrix() -> tuple[Row, ...]:
    """Every permission, in the order of the rules."""
    reach = {role: _reach(role) for role in ROLES}
    return tuple(
        Row(permission, {role: reach[role].get(permission, NEVER) for role in ROLES}) for permission in Permission
    )


def _reach(role: str) -> dict[Permission, str]:
    """The widest reach at which the role holds each permission."""
    found: dict[Permission, str] = {}
    for reach, things in ((OWN, _things(_ME)), (VISIBLE, _things(_OTHER)), (ALL, _things(_OTHER, hidden=True))):
        for thing in (*things, *((SITE,) if reach == ALL else ())):
            found |= dict.fromkeys(granted(Person(_ME, role), thing), reach)
    return found


def _things(owner: int, *, hidden: bool = False) -> Iterator[Object]:
    """One of every kind of thing, of this owner, in every state that matters."""
    app = AppFacts(owner, lab_visible=not hidden)
    yield app
    yield ModelFacts(owner, app)
    yield ComponentFacts(owner)
    yield OperatorFacts(owner)
    yield AnalysisFacts(owner, app)
    yield TokenFacts(owner)
    for state, gated in product(State, (False, True)):
        yield WorkloadFacts(owner, app, state, needs_approval=gated)
