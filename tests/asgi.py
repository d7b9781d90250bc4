"""The portal's application as an HTTP client of the tests reaches it."""

from __future__ import annotations

from typing import Any

import httpx2
from litestar import Litestar


def into(app: Litestar) -> httpx2.ASGITransport:
    """Straight into the application; what it fails to handle is an answer, as behind a server."""
    asgi: Any = app  # Litestar names every kind of scope and message, httpx2 takes any
    return httpx2.ASGITransport(app=asgi, raise_app_exceptions=False)
