"""The API's own schema page: every route in one plain HTML table, no scripts, nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment
from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin
from markupsafe import Markup

STYLE = """body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.4rem .6rem;text-align:left;
vertical-align:top}
code{font-family:ui-monospace,monospace}@media (prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#8cf}}"""
"""The page's one style element: its hash stands in the Content-Security-Policy (portal.web.hardening)."""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ info.title }} {{ info.version }}</title>
<meta name="viewport" content="width=device-width">
<style>{{ style }}</style>
</head><body><h1>{{ info.title }} {{ info.version }}</h1>
<p>{{ info.description }}</p>
<p><a href="{{ base }}/openapi.json">OpenAPI document</a> · <a href="{{ base }}/app-spec.json">JSON Schema of the App spec</a></p>
<table><thead><tr><th>Method</th><th>Path</th><th>What it does</th></tr></thead><tbody>
{% for route in routes %}<tr><td><code>{{ route.method }}</code></td><td><code>{{ route.path }}</code></td>
<td>{{ route.description }}</td></tr>
{% endfor %}</tbody></table></body></html>
"""
_METHODS = ("get", "post", "put", "patch", "delete")


class RoutesPage(OpenAPIRenderPlugin):
    """Renders the OpenAPI document as a table."""

    def __init__(self) -> None:
        super().__init__(path="/")
        self._template = Environment(autoescape=True).from_string(_PAGE)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page as UTF-8 HTML."""
        routes = [
            {"method": method.upper(), "path": path, "description": item[method].get("description", "")}
            for path, item in sorted(openapi_schema["paths"].items())
            for method in _METHODS
            if method in item
        ]
        base = request.url.path.rstrip("/")
        return self._template.render(
            style=Markup(STYLE), info=openapi_schema["info"], base=base, routes=routes
        ).encode()
