"""The pages, one module a feature; what a page's template sees is a frozen dataclass in the same module."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portal.web.pages import (
    account,
    appmanage,
    apps,
    builder,
    compare,
    home,
    model,
    modelchanges,
    modelfiles,
    models,
    preferences,
    signin,
)

PAGES: list[ControllerRouterHandler] = [
    *signin.ROUTES,
    *home.ROUTES,
    *account.ROUTES,
    *apps.ROUTES,
    *appmanage.ROUTES,
    *builder.ROUTES,
    *compare.ROUTES,
    *models.ROUTES,
    *model.ROUTES,
    *modelchanges.ROUTES,
    *modelfiles.ROUTES,
    *preferences.ROUTES,
]
