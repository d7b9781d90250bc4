"""The daemon's world, whose services these tests call directly."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.daemon.conftest import database_url, example, small, world

__all__ = ["database_url", "example", "small", "world"]


@pytest.fixture
def large(small: dict[str, Any]) -> dict[str, Any]:
    """Another App, over the approval threshold."""
    made = copy.deepcopy(small)
    made["app_id"] = "APP-LARGE1"
    made["tasks"][0]["components"][1]["resources"].update(gpu_count=4)
    return made
