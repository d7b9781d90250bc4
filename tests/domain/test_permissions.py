"""Who may do what, as decisions D5, D6, D12, D16 and D24 say."""

from __future__ import annotations

import itertools

import pytest

from portal.domain.lifecycle import LIVE, State
from portal.domain.permissions import (
    ROLES,
    SITE,
    AnalysisFacts,
    AppFacts,
    ComponentFacts,
    ModelFacts,
    OperatorFacts,
    Permission,
    Person,
    TokenFacts,
    WorkloadFacts,
    granted,
    may,
)

ADMIN, OTHER_ADMIN = Person(1, "admin"), Person(9, "admin")
KIM, PARK, VIEWER = Person(2, "researcher"), Person(3, "researcher"), Person(4, "viewer")
EVERYBODY = (ADMIN, OTHER_ADMIN, KIM, PARK, VIEWER)
P = Permission


def app(**facts: object) -> AppFacts:
    return AppFacts(**{"owner_id": KIM.id, "lab_visible": True, **facts})  # type: ignore[arg-type]


def workload(state: State = State.QUEUED, **facts: object) -> WorkloadFacts:
    values = {"owner_id": KIM.id, "app": app(), "state": state, "needs_approval": True, **facts}
    return WorkloadFacts(**values)  # type: ignore[arg-type]


def holders(permission: Permission, thing: object) -> set[Person]:
    return {person for person in EVERYBODY if may(person, permission, thing)}  # type: ignore[arg-type]


def test_site_wide() -> None:
    assert holders(P.CLUSTER_READ, SITE) == set(EVERYBODY)
    assert holders(P.APP_CREATE, SITE) == holders(P.APPROVALS_READ, SITE) == set(EVERYBODY) - {VIEWER}
    for permission in (P.USER_MANAGE, P.AUDIT_READ, P.IMAGE_REMOVE, P.CLUSTER_CHECK):
        assert holders(permission, SITE) == {ADMIN, OTHER_ADMIN}


def test_lab_visible_app() -> None:
    assert holders(P.APP_READ, app()) == set(EVERYBODY)
    assert holders(P.APP_SUBMIT, app()) == set(EVERYBODY) - {VIEWER}
    assert holders(P.APP_EDIT, app()) == holders(P.APP_ARCHIVE, app()) == {ADMIN, OTHER_ADMIN, KIM}


def test_private_app_does_not_exist_for_others() -> None:
    private = app(lab_visible=False)
    assert holders(P.APP_READ, private) == {ADMIN, OTHER_ADMIN, KIM}
    assert granted(PARK, private) == granted(VIEWER, private) == frozenset()
    assert granted(PARK, workload(app=private)) == granted(PARK, ModelFacts(KIM.id, private)) == frozenset()


def test_co_editors_edit_the_app_only() -> None:
    shared = app(lab_visible=False, co_editors=frozenset({PARK.id}))
    assert granted(PARK, shared) == {P.APP_READ, P.APP_SUBMIT, P.APP_EDIT}
    held = granted(PARK, workload(State.RUNNING, app=shared))
    assert held == {P.WORKLOAD_READ, P.WORKLOAD_LOGS, P.WORKLOAD_ARCHIVE}


def test_logs_are_for_insiders_unless_shared() -> None:
    assert holders(P.WORKLOAD_LOGS, workload()) == {ADMIN, OTHER_ADMIN, KIM}
    assert holders(P.WORKLOAD_LOGS, workload(app=app(share_logs=True))) == set(EVERYBODY)
    assert VIEWER not in holders(P.WORKLOAD_ARCHIVE, workload(app=app(share_logs=True)))


def test_somebody_elses_app_run_by_me_is_mine() -> None:
    mine = workload(owner_id=PARK.id)
    assert holders(P.WORKLOAD_CANCEL, mine) == {ADMIN, OTHER_ADMIN, PARK}
    assert holders(P.WORKLOAD_LOGS, mine) == {ADMIN, OTHER_ADMIN, PARK, KIM}


def test_an_app_made_private_later_keeps_my_runs_mine() -> None:
    mine = workload(State.RUNNING, owner_id=PARK.id, app=app(lab_visible=False))
    assert {P.WORKLOAD_READ, P.WORKLOAD_CANCEL, P.WORKLOAD_LOGS} <= granted(PARK, mine)
    assert P.WORKLOAD_RERUN not in granted(PARK, mine)


@pytest.mark.parametrize("state", State)
def test_cancelling(state: State) -> None:
    expected = {ADMIN, OTHER_ADMIN, KIM} if state in LIVE else set()
    assert holders(P.WORKLOAD_CANCEL, workload(state)) == expected


@pytest.mark.parametrize("state", State)
def test_priority_and_hold_are_for_admins_while_it_waits(state: State) -> None:
    expected = {ADMIN, OTHER_ADMIN} if state is State.QUEUED else set()
    assert holders(P.WORKLOAD_PRIORITISE, workload(state)) == holders(P.WORKLOAD_HOLD, workload(state)) == expected


def test_decisions_are_made_by_another_admin() -> None:
    request = workload(State.AWAITING_APPROVAL)
    assert holders(P.WORKLOAD_APPROVE, request) == holders(P.WORKLOAD_REJECT, request) == {ADMIN, OTHER_ADMIN}
    own = workload(State.AWAITING_APPROVAL, owner_id=ADMIN.id)
    assert holders(P.WORKLOAD_APPROVE, own) == {OTHER_ADMIN}
    alone = workload(State.AWAITING_APPROVAL, owner_id=ADMIN.id, active_admins=1)
    assert ADMIN in holders(P.WORKLOAD_APPROVE, alone)


@pytest.mark.parametrize("state", [state for state in State if state is not State.AWAITING_APPROVAL])
def test_nothing_is_decided_tested_or_edited_outside_awaiting_approval(state: State) -> None:
    for permission in (P.WORKLOAD_APPROVE, P.WORKLOAD_REJECT, P.WORKLOAD_TEST, P.WORKLOAD_EDIT):
        assert holders(permission, workload(state)) == set()


def test_tests_only_where_an_approval_is_needed() -> None:
    assert holders(P.WORKLOAD_TEST, workload(State.AWAITING_APPROVAL)) == {ADMIN, OTHER_ADMIN, KIM}
    assert holders(P.WORKLOAD_TEST, workload(State.AWAITING_APPROVAL, needs_approval=False)) == set()


def test_models() -> None:
    model = ModelFacts(KIM.id, app())
    assert holders(P.MODEL_READ, model) == set(EVERYBODY)
    assert holders(P.MODEL_DOWNLOAD, model) == set(EVERYBODY) - {VIEWER}
    assert holders(P.MODEL_EDIT, model) == {ADMIN, OTHER_ADMIN, KIM}


def test_the_library_is_read_by_all_and_changed_by_owner_and_admins() -> None:
    assert holders(P.COMPONENT_READ, ComponentFacts(KIM.id)) == set(EVERYBODY)
    assert holders(P.COMPONENT_EDIT, ComponentFacts(KIM.id)) == {ADMIN, OTHER_ADMIN, KIM}
    assert holders(P.COMPONENT_EDIT, ComponentFacts(VIEWER.id)) == {ADMIN, OTHER_ADMIN}, "who was a researcher once"
    assert holders(P.COMPONENT_CREATE, SITE) == holders(P.IMAGE_CHECK, SITE) == set(EVERYBODY) - {VIEWER}


def test_tokens() -> None:
    assert holders(P.TOKEN_REVOKE, TokenFacts(VIEWER.id)) == {ADMIN, OTHER_ADMIN, VIEWER}


THINGS = (
    SITE,
    app(),
    app(lab_visible=False),
    workload(),
    workload(State.AWAITING_APPROVAL),
    workload(State.COMPLETED),
    ModelFacts(2, app()),
    ComponentFacts(2),
    OperatorFacts(2),
    AnalysisFacts(2, app()),
    TokenFacts(2),
)


@pytest.mark.parametrize(("role", "thing"), list(itertools.product(ROLES, THINGS)))
def test_a_deactivated_person_holds_nothing(role: str, thing: object) -> None:
    assert granted(Person(2, role, active=False), thing) == frozenset()  # type: ignore[arg-type]


CHANGES_NOTHING = {
    P.CLUSTER_READ, P.QUEUE_READ, P.IMAGE_READ, P.COMPONENT_READ, P.TOKEN_CREATE, P.APP_READ, P.WORKLOAD_READ, P.WORKLOAD_LOGS,
    P.MODEL_READ, P.TOKEN_REVOKE, P.ANALYSIS_READ,
}  # fmt: skip


@pytest.mark.parametrize("thing", THINGS)
def test_a_viewer_changes_nothing_but_own_tokens(thing: object) -> None:
    assert granted(Person(2, "viewer"), thing) <= CHANGES_NOTHING  # type: ignore[arg-type]


def test_every_permission_is_held_by_somebody_on_something() -> None:
    held = {permission for thing in THINGS for person in EVERYBODY for permission in granted(person, thing)}
    assert held == set(Permission)


def test_unknown_roles_and_things_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown role"):
        Person(1, "root")
    with pytest.raises(TypeError):
        granted(ADMIN, "app")  # type: ignore[arg-type]


def test_the_owner_of_a_workload_shares_its_logs() -> None:
    assert holders(P.WORKLOAD_LOGS, workload(share_logs=True)) == set(EVERYBODY)
    assert VIEWER not in holders(P.WORKLOAD_LOGS, workload())
    private = workload(share_logs=True, app=app(lab_visible=False))
    assert VIEWER not in holders(P.WORKLOAD_LOGS, private), "who may not see it reads nothing of it"


def test_an_operator_runs_only_on_ones_own_finished_run() -> None:
    """It runs as the owner's Unix user: an admin's program on somebody's run would be the admin acting as that person."""
    assert holders(P.WORKLOAD_ANALYSE, workload(State.COMPLETED)) == {KIM}
    for state in set(State) - {State.COMPLETED}:
        assert holders(P.WORKLOAD_ANALYSE, workload(state)) == set(), state
    assert may(Person(KIM.id, "viewer"), P.WORKLOAD_ANALYSE, workload(State.COMPLETED)) is False


def test_operators_are_their_owners_and_results_follow_the_app() -> None:
    operator, found = OperatorFacts(KIM.id), AnalysisFacts(KIM.id, app())
    assert holders(P.OPERATOR_CREATE, SITE) == set(EVERYBODY) - {VIEWER}
    assert holders(P.OPERATOR_EDIT, operator) == {KIM}
    assert holders(P.OPERATOR_READ, operator) == {ADMIN, OTHER_ADMIN, KIM}
    assert holders(P.ANALYSIS_READ, found) == set(EVERYBODY)
    assert holders(P.ANALYSIS_DOWNLOAD, found) == set(EVERYBODY) - {VIEWER}
    hidden = AnalysisFacts(KIM.id, app(lab_visible=False))
    assert holders(P.ANALYSIS_READ, hidden) == {ADMIN, OTHER_ADMIN, KIM}
