"""The pages, one module a feature; what a page's template sees is a frozen dataclass in the same module."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portal.web.pages import (
    account,
    apps,
    builder,
    home,
    live,
    preferences,
    signin,
    workload,
    workloadactions,
    workloadlogs,
)

PAGES: list[ControllerRouterHandler] = [
    *signin.ROUTES,
    *home.ROUTES,
    *account.ROUTES,
    *apps.ROUTES,
    *builder.ROUTES,
    *workload.ROUTES,
    *workloadlogs.ROUTES,
    *workloadactions.ROUTES,
    *live.ROUTES,
    *preferences.ROUTES,
]
