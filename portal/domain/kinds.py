"""The kinds of workloads: two that people ask for, and two that the portal makes for them."""

from __future__ import annotations

from typing import Final

REQUESTS: Final = ("rl", "general")
"""Asked for by people: they pass the gate, make models, can be run again and analysed."""
NO_REQUESTS: Final = ("test", "analysis")
"""Belong to a request: its minimal run tests, and what Operators find out about it."""
