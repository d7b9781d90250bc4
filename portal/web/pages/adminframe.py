"""P20, what all pages of the administration share: their entry of the sidebar and the sections below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from portal.web.catalogue import N_
from portal.web.pages.confirm import ConfirmPage
from portal.web.rendering import PageContext

SECTIONS: Final = (
    ("users", "/admin/users", N_("Users")),
    ("roles", "/admin/roles", N_("Roles")),
    ("tokens", "/admin/tokens", N_("API tokens")),
    ("slurm", "/admin/slurm", N_("Slurm mapping")),
    ("settings", "/admin/settings", N_("Settings")),
    ("audit", "/admin/audit", N_("Audit log")),
    ("health", "/admin/health", N_("System health")),
)


@dataclass(frozen=True)
class AdminPage(PageContext):
    """A page of the administration; `section` is the one that is lit."""

    nav: ClassVar[str] = "admin"
    section: ClassVar[str] = ""
    sections: ClassVar[tuple[tuple[str, str, str], ...]] = SECTIONS


@dataclass(frozen=True)
class AdminConfirmPage(ConfirmPage):
    """Asks first, within the administration."""

    nav: ClassVar[str] = "admin"
