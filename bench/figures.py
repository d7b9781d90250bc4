"""What a benchmark found: figures with their targets, as a table, as JSON and as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured value; a target is an upper or a lower bound. `note` says how it came about, or why a target is missed."""

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """ "met", "missed", or "" without a target."""
        if self.at_least is None and self.at_most is None:
            return ""
        low = self.at_least is None or self.value >= self.at_least
        high = self.at_most is None or self.value <= self.at_most
        return "met" if low and high else "missed"

    @property
    def target(self) -> str:
        """As people read it: ">= 0.8"."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""

    @property
    def text(self) -> str:
        """The value with its unit."""
        return (
            f"{self.value:,.0f} {self.unit}".strip() if self.value >= 1000 else f"{self.value:.3g} {self.unit}".strip()
        )

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "atLeast": self.at_least,
            "atMost": self.at_most,
            "verdict": self.verdict,
            "note": self.note,
        }


@dataclass(frozen=True)
class Part:
    """One part of the benchmark: its figures, in one run."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    text: str = ""
