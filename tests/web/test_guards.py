"""Every route asks for something or stands in the short public list; the public list is exactly what is public."""

from __future__ import annotations

from litestar.routes import HTTPRoute

from portal.web.guards import PUBLIC_PATHS
from tests.web.conftest import Site

BEFORE_A_TOKEN = {"/api/v1/login", "/api/v1/login/token"}
"""How `one login` comes to a token: by the secret in the body."""


async def test_every_route_has_a_guard_or_is_listed_as_public(site: Site) -> None:
    unguarded = set()
    for route in site.app.routes:
        assert isinstance(route, HTTPRoute), f"{route.path}: not an HTTP route, has no guard test"
        for handler in route.route_handlers:
            if handler.http_methods != {"OPTIONS"} and not handler.resolve_guards():
                assert handler.http_methods <= {"GET", "HEAD", "OPTIONS"}, f"{route.path}: a change without a guard"
                unguarded.add(route.path)
    assert unguarded == PUBLIC_PATHS


async def test_without_a_token_only_public_routes_answer(site: Site) -> None:
    async with site.client() as client:
        for route in site.app.routes:
            assert isinstance(route, HTTPRoute)
            if route.path == "/metrics":
                continue  # it asks for an address and a token of its own: tests/web/test_metrics.py
            for method in set(route.methods) - {"OPTIONS", "HEAD"}:
                path = "/".join(
                    "1" if ":int" in part else part if not part.startswith("{") else "x"
                    for part in route.path.split("/")
                )
                response = await client.request(method, path)
                expected = 404 if "{" in route.path else 200
                if route.path not in PUBLIC_PATHS or method != "GET":
                    # The API asks for a token; a page goes to the sign-in; a change without a form token is refused.
                    expected = 401 if route.path.startswith("/api/") else 303 if method == "GET" else 0
                if route.path in BEFORE_A_TOKEN:
                    expected = 422
                assert response.status_code in ({expected} if expected else {303, 403}), (method, path)
