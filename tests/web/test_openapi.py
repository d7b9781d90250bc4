"""The OpenAPI document is valid, describes every route, and the application survives what it allows (schemathesis, bounded)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from anyio.from_thread import BlockingPortal
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from litestar.routes import HTTPRoute
from schemathesis import openapi
from schemathesis.core.result import Ok

from portal.web.guards import PUBLIC_PATHS
from tests.web.conftest import Site

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES_A_ROUTE = 4


async def schema_of(site: Site) -> dict[str, Any]:
    return await site.get("kim", "/schema/openapi.json")


async def test_every_route_is_described(site: Site) -> None:
    schema = await schema_of(site)
    described = {(path, method.upper()) for path, item in schema["paths"].items() for method in item}
    for path, item in schema["paths"].items():
        for operation in item.values():
            assert operation.get("description"), path
    assert ("/api/v1/workloads", "POST") in described
    assert "application/json" in schema["paths"]["/api/v1/validate"]["post"]["requestBody"]["content"]


async def test_every_route_is_in_the_docs(site: Site) -> None:
    api, pages = (DOCS / "api.md").read_text(), (DOCS / "pages.md").read_text()
    for route in site.app.routes:
        assert isinstance(route, HTTPRoute)
        if "{path:str}" in route.path and route.path in PUBLIC_PATHS:
            continue
        path = route.path.replace(":str}", "}").replace(":int}", "}").replace(":path}", "}")
        text = api if path.startswith(("/api/", "/healthz", "/metrics")) else pages
        for method in set(route.methods) - {"OPTIONS", "HEAD"}:
            assert f"`{method} {path}`" in text, f"docs lack `{method} {path}`"


@pytest.mark.whole
async def test_generated_requests_never_break_the_application(site: Site) -> None:
    schema = openapi.from_dict(await schema_of(site))
    operations = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operations.append(result.ok())
    assert len(operations) > 25

    async with BlockingPortal() as portal:
        for operation in operations:
            if operation.path.endswith("/follow"):
                continue  # an endless stream by design; tested on its own
            await anyio.to_thread.run_sync(_fuzz, site, portal, operation)


def _fuzz(site: Site, portal: BlockingPortal, operation: Any) -> None:
    @settings(
        max_examples=EXAMPLES_A_ROUTE,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), who=st.sampled_from(["admin", "kim", "viewer"]))
    def check(case: Any, who: str) -> None:
        status, text = portal.call(_ask, site, case, who)
        assert status < 500 or status == 503, (operation.method, operation.path, case.body, text)

    check()


async def _ask(site: Site, case: Any, who: str) -> tuple[int, str]:
    kwargs = case.as_transport_kwargs(base_url="http://portal")
    kept = {name: kwargs[name] for name in ("method", "url", "params", "json", "data", "headers") if kwargs.get(name)}
    if isinstance(kept.get("data"), bytes):
        kept["content"] = kept.pop("data")
    kept["headers"] = {
        name: value for name, value in dict(kept.get("headers", {})).items() if name.lower() != "authorization"
    }
    async with site.client(who) as client:
        answer = await client.request(**kept)
    return answer.status_code, answer.text


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Hundreds of log lines say nothing here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
