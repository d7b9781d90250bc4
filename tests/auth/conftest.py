"""The daemon's world: its people and database."""

from __future__ import annotations

from tests.daemon.conftest import database_url, example, small, world

__all__ = ["database_url", "example", "small", "world"]
