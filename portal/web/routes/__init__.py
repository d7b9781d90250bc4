"""The routes of /api/v1, one module a subject."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portal.web.routes import (
    account,
    analyses,
    apps,
    audit,
    clilogin,
    cluster,
    components,
    doctor,
    gate,
    images,
    logs,
    maintenance,
    models,
    people,
    repairs,
    workloads,
)

ROUTES: list[ControllerRouterHandler] = [
    *account.ROUTES,
    *clilogin.ROUTES,
    *apps.ROUTES,
    *components.ROUTES,
    *workloads.ROUTES,
    *gate.ROUTES,
    *logs.ROUTES,
    *cluster.ROUTES,
    *maintenance.ROUTES,
    *models.ROUTES,
    *analyses.ROUTES,
    *images.ROUTES,
    *doctor.ROUTES,
    *repairs.ROUTES,
    *people.ROUTES,
    *audit.ROUTES,
]
