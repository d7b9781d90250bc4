"""The pages, one module a feature; what a page's template sees is a frozen dataclass in the same module."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portal.web.pages import account, appmanage, approvals, apps, builder, home, preferences, queue, resources, signin

PAGES: list[ControllerRouterHandler] = [
    *signin.ROUTES,
    *home.ROUTES,
    *account.ROUTES,
    *apps.ROUTES,
    *appmanage.ROUTES,
    *approvals.ROUTES,
    *builder.ROUTES,
    *preferences.ROUTES,
    *queue.ROUTES,
    *resources.ROUTES,
]
