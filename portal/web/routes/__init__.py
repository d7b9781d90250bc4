"""The routes of /api/v1, one module a subject."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portal.web.routes import (
    account,
    apps,
    cluster,
    components,
    doctor,
    gate,
    images,
    logs,
    maintenance,
    models,
    people,
    workloads,
)

ROUTES: list[ControllerRouterHandler] = [
    *account.ROUTES,
    *apps.ROUTES,
    *components.ROUTES,
    *workloads.ROUTES,
    *gate.ROUTES,
    *logs.ROUTES,
    *cluster.ROUTES,
    *maintenance.ROUTES,
    *models.ROUTES,
    *images.ROUTES,
    *doctor.ROUTES,
    *people.ROUTES,
]
