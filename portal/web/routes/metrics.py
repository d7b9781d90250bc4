"""`/metrics`: this web process, the portal and its daemon in Prometheus' text, for the site's own Prometheus and nobody else."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from litestar import Response, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest

from portal.services import portalfigures
from portal.services.errors import Forbidden
from portal.services.portalfigures import Figure
from portal.settings import Settings
from portal.web.context import Session, SiteSettings


def scrapes(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard: one of the scrapers' addresses, and the token where the site has one. Raises Forbidden."""
    settings: Settings = connection.app.state.settings
    address = ip_address(connection.client.host) if connection.client else None
    if address is None or not any(address in network for network in settings.monitoring.scrapers):
        raise Forbidden(
            "not_a_scraper",
            "Only Prometheus may read this (monitoring.scrapers names its address).",
            "Prometheus만 읽을 수 있습니다 (monitoring.scrapers에 주소를 적으세요).",
        )
    token = settings.metrics_token.get_secret_value()
    sent = connection.headers.get("authorization", "")
    if token and not secrets.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        raise Forbidden(
            "metrics_token",
            "Send the token of /metrics (metrics_token) as `Authorization: Bearer ...`.",
            "/metrics의 토큰(metrics_token)을 `Authorization: Bearer ...`로 보내세요.",
        )


@get("/metrics", guards=[scrapes], include_in_schema=False)
async def metrics(session: Session, settings: SiteSettings) -> Response[bytes]:
    """Everything that is counted; nothing of it asks Slurm."""
    found = await portalfigures.figures(session, settings)
    parts = (generate_latest(REGISTRY), _text(found), (await portalfigures.daemon_text(session)).encode())
    return Response(b"".join(parts), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _text(figures: Iterable[Figure]) -> bytes:
    registry = CollectorRegistry()
    for figure in figures:
        names = sorted({name for labels, _value in figure.values for name in labels})
        gauge = Gauge(figure.name, figure.says, names, registry=registry)
        for labels, value in figure.values:
            (gauge.labels(**labels) if names else gauge).set(value)
    return generate_latest(registry)
