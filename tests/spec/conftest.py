"""The specification's example, as the customer wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture
def example_bytes() -> bytes:
    """The customer's example, letter by letter."""
    return (DATA / "app-spec-example.json").read_bytes()


@pytest.fixture
def example(example_bytes: bytes) -> dict[str, Any]:
    """The example as a fresh document."""
    document: dict[str, Any] = json.loads(example_bytes)
    return document
