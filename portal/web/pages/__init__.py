"""The pages, one module a feature; what a page's template sees is a frozen dataclass in the same module."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portal.web.pages import (
    access,
    account,
    apps,
    auditlog,
    builder,
    health,
    help,
    home,
    people,
    preferences,
    search,
    signin,
    sitesettings,
)

PAGES: list[ControllerRouterHandler] = [
    *signin.ROUTES,
    *home.ROUTES,
    *account.ROUTES,
    *people.ROUTES,
    *access.ROUTES,
    *auditlog.ROUTES,
    *health.ROUTES,
    *sitesettings.ROUTES,
    *search.ROUTES,
    *help.ROUTES,
    *apps.ROUTES,
    *builder.ROUTES,
    *preferences.ROUTES,
]
