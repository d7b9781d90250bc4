"""The pages, one module a feature; what a page's template sees is a frozen dataclass in the same module."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portal.web.pages import account, appmanage, apps, builder, home, preferences, signin, trainer, workloads

PAGES: list[ControllerRouterHandler] = [
    *signin.ROUTES,
    *home.ROUTES,
    *account.ROUTES,
    *apps.ROUTES,
    *appmanage.ROUTES,
    *builder.ROUTES,
    *trainer.ROUTES,
    *workloads.ROUTES,
    *preferences.ROUTES,
]
