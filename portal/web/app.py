"""Builds the Litestar application: routes, guards, errors, limits, metrics, OpenAPI."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from litestar import Litestar, Request, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.types import ControllerRouterHandler
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm.exc import StaleDataError

from portal.db.engine import engine_for, sessions
from portal.services.errors import ServiceError
from portal.services.glance import Glances
from portal.services.logfollow import LogHub
from portal.services.runwatch import RunWatch
from portal.services.workloadmarks import WorkloadMarks
from portal.settings import Settings
from portal.store.s3 import ObjectStore
from portal.web import problems
from portal.web.address import refuse_unusable_address
from portal.web.body import MAX_BODY_BYTES, refuse_loose_json
from portal.web.context import DEPENDENCIES
from portal.web.hardening import harden
from portal.web.limits import UserLimits
from portal.web.live import Live
from portal.web.pages import PAGES, errors
from portal.web.pages.errors import by_door
from portal.web.pages.workload import WorkloadKind
from portal.web.requestid import answer_with_id
from portal.web.routes import ROUTES
from portal.web.routes.system import PUBLIC_ROUTES, healthz
from portal.web.schemapage import RoutesPage
from portal.web.simulated import say_simulated
from portal.web.staticfiles import static_router

API = "/api/v1"


class Metrics(PrometheusController):
    """Prometheus' text; for the site's own Prometheus, not for people."""

    include_in_schema = False


def create_app(settings: Settings, *, engine: AsyncEngine | None = None, store: ObjectStore | None = None) -> Litestar:
    """The application for these settings; `engine` and `store` are given by tests, made here otherwise."""
    engine = engine or engine_for(settings)
    prometheus = PrometheusConfig(app_name="one-web", prefix="one_web", group_path=True)
    api = Router(path=API, route_handlers=[*ROUTES, *PUBLIC_ROUTES], before_request=_check_input)
    handlers: Sequence[ControllerRouterHandler] = [healthz, Metrics, api, static_router(), *PAGES]

    @asynccontextmanager
    async def database(_: Litestar) -> AsyncGenerator[None, None]:
        yield
        await engine.dispose()

    maker, store = sessions(engine), store or ObjectStore(settings)
    hub = LogHub(maker, settings, store)
    runs = RunWatch(settings)
    kinds = {"workload": WorkloadKind(WorkloadMarks(maker, runs), settings, runs)}
    app = Litestar(
        route_handlers=handlers,
        state=State(
            {
                "settings": settings,
                "sessions": maker,
                "store": store,
                "log_hub": hub,
                "run_watch": runs,
                "live": Live(maker, kinds),
                "limits": UserLimits(settings.limits),
                "glances": Glances(maker, settings),
            }
        ),
        dependencies=DEPENDENCIES,
        before_request=refuse_unusable_address,
        exception_handlers={
            ServiceError: by_door(problems.on_service_error, errors.on_service_error),
            HTTPException: by_door(problems.on_http_error, errors.on_http_error),
            StaleDataError: by_door(problems.on_second_writer, errors.on_second_writer),
            OperationalError: by_door(problems.on_database_away, errors.on_database_away),
            Exception: by_door(problems.on_unexpected, errors.on_unexpected),
        },
        middleware=[prometheus.middleware],
        before_send=[answer_with_id, harden, *([say_simulated] if settings.slurm.simulated else [])],
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=_openapi(),
        lifespan=[database],
        logging_config=None,
    )
    app.state.page_paths = frozenset(route.path for route in app.routes)
    return app


async def _check_input(request: Request[Any, Any, Any]) -> None:
    """Before the API's handlers, whose bodies are JSON. Raises Invalid, NotFoundException."""
    refuse_unusable_address(request)
    await refuse_loose_json(request)


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="OnE",
        version=version("avatar-one"),
        description="From an App spec to a Slurm job and its model. Send a token as `Authorization: Bearer one_...`.",
        path=f"{API}/schema",
        render_plugins=[JsonRenderPlugin(), RoutesPage()],
        use_handler_docstrings=True,
        components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
        security=[{"token": []}],
    )
