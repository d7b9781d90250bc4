"""One finding about a spec: its place, its code, and words and cure in Korean and English."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from portal.spec import limits
from portal.spec.messages import CATALOGUE

Severity = Literal["error", "warning"]
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SHOWN_CHARS = 200


@dataclass(frozen=True)
class Problem:
    """A finding. `path` is a JSONPath such as `$.tasks[0].components[1].resources.memory`; `code` a key of the catalogue."""

    path: str
    code: str
    message_ko: str
    message_en: str
    cure_ko: str
    cure_en: str
    severity: Severity = "error"

    def as_json(self) -> dict[str, str]:
        """The shape that the API and `-o json` show."""
        return {
            "path": self.path,
            "code": self.code,
            "severity": self.severity,
            "message_ko": self.message_ko,
            "message_en": self.message_en,
            "cure_ko": self.cure_ko,
            "cure_en": self.cure_en,
        }


class SpecError(Exception):
    """The spec cannot be used; `problems` holds everything found, errors first, warnings after them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = listed(problems)
        super().__init__("; ".join(f"{problem.path}: {problem.message_en}" for problem in self.problems))


def problem(path: str, code: str, **values: object) -> Problem:
    """The problem of `code` at `path`, its catalogue texts filled with `values` (each shortened to 200 characters)."""
    entry = CATALOGUE[code]
    shown = {name: shorten(value) for name, value in values.items()}
    return Problem(
        path,
        code,
        entry.ko.format(**shown),
        entry.en.format(**shown),
        entry.cure_ko.format(**shown),
        entry.cure_en.format(**shown),
        entry.severity,
    )


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Errors before warnings, otherwise as found; the same finding only once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda found: found.severity != "error"))


def listed(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """In order, and no more than an answer lists."""
    ordered = in_order(problems)
    if len(ordered) <= limits.MAX_PROBLEMS:
        return ordered
    return (*ordered[: limits.MAX_PROBLEMS], problem("$", "more_problems", limit=limits.MAX_PROBLEMS))


def errors_of(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Those that stop the spec."""
    return tuple(found for found in problems if found.severity == "error")


def json_path(parts: Iterable[str | int]) -> str:
    """`("tasks", 0, "a.b")` -> `$.tasks[0]["a.b"]`."""
    text = "$"
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}"
        else:
            text += f"[{json.dumps(shorten(part), ensure_ascii=False)}]"
    return text


def shorten(value: object) -> str:
    """One printable line of at most 200 characters: spec texts are hostile until proven otherwise."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(value))
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
