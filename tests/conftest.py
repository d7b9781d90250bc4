"""Fixtures that every part's tests share."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Only asyncio: what the processes run on."""
    return "asyncio"
