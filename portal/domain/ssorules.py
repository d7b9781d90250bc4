"""What a site's rules give a person whom an identity provider vouches for: a role, a Unix user, a Slurm account."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from portal.domain.permissions import ADMIN, RESEARCHER, VIEWER

RANK = {VIEWER: 0, RESEARCHER: 1, ADMIN: 2}
_PLACE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Asserted:
    """What a provider vouches for; `issuer` and `subject` together are the person, all else may change.

    `claims` holds every claim or attribute as texts, so that rules may look at any of them.
    """

    provider: str
    issuer: str
    subject: str
    username: str
    display_name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """Whom it fits, by a group or by the value of a claim, and what they get."""

    group: str = ""
    claim: str = ""
    value: str = ""
    role: str | None = None
    unix_user: str = ""
    slurm_account: str = ""


@dataclass(frozen=True)
class Given:
    """What the rules give; `role` is None where none that fits names one."""

    role: str | None = None
    unix_user: str | None = None
    slurm_account: str | None = None


@dataclass(frozen=True)
class RoleNow:
    """The role that counts, what of it the rules gave (None: nothing), and what the person has without them."""

    role: str
    given: str | None
    own: str


def given_by(rules: Sequence[Rule], asserted: Asserted) -> Given:
    """The highest role of all rules that fit, and the mapping of the first that names both of its halves."""
    fitting = [rule for rule in rules if fits(rule, asserted)]
    roles = [rule.role for rule in fitting if rule.role]
    role = max(roles, key=RANK.__getitem__) if roles else None
    for rule in fitting:
        unix_user, account = _filled(rule.unix_user, asserted), _filled(rule.slurm_account, asserted)
        if unix_user and account:
            return Given(role, unix_user, account)
    return Given(role)


def fits(rule: Rule, asserted: Asserted) -> bool:
    """Whether the person is in the group and has the claim that the rule names; a rule that names neither fits nobody."""
    if not rule.group and not rule.claim:
        return False
    in_group = not rule.group or rule.group in asserted.groups
    return in_group and (not rule.claim or rule.value in asserted.claims.get(rule.claim, ()))


def _filled(text: str, asserted: Asserted) -> str:
    """The text with its {claims}; "" when one of them is missing or has not exactly one value."""
    missing = False

    def value_of(found: re.Match[str]) -> str:
        nonlocal missing
        name = found.group(1)
        values = (asserted.username,) if name == "username" else asserted.claims.get(name, ())
        missing = missing or len(values) != 1
        return values[0] if len(values) == 1 else ""

    filled = _PLACE.sub(value_of, text)
    return "" if missing else filled


def role_after(current: str, given_before: str | None, own_before: str, given: str | None) -> RoleNow:
    """The role after a sign-in: the higher of what the rules give and what the person has by hand (D34).

    `given_before` is what the rules gave the last time, None when a person changed the role since. So the rules lift, and
    take back what they gave; a role that an administrator gave they never lower.
    """
    own = current if given_before is None else own_before
    if given is not None and RANK[given] > RANK[own]:
        return RoleNow(given, given, own)
    return RoleNow(own, None, own)
