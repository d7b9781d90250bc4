"""The sidebar: what stands where, for whom; a page that this portal does not have yet has no entry."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from portal.domain.permissions import ADMIN, RESEARCHER, ROLES
from portal.web.catalogue import N_

WORKING = (ADMIN, RESEARCHER)


@dataclass(frozen=True)
class Entry:
    """One line: its key (a page's `nav`), address, word (msgid), icon, and the roles that have it."""

    key: str
    path: str
    text: str
    icon: str
    roles: tuple[str, ...] = ROLES


GROUPS: tuple[tuple[Entry, ...], ...] = (
    (
        Entry("home", "/", N_("Home"), "home"),
        Entry("apps", "/apps", N_("App"), "apps"),
        Entry("components", "/components", N_("Component library"), "packages"),
    ),
    (
        Entry("trainer", "/trainer", N_("Trainer"), "send", WORKING),
        Entry("workloads", "/workloads", N_("Workloads"), "route"),
        Entry("approvals", "/approvals", N_("Approvals"), "gavel", WORKING),
        Entry("queue", "/queue", N_("Queue"), "list-numbers"),
    ),
    (
        Entry("resources", "/resources", N_("Resources"), "server"),
        Entry("models", "/models", N_("Models"), "box"),
        Entry("analyses", "/analyses", N_("Analysis results"), "clipboard-data"),
    ),
    (Entry("admin", "/admin", N_("Administration"), "settings", (ADMIN,)),),
    (Entry("help", "/help", N_("Help"), "help"),),
)


def navigation(role: str, paths: Collection[str]) -> tuple[tuple[Entry, ...], ...]:
    """The groups of this role, with only what is among the application's paths."""
    groups = (tuple(e for e in group if role in e.roles and e.path in paths) for group in GROUPS)
    return tuple(group for group in groups if group)
