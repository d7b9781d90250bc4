"""The routes of /api/v1, one module a subject."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portal.web.routes import account, apps, images, models

ROUTES: list[ControllerRouterHandler] = [*account.ROUTES, *apps.ROUTES, *models.ROUTES, *images.ROUTES]
