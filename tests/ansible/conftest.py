"""The roles as data: every task file parsed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ANSIBLE = Path(__file__).resolve().parents[2] / "ansible"
ROLES = ANSIBLE / "roles"


@dataclass(frozen=True)
class Task:
    """One task and where it stands."""

    file: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.body.get("name", "(no name)"))

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def _flatten(tasks: list[dict[str, Any]], file: str) -> Iterator[Task]:
    for body in tasks:
        yield Task(file, body)
        for part in ("block", "rescue", "always"):
            yield from _flatten(body.get(part, []), file)


@pytest.fixture(scope="session")
def tasks() -> tuple[Task, ...]:
    """Every task and handler of every role."""
    found: list[Task] = []
    for path in sorted(ROLES.glob("*/tasks/*.yml")) + sorted(ROLES.glob("*/handlers/*.yml")):
        found += _flatten(yaml.safe_load(path.read_text()), str(path.relative_to(ANSIBLE)))
    assert len(found) > 100
    return tuple(found)


def defaults(role: str) -> dict[str, Any]:
    """A role's defaults, unrendered."""
    return dict(yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text()))
