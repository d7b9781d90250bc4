"""Rules from groups and claims to roles and mappings, and what a role given by hand is worth beside them."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.permissions import ROLES
from portal.domain.ssorules import RANK, Asserted, Given, Rule, given_by, role_after

KIM = Asserted(
    "oidc",
    "https://sso.example",
    "1",
    "kim",
    groups=("hpc", "ai"),
    claims={"department": ("AI",), "uid": ("u1",), "many": ("a", "b")},
)


def test_the_highest_role_and_the_first_whole_mapping_count() -> None:
    rules = (
        Rule(group="ai", role="viewer", unix_user="half"),
        Rule(group="hpc", role="researcher", unix_user="u-{username}", slurm_account="lab"),
        Rule(claim="department", value="AI", unix_user="later", slurm_account="lab"),
        Rule(group="nobody", role="admin"),
    )
    assert given_by(rules, KIM) == Given("researcher", "u-kim", "lab")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(role="admin"), Given()),
        (Rule(group="hpc", claim="department", value="AI", role="admin"), Given("admin")),
        (Rule(group="hpc", claim="department", value="HR", role="admin"), Given()),
        (Rule(group="hp", role="admin"), Given()),
        (Rule(group="hpc", unix_user="{uid}", slurm_account="{department}"), Given(None, "u1", "AI")),
        (Rule(group="hpc", unix_user="{missing}", slurm_account="lab"), Given()),
        (Rule(group="hpc", unix_user="{many}", slurm_account="lab"), Given()),
    ],
)
def test_what_one_rule_gives(rule: Rule, expected: Given) -> None:
    assert given_by((rule,), KIM) == expected


@given(st.lists(st.tuples(st.sampled_from(["hand", "rules"]), st.sampled_from([*ROLES, None])), max_size=8))
def test_by_whatever_history_a_role_given_by_hand_is_a_floor_and_the_rules_take_back_what_they_gave(
    history: list[tuple[str, str | None]],
) -> None:
    role, before, own, floor = "viewer", None, "viewer", "viewer"
    for who, value in history:
        if who == "hand" and value is not None:
            if value != role:
                role, before, floor = value, None, value
            continue
        after = role_after(role, before, own, value)
        role, before, own = after.role, after.given, after.own
        assert RANK[role] >= RANK[floor]
        assert role == max(floor, value or "viewer", key=RANK.__getitem__)


def test_without_rules_nothing_changes() -> None:
    for current, own in product(ROLES, ROLES):
        assert role_after(current, None, own, None).role == current
