"""The table of roles: every permission stands in it, admins hold each, and it says what the rules say."""

from __future__ import annotations

from portal.domain.permissions import ADMIN, RESEARCHER, ROLES, VIEWER, Permission
from portal.domain.rolematrix import ALL, NEVER, OWN, VISIBLE, role_matrix


def test_every_permission_is_there_and_an_admin_holds_each() -> None:
    rows = role_matrix()
    assert [row.permission for row in rows] == list(Permission)
    missing = [row.permission for row in rows if row.held[ADMIN] == NEVER]
    assert missing == [], "rolematrix._things lacks the kind of thing that these are held on"
    assert all(set(row.held) == set(ROLES) for row in rows)


def test_it_says_what_the_rules_say() -> None:
    held = {row.permission: row.held for row in role_matrix()}
    assert held[Permission.APP_READ] == {ADMIN: ALL, RESEARCHER: VISIBLE, VIEWER: VISIBLE}
    assert held[Permission.APP_EDIT] == {ADMIN: ALL, RESEARCHER: OWN, VIEWER: NEVER}
    assert held[Permission.WORKLOAD_APPROVE] == {ADMIN: ALL, RESEARCHER: NEVER, VIEWER: NEVER}
    assert held[Permission.MODEL_DOWNLOAD] == {ADMIN: ALL, RESEARCHER: VISIBLE, VIEWER: NEVER}
    assert held[Permission.TOKEN_REVOKE] == {ADMIN: ALL, RESEARCHER: OWN, VIEWER: OWN}
    assert held[Permission.USER_MANAGE] == {ADMIN: ALL, RESEARCHER: NEVER, VIEWER: NEVER}
