"""Builds the Litestar application: routes, guards, errors, limits, metrics, OpenAPI."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException, InternalServerException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.prometheus import PrometheusConfig
from litestar.types import ControllerRouterHandler
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm.exc import StaleDataError

from portal.auth.sso.providers import Providers
from portal.auth.sso.signin import SignIns
from portal.db.engine import engine_for, sessions
from portal.services.clustermarks import ClusterMarks
from portal.services.errors import ServiceError
from portal.services.glance import Glances
from portal.services.logfollow import LogHub
from portal.services.notices import NoticeMarks
from portal.services.queuemarks import QueueMarks
from portal.services.runwatch import RunWatch
from portal.services.workloadmarks import WorkloadMarks
from portal.settings import Settings
from portal.store.s3 import ObjectStore
from portal.web import problems
from portal.web.body import MAX_BODY_BYTES, check_input
from portal.web.context import DEPENDENCIES
from portal.web.gone import unless_gone
from portal.web.hardening import harden
from portal.web.limits import UserLimits
from portal.web.live import Live, LiveKind
from portal.web.pages import PAGES, errors, queue
from portal.web.pages.clusterkind import ClusterKind
from portal.web.pages.errors import by_door
from portal.web.pages.notices import NoticesKind
from portal.web.pages.queuekind import QueueKind
from portal.web.pages.workload import WorkloadKind
from portal.web.posted import check_page_input
from portal.web.refused import write_down
from portal.web.requestid import answer_with_id
from portal.web.routes import ROUTES
from portal.web.routes.metrics import metrics
from portal.web.routes.system import PUBLIC_ROUTES, healthz
from portal.web.schemapage import RoutesPage
from portal.web.simulated import say_simulated
from portal.web.staticfiles import static_router

API = "/api/v1"


def create_app(
    settings: Settings,
    *,
    engine: AsyncEngine | None = None,
    store: ObjectStore | None = None,
    providers: Providers | None = None,
) -> Litestar:
    """The application for these settings; `engine`, `store` and `providers` are given by tests, made here otherwise."""
    prometheus = PrometheusConfig(app_name="one-web", prefix="one_web", group_path=True)
    api = Router(path=API, route_handlers=[*ROUTES, *PUBLIC_ROUTES], before_request=check_input)
    handlers: Sequence[ControllerRouterHandler] = [healthz, metrics, api, static_router(), *PAGES]
    app = Litestar(
        route_handlers=handlers,
        dependencies=DEPENDENCIES,
        before_request=check_page_input,
        exception_handlers={
            ServiceError: by_door(problems.on_service_error, errors.on_service_error),
            HTTPException: by_door(problems.on_http_error, errors.on_http_error),
            InternalServerException: unless_gone(by_door(problems.on_http_error, errors.on_http_error)),
            StaleDataError: by_door(problems.on_second_writer, errors.on_second_writer),
            DataError: by_door(problems.on_unusable_value, errors.on_unusable_value),
            OperationalError: by_door(problems.on_database_away, errors.on_database_away),
            Exception: by_door(problems.on_unexpected, errors.on_unexpected),
        },
        after_exception=[write_down],
        middleware=[prometheus.middleware],
        before_send=[answer_with_id, harden, *([say_simulated] if settings.slurm.simulated else [])],
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=_openapi(),
        lifespan=[_closing],
        logging_config=None,
    )
    equip(app, settings, engine=engine, store=store, providers=providers)
    return app


def equip(
    app: Litestar,
    settings: Settings,
    *,
    engine: AsyncEngine | None = None,
    store: ObjectStore | None = None,
    providers: Providers | None = None,
) -> None:
    """Give the application what its handlers work with, all of it new; the routes, slow to register, stay."""
    engine, store, providers = (
        engine or engine_for(settings),
        store or ObjectStore(settings),
        providers or Providers(settings),
    )
    maker, runs = sessions(engine), RunWatch(settings)
    kinds: dict[str, LiveKind] = {
        "workload": WorkloadKind(WorkloadMarks(maker, runs), settings, runs),
        "notices": NoticesKind(NoticeMarks(maker)),
        "cluster": ClusterKind(ClusterMarks(maker), settings),
        queue.KIND: QueueKind(QueueMarks(maker), settings),
    }
    app.state = State(
        {
            "settings": settings,
            "engine": engine,
            "sessions": maker,
            "store": store,
            "providers": providers,
            "sign_ins": SignIns(maker, settings, providers),
            "log_hub": LogHub(maker, settings, store),
            "run_watch": runs,
            "live": Live(maker, kinds),
            "limits": UserLimits(settings.limits),
            "glances": Glances(maker, settings),
            "page_paths": frozenset(route.path for route in app.routes),
        }
    )


@asynccontextmanager
async def _closing(app: Litestar) -> AsyncGenerator[None, None]:
    yield
    await app.state.providers.close()
    await app.state.engine.dispose()


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
