"""The pages, one module a feature; what a page's template sees is a frozen dataclass in the same module."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portal.web.pages import (
    access,
    account,
    appmanage,
    approvals,
    apps,
    builder,
    compare,
    componentforms,
    components,
    home,
    imagechecks,
    live,
    model,
    modelchanges,
    modelfiles,
    models,
    people,
    preferences,
    signin,
    trainer,
    workload,
    workloadactions,
    workloadlogs,
    workloads,
)

PAGES: list[ControllerRouterHandler] = [
    *signin.ROUTES,
    *home.ROUTES,
    *account.ROUTES,
    *people.ROUTES,
    *access.ROUTES,
    *apps.ROUTES,
    *appmanage.ROUTES,
    *approvals.ROUTES,
    *builder.ROUTES,
    *components.ROUTES,
    *componentforms.ROUTES,
    *imagechecks.ROUTES,
    *trainer.ROUTES,
    *workloads.ROUTES,
    *workload.ROUTES,
    *workloadlogs.ROUTES,
    *workloadactions.ROUTES,
    *live.ROUTES,
    *compare.ROUTES,
    *models.ROUTES,
    *model.ROUTES,
    *modelchanges.ROUTES,
    *modelfiles.ROUTES,
    *preferences.ROUTES,
]
